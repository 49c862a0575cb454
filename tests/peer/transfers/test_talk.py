"""What one data link is about: who is told what comes, what is asked no more, and what enemies may say."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from peer.transfers.digestlog import DigestLog
from peer.transfers.incoming import Incoming
from peer.transfers.manager import Incoming as Due
from peer.transfers.outgoing import Served
from peer.transfers.source import Reader
from peer.transfers.talk import TransferTalk
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import public_of
from wire.ids import AccountName, ChunkDigest, DeviceId, IdentityKey, OfferId, SigningKey
from wire.messages import Message
from wire.messages.transfer import (
    ChunkRange,
    Fetch,
    Fetched,
    FetchManifest,
    Piece,
    StopFetch,
    Verified,
)
from wire.transfer.holding import Holding, OfferKey

KEY = OfferKey(DeviceId(b"d" * 16), OfferId(b"o" * 16))
OTHER = OfferKey(DeviceId(b"d" * 16), OfferId(b"p" * 16))
DIGEST = ChunkDigest(bytes(32))


class Link:
    """The part of a bulk link that a talk uses."""

    def __init__(self) -> None:
        self.said: list[Message] = []

    def say(self, *messages: Message) -> None:
        self.said += messages

    def wake(self) -> None:
        pass


class Line:
    """A talk and what it told."""

    def __init__(self) -> None:
        self.link = Link()
        self.calls = 0
        self.begun: list[Served] = []
        self.stopped: list[Served] = []
        self.found: list[OfferKey] = []
        self.served = {
            key: Served(
                number,
                Holding(key, manifest=b"m", sizes=[1], signing_seed=bytes(32)),
                Reader([]),
                DigestLog(Path("/nowhere/log")),
            )
            for number, key in enumerate((KEY, OTHER))
        }
        self.talk = TransferTalk(
            self.link,  # type: ignore[arg-type]
            KEY.device,
            find=self._find,
            on_progress=self._on_progress,
            on_counting=lambda _: None,
            on_begin=self.begun.append,
            on_stop=self.stopped.append,
            on_end=lambda code, text: None,
        )

    def _find(self, key: OfferKey, before: Served | None) -> Served | Code:
        self.found += [key]
        return self.served.get(key, Code.UNKNOWN_OFFER)

    def _on_progress(self) -> None:
        self.calls += 1


def incoming(folder: Path, key: OfferKey = KEY) -> Incoming:
    """A transfer of which nothing is here yet."""
    signing_key = SigningKey(public_of(b"s" * 32))
    due = Due(
        1, key, AccountName("bob"), IdentityKey(bytes(32)), signing_key, folder, "holiday",
        1, 1, limits.PAGE_BYTES * 3, bytes(32),
    )  # fmt: skip
    return Incoming(due, lambda *_: None)


def test_progress_that_is_told_often_is_noted_twice(tmp_path: Path) -> None:
    """A busy loop may come late: the first says whether it begins or goes on, the newest how far it is."""
    line = Line()
    for key in (KEY, OTHER):
        line.talk.heard(FetchManifest(1 if key is KEY else 2, *key, 0))
    for count in range(1000):
        line.talk.heard(Verified(*KEY, count, 0, 0))
    line.talk.heard(Verified(*OTHER, 7, 0, 0))
    line.talk.heard(Verified(KEY.device, OfferId(b"x" * 16), 7, 0, 0))
    assert line.calls == 1
    assert [(s.number, said.verified_bytes) for s, said in line.talk.take_progress()] == [
        (0, 0),
        (0, 999),
        (1, 7),
    ]
    assert line.talk.take_progress() == []
    line.talk.heard(Verified(*KEY, 1000, 0, 0))
    assert line.calls == 2


@pytest.mark.parametrize("message", [Piece(77, 0, 0, 1, DIGEST), Fetched(77)])
def test_answers_to_what_nobody_asked_for_are_dropped_and_a_hundred_are_a_flood(
    message: Message,
) -> None:
    line = Line()

    def hear() -> None:
        if isinstance(message, Piece):
            assert not line.talk.expects(message)
        else:
            line.talk.heard(message)

    for _ in range(limits.STRAY_CHUNKS - 1):
        hear()
    with pytest.raises(RemoteProtocolError) as caught:
        hear()
    assert caught.value.code is Code.FLOOD


def test_what_was_released_is_asked_for_no_more_and_what_still_comes_is_no_stray(
    tmp_path: Path,
) -> None:
    line, transfer = Line(), incoming(tmp_path)
    line.talk.attach(transfer)
    asked = [each.fetch for each in line.link.said if isinstance(each, FetchManifest)]
    assert asked == [0, 1, 2]
    line.link.said.clear()
    line.talk.release(transfer)
    assert line.link.said == [StopFetch(fetch) for fetch in asked]
    for _ in range(2 * limits.STRAY_CHUNKS):
        assert not line.talk.expects(Piece(0, 0, 0, 1, DIGEST))
    line.talk.heard(Fetched(0))
    for _ in range(limits.STRAY_CHUNKS - 1):  # answered to its end: now it is one
        line.talk.heard(Fetched(0))
    with pytest.raises(RemoteProtocolError):
        line.talk.heard(Fetched(0))
    line.talk.release(transfer)
    assert len(line.link.said) == 3


def test_a_link_that_has_ended_takes_no_transfer(tmp_path: Path) -> None:
    line, transfer = Line(), incoming(tmp_path)
    line.talk.ended(Code.LINK_LOST, "")
    line.talk.attach(transfer)
    assert not transfer.asking
    assert line.talk.incoming == []


def test_transfers_that_ask_at_once_keep_to_what_a_link_answers(tmp_path: Path) -> None:
    line = Line()
    transfers = [
        incoming(tmp_path, OfferKey(KEY.device, OfferId(bytes([number] * 16))))
        for number in range(limits.TRANSFERS_AT_ONCE)
    ]
    for transfer in transfers:
        line.talk.attach(transfer)
    assert len(line.link.said) <= limits.OPEN_FETCHES
    fetches = [getattr(each, "fetch", None) for each in line.link.said]
    assert fetches == list(itertools.islice(itertools.count(), len(fetches)))


def test_an_offer_of_which_nothing_more_is_wanted_is_told_and_found_anew_when_it_is() -> None:
    line = Line()
    for fetch in (1, 2):
        line.talk.heard(Fetch(fetch, *KEY, (ChunkRange(0, 0, 1),)))
    line.talk.heard(StopFetch(1))
    assert line.stopped == []
    line.talk.heard(StopFetch(2))
    assert line.stopped == [line.served[KEY]]
    assert line.found == [KEY]
    line.talk.heard(Fetch(3, *KEY, (ChunkRange(0, 0, 1),)))
    line.talk.heard(Fetch(4, *KEY, (ChunkRange(0, 0, 1),)))
    assert line.found == [KEY, KEY]
    line.talk.withdraw(KEY, Code.PAUSED)
    assert line.talk.served == []


def test_who_asks_for_the_list_of_files_alone_has_not_begun() -> None:
    line = Line()
    line.talk.heard(FetchManifest(1, *KEY, 0))
    assert line.begun == []
    for fetch in (2, 3):
        line.talk.heard(Fetch(fetch, *KEY, (ChunkRange(0, 0, 1),)))
    assert line.begun == [line.served[KEY]]
    for fetch in (1, 2, 3):
        line.talk.heard(StopFetch(fetch))
    line.talk.heard(FetchManifest(4, *KEY, 0))
    assert len(line.begun) == 1
    line.talk.heard(Fetch(5, *KEY, (ChunkRange(0, 0, 1),)))
    line.talk.withdraw(KEY, Code.PAUSED)
    line.talk.heard(Fetch(6, *KEY, (ChunkRange(0, 0, 1),)))
    assert len(line.begun) == 3
    line.talk.heard(Fetch(7, KEY.device, OfferId(b"x" * 16), (ChunkRange(0, 0, 1),)))
    assert len(line.begun) == 3


def test_a_link_on_which_something_is_served_may_be_idle_for_longer() -> None:
    line = Line()
    before = line.talk.linger_s()
    line.talk.heard(FetchManifest(1, *KEY, 0))
    assert line.talk.linger_s() > before


def test_what_is_over_keeps_no_list_of_its_files_though_its_link_stands() -> None:
    line = Line()
    for fetch, key in enumerate((KEY, OTHER)):
        line.talk.heard(FetchManifest(fetch, *key, 0))
    line.talk.let_go(KEY)
    assert len(line.talk.served) == 2  # its answer is owed
    while line.talk.next_record(memoryview(bytearray(limits.CHUNK_BYTES))) is not None:
        pass
    line.talk.let_go(KEY)
    line.talk.withdraw(OTHER, Code.UNKNOWN_OFFER)
    assert line.talk.served == []
    assert [(each.number, each.holding.manifest) for each in line.talk.ever_served] == [
        (0, b""),
        (1, b""),
    ]
    line.talk.heard(Verified(*KEY, 1, 1, 0))  # how far it came may be told last
    assert [served.number for served, _ in line.talk.take_progress()] == [0]
    line.talk.heard(FetchManifest(3, *KEY, 0))  # another machine of the friend may want it yet
    assert [each.holding.manifest for each in line.talk.served] == [b"m"]
