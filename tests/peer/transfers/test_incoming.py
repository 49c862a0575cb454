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
from peer.transfers.sharing import Share
from tests.harness.disks import MemoryDisk, failure
from tests.peer.transfers.landings import KEY, ROOT
from wire import limits
from wire.codes import Code
from wire.identity import public_of
from wire.ids import AccountName, ChunkDigest, DeviceId, IdentityKey, SigningKey
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import Fetch, FetchDigests, FetchManifest, Pack, Piece, StopFetch
from wire.transfer import manifest
from wire.transfer.digests import chunk_digest
from wire.transfer.holding import Holding
from wire.transfer.manifest import FILE, FOLDER, Entry
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

SEED = b"s" * 32
CONTENT = bytes(range(256)) * 4096 * 20  # 20 chunks: more than a window
BIG = {"big": CONTENT}
SMALL = {f"small/{number:02}": bytes([number + 1]) * 300_000 for number in range(50)}


def manifest_of(files: dict[str, bytes]) -> bytes:
    """The manifest of files in at most one folder."""
    entries = [Entry(path, FILE, len(data), False, 0) for path, data in files.items()]
    tops = {path.partition("/")[0] for path in files if "/" in path}
    return manifest.encode([*(Entry(top, FOLDER, 0, False, 0) for top in tops), *entries])


class Transfer:
    """A transfer and the sender that answers it, chunk by chunk. gone: files that the sender cannot read."""

    def __init__(
        self,
        disk: MemoryDisk,
        files: dict[str, bytes] = BIG,
        *,
        manifest_size: int | None = None,
        gone: tuple[int, ...] = (),
        share: Share | None = None,
    ) -> None:
        self.reports: list[Report] = []
        self.said: list[Message] = []
        self.fetches = itertools.count()
        self.sender = Sender()
        self.gone = gone
        self.brought = 0  # records with bytes
        self.last: Piece | Pack | None = None
        self.contents = list(files.values())
        content = manifest_of(files)
        sizes = [len(data) for data in self.contents]
        self.holding = Holding(KEY, manifest=content, sizes=sizes, signing_seed=SEED)
        due = Due(
            1, KEY, AccountName("bob"), IdentityKey(bytes(32)), SigningKey(public_of(SEED)), ROOT,
            "title", len(files), sum(sizes),
            len(content) if manifest_size is None else manifest_size, manifest.digest(content),
            share=share,
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
        data, outcome = b"", list[ChunkDigest | Code]()
        for part in step.parts:
            chunk = self.contents[part.file][part.offset : part.offset + part.length]
            is_gone = part.file in self.gone
            data += b"" if is_gone else chunk
            outcome.append(Code.NO_SUCH_FILE if is_gone else chunk_digest(chunk))
        announced = self.sender.on_read(step, outcome, Monotonic(0.0))
        if isinstance(announced, Piece | Pack) and self.incoming.expects(announced):
            self.incoming.chunk(announced, memoryview(data))
            self.brought, self.last = self.brought + 1, announced

    def run(self) -> None:
        while self.step():
            pass


@pytest.fixture
def disk() -> MemoryDisk:
    return MemoryDisk(ROOT)


def failing(disk: MemoryDisk, what: Callable[[], Exception]) -> None:
    """Have every write fail from here on."""
    disk.fault = lambda operation: what() if operation == "pwrite" else None  # type: ignore[assignment,return-value]


def kill(disk: MemoryDisk, transfer: Transfer) -> None:
    """End a transfer as kill -9 does: nothing more reaches the disk, its threads are gone."""
    disk.fault = lambda operation: failure(EIO)
    transfer.incoming.close()
    disk.fault = lambda operation: None
    disk.reboot()


def test_all_of_it_lands(disk: MemoryDisk) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    transfer.run()
    assert transfer.reports == [Landed(ROOT / "big", [])]
    transfer.incoming.close()


def test_where_it_goes_on_is_what_was_verified_when_its_only_source_came_back(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk)
    incoming = transfer.incoming
    transfer.attach()
    while incoming.verified_bytes < 3 * limits.CHUNK_BYTES:
        transfer.step()
    assert incoming.resumed_at == 0
    incoming.detach()
    had = incoming.verified_bytes
    transfer.attach()
    assert incoming.resumed_at == had
    transfer.run()
    assert transfer.reports == [Landed(ROOT / "big", [])]
    assert incoming.resumed_at == had
    incoming.close()


def test_what_is_told_first_over_a_link_is_where_it_went_on_however_late_it_is_told(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk)
    incoming = transfer.incoming
    for had in (0, 3 * limits.CHUNK_BYTES):
        transfer.attach()
        first = incoming.progress(is_first=True).verified_bytes
        while transfer.brought * limits.CHUNK_BYTES < had + 3 * limits.CHUNK_BYTES:
            transfer.step()
        incoming.rest()
        assert incoming.progress(is_first=True).verified_bytes == first == had
        assert incoming.progress().verified_bytes == had + 3 * limits.CHUNK_BYTES
        incoming.detach()
    incoming.close()


def test_a_source_that_joins_another_at_work_is_no_going_on(disk: MemoryDisk) -> None:
    mine, other = DeviceId(b"m" * 16), DeviceId(b"o" * 16)
    share = Share(mine, IdentityKey(b"m" * 32), (IdentityKey(b"o" * 32),))
    transfer = Transfer(disk, share=share)
    incoming = transfer.incoming
    transfer.attach()
    while incoming.verified_bytes < 3 * limits.CHUNK_BYTES:
        transfer.step()
    incoming.attach(lambda *said: None, lambda: next(transfer.fetches), other)
    assert incoming.asks(other)
    assert (incoming.resumed_at, incoming.begun) == (0, 1)
    incoming.detach()  # nobody brings anything: the other one has nothing yet
    had = incoming.verified_bytes
    transfer.attach()
    assert (incoming.resumed_at, incoming.begun) == (had, 2)
    incoming.close()


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
    assert not transfer.incoming.asking
    disk.fault = lambda operation: None
    transfer.incoming.close()


def test_a_chunk_that_the_disk_did_not_take_counts_for_nobody(disk: MemoryDisk) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    while transfer.brought < 3:
        transfer.step()
    transfer.incoming.rest()
    failing(disk, lambda: failure(ENOSPC))
    transfer.run()
    assert [type(report) for report in transfer.reports] == [Waits]
    disk.fault = lambda operation: None
    transfer.incoming.close()
    had = transfer.incoming.verified_bytes
    assert transfer.incoming.progress().verified_bytes == had
    again = Transfer(disk)
    again.attach()
    while not again.incoming.is_counting:
        again.step()
    assert again.incoming.resumed_at == had == 3 * limits.CHUNK_BYTES
    again.incoming.close()


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
    assert not transfer.incoming.asking
    assert [record.exc_info for record in caplog.records if record.levelname == "ERROR"] == [None]
    disk.fault = lambda operation: None
    transfer.incoming.close()
    again = Transfer(disk)
    again.attach()
    again.run()
    assert again.reports == [Landed(ROOT / "big", [])]
    assert disk.tree()["big"] == CONTENT
    again.incoming.close()


@pytest.mark.parametrize("end", ["rest", "cut", "close"])
def test_chunks_that_came_count_when_nothing_follows(disk: MemoryDisk, end: str) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    while transfer.brought < 7:
        transfer.step()
    if end == "rest":
        transfer.incoming.rest()
    elif end == "cut":
        transfer.incoming.detach()
    else:
        transfer.incoming.close()
    assert transfer.incoming.verified_bytes == 7 * limits.CHUNK_BYTES
    before = 7 if end == "close" else 0
    if end == "close":
        transfer = Transfer(disk)
    else:
        transfer.incoming.detach()
    transfer.sender = Sender()
    transfer.attach()
    transfer.run()
    assert transfer.reports == [Landed(ROOT / "big", [])]
    assert before + transfer.brought == 20
    assert transfer.incoming.resent_bytes <= limits.WINDOW_BYTES
    transfer.incoming.close()


def test_a_chunk_that_comes_twice_is_not_written_twice(disk: MemoryDisk) -> None:
    transfer = Transfer(disk)
    transfer.attach()
    while transfer.brought < 3:
        transfer.step()
    again = transfer.last
    assert again is not None
    assert not transfer.incoming.expects(again)
    transfer.run()
    assert transfer.reports == [Landed(ROOT / "big", [])]
    transfer.incoming.close()


def test_small_files_that_were_asked_for_before_a_kill_count_as_sent_again(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk, SMALL)
    transfer.attach()
    while transfer.incoming.verified_bytes < 3_000_000:
        transfer.step()
    had = transfer.incoming.verified_bytes
    kill(disk, transfer)
    again = Transfer(disk, SMALL)
    again.attach()
    again.run()
    assert again.reports == [Landed(ROOT / "small", [])]
    assert 0 < again.incoming.resent_bytes <= limits.WINDOW_BYTES
    asked = limits.WINDOW_BYTES - 300_000  # at least: a file that does not fit waits
    assert again.incoming.resent_bytes >= asked - had
    again.incoming.close()


def test_files_that_could_not_be_had_are_named_after_a_kill_between_landing_and_noting_it(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk, SMALL, gone=(3, 7))
    transfer.attach()
    transfer.run()
    skipped = [
        {"path": f"small/{number:02}", "reason": Code.NO_SUCH_FILE.value} for number in (3, 7)
    ]
    assert transfer.reports == [Landed(ROOT / "small", skipped)]
    kill(disk, transfer)
    again = Transfer(disk, SMALL, gone=(3, 7))
    again.attach()
    again.run()
    assert again.reports == [Landed(ROOT / "small", skipped)]
    again.incoming.close()


def test_files_that_could_not_be_had_are_named_although_another_life_found_them(
    disk: MemoryDisk,
) -> None:
    transfer = Transfer(disk, SMALL, gone=(3, 7))
    transfer.attach()
    while transfer.incoming.verified_bytes < 9_000_000:
        transfer.step()
    transfer.incoming.close()
    again = Transfer(disk, SMALL, gone=(3, 7))
    again.attach()
    again.run()
    [landed] = again.reports
    assert isinstance(landed, Landed)
    assert [each["path"] for each in landed.skipped] == ["small/03", "small/07"]
    again.incoming.close()
