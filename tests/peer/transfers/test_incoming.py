"""One transfer that comes, driven by hand on a disk in memory: what its disk's faults and ours do to it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from errno import EIO, ENOSPC

import pytest

from peer.errors import PeerError
from peer.transfers import ledger
from peer.transfers.incoming import Incoming
from peer.transfers.manager import Incoming as Due
from peer.transfers.reports import Fails, Landed, Report, Stumbles, Waits
from tests.harness.disks import MemoryDisk, failure
from tests.peer.transfers.landings import KEY, ROOT
from wire import limits
from wire.codes import Code
from wire.identity import public_of
from wire.ids import AccountName, IdentityKey, SigningKey
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import Fetch, FetchDigests, FetchManifest, Piece, StopFetch
from wire.transfer import manifest
from wire.transfer.digests import chunk_digest
from wire.transfer.holding import Holding
from wire.transfer.manifest import FILE, Entry
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

SEED = b"s" * 32
CONTENT = bytes(range(256)) * 4096 * 20  # 20 chunks: more than a window
ENTRIES = [Entry("big", FILE, len(CONTENT), is_executable=False, mtime_ms=0)]
MANIFEST = manifest.encode(ENTRIES)


class Transfer:
    """A transfer and the sender that answers it, chunk by chunk."""

    def __init__(self, disk: MemoryDisk, *, manifest_size: int = len(MANIFEST)) -> None:
        self.reports: list[Report] = []
        self.said: list[Message] = []
        self.fetches = itertools.count()
        self.sender = Sender()
        self.holding = Holding(KEY, manifest=MANIFEST, sizes=[len(CONTENT)], signing_seed=SEED)
        due = Due(
            1, KEY, AccountName("bob"), IdentityKey(bytes(32)), SigningKey(public_of(SEED)), ROOT,
            "big", 1, len(CONTENT), manifest_size, manifest.digest(MANIFEST),
        )  # fmt: skip
        self.incoming = Incoming(due, lambda _, report: self.reports.append(report), disk=disk)

    def attach(self) -> None:
        self.incoming.attach(lambda *said: self.said.extend(said), lambda: next(self.fetches))

    def step(self) -> bool:
        """Answer what was asked so far by one step; False if there is nothing to do."""
        for message in self.said:
            match message:
                case FetchManifest():
                    self.sender.on_fetch_manifest(message, self.holding)
                case Fetch():
                    self.sender.on_fetch(message, self.holding)
                case FetchDigests():
                    self.sender.on_fetch_digests(message, self.holding)
                case StopFetch():
                    self.sender.on_stop(message)
                case _:
                    pass
        self.said.clear()
        match self.sender.next_step(Monotonic(0.0)):
            case None:
                return False
            case Say(messages=messages):
                for message in messages:
                    self.incoming.heard(message)
            case CheckPin() as step:
                self.sender.on_pin(step, is_held=True, now=Monotonic(0.0))
            case ReadDigests() as step:
                self.sender.on_digests(step, self.holding.table(step.file).page(step.page))
            case Read() as step:
                self._read(step)
        return True

    def _read(self, step: Read) -> None:
        [part] = step.parts
        data = CONTENT[part.offset : part.offset + part.length]
        piece = self.sender.on_read(step, [chunk_digest(data)], Monotonic(0.0))
        if not step.is_sent:
            return
        assert isinstance(piece, Piece)
        if self.incoming.expects(piece):
            self.incoming.chunk(piece, memoryview(data))

    def run(self) -> None:
        while self.step():
            pass


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk(ROOT)


def failing(disk: MemoryDisk, what: Callable[[], Exception]) -> None:
    """Have every write fail from here on."""
    disk.fault = lambda operation: what() if operation == "pwrite" else None  # type: ignore[assignment,return-value]


def test_all_of_it_lands(disk: MemoryDisk) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    transfer.run()
    assert transfer.reports == [Landed(ROOT / "big", [])]
    transfer.incoming.close()


@pytest.mark.parametrize(("number", "reason"), [(ENOSPC, ledger.SPACE), (EIO, ledger.FOLDER)])
def test_a_disk_that_fails_when_a_link_comes_is_reported_and_raises_nothing(
    disk: MemoryDisk, number: int, reason: str
) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    for _ in range(4):
        transfer.step()
    transfer.incoming.detach()
    failing(disk, lambda: failure(number))
    transfer.attach()
    [told] = transfer.reports
    assert isinstance(told, Waits)
    assert told.reason == reason
    assert not transfer.incoming.is_attached
    disk.fault = lambda operation: None
    transfer.incoming.close()


def test_an_offer_whose_manifest_cannot_be_is_reported_and_raises_nothing(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk, manifest_size=limits.PAGE_BYTES * (limits.PAGES + 1))
    transfer.attach()
    [told] = transfer.reports
    assert isinstance(told, Fails)
    assert told.code is Code.MANIFEST_INVALID


def test_a_fault_of_ours_while_writing_is_no_loss_another_life_goes_on(
    disk: MemoryDisk, caplog: pytest.LogCaptureFixture
) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    for _ in range(4):
        transfer.step()
    failing(disk, lambda: ZeroDivisionError("of ours"))
    with pytest.raises(PeerError) as caught:
        transfer.run()
    assert caught.value.code is Code.INTERNAL
    assert transfer.reports == [Stumbles()]
    assert not transfer.incoming.is_attached
    assert [record.exc_info for record in caplog.records if record.levelname == "ERROR"] == [None]
    disk.fault = lambda operation: None
    transfer.incoming.close()
    again = Transfer(disk)
    again.attach()
    again.run()
    assert again.reports == [Landed(ROOT / "big", [])]
    assert disk.tree()["big"] == CONTENT
    again.incoming.close()
