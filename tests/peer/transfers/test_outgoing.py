"""What one link serves of a real file: its holes are told, not read."""

from __future__ import annotations

from pathlib import Path

from peer.transfers.outgoing import Outgoing, Served
from peer.transfers.source import Reader
from peer.transfers.survey import survey
from tests.wire.transfer.exchange import KEY, SEED
from wire import limits
from wire.ids import OfferId
from wire.messages.transfer import (
    ChunkRange,
    Fetch,
    Fetched,
    FetchManifest,
    ManifestPage,
    Piece,
    Zeros,
)
from wire.transfer.holding import Holding, OfferKey

MIB = limits.MIB
Found = list[tuple[type, int, int]]


class Noted(Reader):
    """A reader that notes what it reads, and how often it looks for a hole."""

    def __init__(self, path: Path) -> None:
        super().__init__(survey([path]).files)
        self.read_chunks: list[int] = []
        self.looks = 0

    def read(self, file: int, offset: int, into: memoryview) -> object:  # type: ignore[override]
        self.read_chunks.append(offset // MIB)
        return super().read(file, offset, into)

    def hole_chunks(self, file: int, index: int, most: int) -> int:
        self.looks += 1
        return super().hole_chunks(file, index, most)


def sparse(path: Path, size: int, *data: int) -> Path:
    """Make a file of holes; data: the chunks that are none."""
    with path.open("wb") as file:
        for index in data:
            file.seek(index * MIB)
            file.write(b"x" * MIB)
        file.truncate(size * MIB)
    return path


def served(path: Path, count: int) -> tuple[Noted, Found]:
    """Serve all of a file of so many chunks; gives what was announced: (kind, first chunk, chunks) each."""
    reader = Noted(path)
    holding = Holding(KEY, manifest=b"m", sizes=[count * MIB], signing_seed=SEED)
    offer = Served(1, holding, reader, None)
    outgoing = Outgoing(lambda key, before: offer, lambda each: None, lambda each: None)
    assert outgoing.heard(Fetch(0, KEY.device, KEY.offer, (ChunkRange(0, 0, count),)))
    found: Found = []
    into = memoryview(bytearray(MIB))
    while True:
        record = outgoing.next_record(into)
        assert record is not None
        for message in record[0]:
            if isinstance(message, Piece):
                found.append((Piece, message.index, 1))
            elif isinstance(message, Zeros):
                found.append((Zeros, message.range.first, message.range.count))
            elif isinstance(message, Fetched):
                reader.close()
                return reader, found


def test_a_hole_is_told_in_one_message_and_not_read(tmp_path: Path) -> None:
    reader, found = served(sparse(tmp_path / "file", 100, 99), 100)
    assert found == [(Zeros, 0, 99), (Piece, 99, 1)]
    assert reader.read_chunks == [99]


def test_a_hole_behind_data_is_read_for_one_chunk_and_known_then(tmp_path: Path) -> None:
    reader, found = served(sparse(tmp_path / "file", 100, 0, 1, 2, 60), 100)
    pieces = [(Piece, index, 1) for index in (0, 1, 2)]
    holes = [(Zeros, 3, 1), (Zeros, 4, 56)], [(Zeros, 61, 1), (Zeros, 62, 38)]
    assert found == [*pieces, *holes[0], (Piece, 60, 1), *holes[1]]
    assert reader.read_chunks == [0, 1, 2, 3, 60, 61]


def test_in_a_file_without_holes_they_are_looked_for_now_and_then(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 40 * MIB)
    reader, found = served(path, 40)
    assert found == [(Piece, index, 1) for index in range(40)]
    assert reader.looks == 3


def test_of_offers_whose_lists_alone_were_asked_for_few_are_kept_and_the_others_found_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "note"
    path.write_bytes(b"x")
    files = survey([path]).files
    found: list[OfferKey] = []

    def find(key: OfferKey, before: Served | None) -> Served:
        if before is not None:
            return before
        found.append(key)
        holding = Holding(key, manifest=b"m", sizes=[1], signing_seed=SEED)
        return Served(1, holding, Reader(files), None)

    outgoing = Outgoing(find, lambda each: None, lambda each: None)
    keys = [OfferKey(KEY.device, OfferId(bytes([number]) * 16)) for number in range(30)]
    into = memoryview(bytearray(MIB))

    def ask(fetch: int, key: OfferKey) -> None:
        outgoing.heard(FetchManifest(fetch, key.device, key.offer, 0))
        record = outgoing.next_record(into)
        assert record is not None
        assert ManifestPage in map(type, record[0])

    for fetch, key in enumerate(keys):
        ask(fetch, key)
        assert len(outgoing.served) <= 9
        if fetch == 1:  # of this one a file is wanted, too
            outgoing.heard(Fetch(99, key.device, key.offer, (ChunkRange(0, 0, 1),)))
            assert outgoing.next_record(into) is not None
    assert found == keys
    assert keys[1] in [served.holding.key for served in outgoing.served]
    assert len(outgoing.ever_served) == len(keys)
    ask(100, keys[0])
    assert found == [*keys, keys[0]]
