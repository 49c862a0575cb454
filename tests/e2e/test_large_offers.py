"""Offers as large as they may be, between real processes: a file of 1 TiB with ten bytes in it, and 100,000 files.

A usual run takes some of that; the profile `deep` all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness.actors import WAIT_S, Item, Peer
from tests.harness.faults import IS_DEEP
from tests.harness.memory import memory_of, peak_of
from wire import limits

pytestmark = pytest.mark.timeout(900 if IS_DEEP else 400)

SPARSE_BYTES = (1024 if IS_DEEP else 4) * limits.GIB + 77
FILES = limits.FILES_PER_OFFER if IS_DEEP else 2000
FILES_A_FOLDER = 500
MOST_GROWTH_BYTES = 64 * limits.MIB  # of either side, whatever the size
BYTES = b"ten bytes!"


@contextmanager
def growing_little(*peers: Peer) -> Iterator[None]:
    """Check the most memory that each node had at any time."""
    before = []
    for peer in peers:
        pid = peer.node.process.pid
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # its peak begins anew
        before.append((pid, memory_of(pid)))
    yield
    for pid, size in before:
        assert peak_of(pid) - size < MOST_GROWTH_BYTES


def taken(alice: Peer, bob: Peer, path: Path, target: Path) -> Item:
    """Send something and have it taken; gives the transfer once it is done."""
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(target))

    def is_done(item: Item) -> bool:
        is_ours = item["event"] == "transfer" and item["offer"] == offer
        return bool(is_ours and item["state"] == "done")

    return bob.node.wait(is_done, within_s=600 if IS_DEEP else WAIT_S)


def test_a_file_of_holes_arrives_with_them_and_little_memory(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = tmp_path / "disk.img"
    place = SPARSE_BYTES // 2 + 12_345
    with path.open("wb") as file:
        file.truncate(SPARSE_BYTES)
        file.seek(place)
        file.write(BYTES)
    with growing_little(alice, bob):
        done = taken(alice, bob, path, tmp_path / "in")
    arrived = Path(done["saved_as"])
    found = arrived.stat()
    assert found.st_size == SPARSE_BYTES
    assert found.st_blocks <= path.stat().st_blocks + limits.CHUNK_BYTES // 512
    with arrived.open("rb") as file:
        assert os.pread(file.fileno(), len(BYTES), place) == BYTES
        start = os.lseek(file.fileno(), 0, os.SEEK_DATA)
        stop = os.lseek(file.fileno(), place, os.SEEK_HOLE)
        assert stop - start <= limits.CHUNK_BYTES
        data = os.pread(file.fileno(), stop - start, start)
        assert data.strip(b"\0") == BYTES
        if stop < SPARSE_BYTES:
            with pytest.raises(OSError, match="No such device"):
                os.lseek(file.fileno(), stop, os.SEEK_DATA)


def test_as_many_files_as_an_offer_may_have_arrive_with_little_memory(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    top = tmp_path / "many"
    for first in range(0, FILES, FILES_A_FOLDER):
        folder = top / f"{first:06}"
        folder.mkdir(parents=True)
        for number in range(first, first + FILES_A_FOLDER):
            (folder / str(number)).write_bytes(b"%d" % number * (number % 7))
    with growing_little(alice, bob):
        done = taken(alice, bob, top, tmp_path / "in")
    assert (done["files"], done["files_done"]) == (FILES, FILES)
    arrived = Path(done["saved_as"])
    assert sorted(map(int, (each.name for each in arrived.rglob("*/*")))) == list(range(FILES))
    for number in range(FILES):
        name = f"{number - number % FILES_A_FOLDER:06}/{number}"
        assert (arrived / name).read_bytes() == b"%d" % number * (number % 7)
