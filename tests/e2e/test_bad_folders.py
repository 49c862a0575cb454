"""Download folders that cannot take anything, and parts that somebody touched: named, and never a wrong file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from tests.harness.actors import Peer
from tests.harness.mounts import needs_mounts, small_disk

MIB = 1024 * 1024


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def offered(alice: Peer, bob: Peer, path: Path, size: int = 3 * MIB) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(size))
    offer: str = alice.one("send", "bob", str(path))["offer"]
    assert bob.node is not None
    bob.node.event("offer", offer=offer, state="offered")
    return offer


@needs_mounts
def test_a_folder_that_can_take_nothing_is_named_when_it_is_chosen(
    friends: Any, tmp_path: Path
) -> None:
    alice, bob = friends
    offer = offered(alice, bob, tmp_path / "out" / "film.bin")
    assert bob.node.stop() == 0
    (tmp_path / "file").write_bytes(b"")
    with small_disk(tmp_path / "disk", 16 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        disk.remount("ro")
        for folder, code in (
            (tmp_path / "file", "file-exists"),
            (tmp_path / "no" / "folder", "folder-gone"),
            (disk.path, "folder-gone"),
            (disk.path / "below", "folder-gone"),
            (Path("/dev/full"), "file-exists"),
        ):
            refused = bob.try_to("accept", offer, "--to", str(folder))
            assert (refused.code, refused.error["code"]) == (1, code), (folder, refused)
        assert [item["state"] for item in bob.do("offers")] == ["offered"]
        disk.remount("rw")
        bob.do("accept", offer, "--to", str(disk.path))
        bob.node.event("transfer", offer=offer, state="done")
        assert [path.name for path in disk.inside.iterdir()] == ["film.bin"]
        assert bob.node.stop() == 0


@needs_mounts
@pytest.mark.parametrize("way", ["read-only", "unmounted", "removed"])
def test_a_folder_that_goes_away_before_it_starts_holds_the_transfer_until_it_is_back(
    friends: Any, tmp_path: Path, way: Any
) -> None:
    alice, bob = friends
    offer = offered(alice, bob, tmp_path / "out" / "film.bin")
    assert bob.node.stop() == 0
    with small_disk(tmp_path / "disk", 16 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        target = disk.path / "in"
        (disk.inside / "in").mkdir()
        assert alice.node.stop() == 0
        bob.do("accept", offer, "--to", str(target))
        bob.node.event("transfer", offer=offer, state="waiting", reason="friend")
        undo = take_away(disk, way)
        alice.up()
        waiting = bob.node.event("transfer", offer=offer, state="waiting", reason="folder")
        assert waiting["saved_as"] is None
        undo()
        done = bob.node.event("transfer", offer=offer, state="done")
        assert done["saved_as"] == str(target / "film.bin")
        assert digest(disk.inside / "in" / "film.bin") == digest(tmp_path / "out" / "film.bin")
        assert bob.node.stop() == 0


def take_away(disk: Any, way: str) -> Any:
    """Make the folder unusable; gives what undoes it."""
    if way == "read-only":
        disk.remount("ro")
        return lambda: disk.remount("rw")
    if way == "unmounted":
        disk.cover()
        return disk.uncover
    folder = disk.inside / "in"
    folder.rename(disk.inside / "elsewhere")
    return lambda: (disk.inside / "elsewhere").rename(folder)


@needs_mounts
def test_a_folder_on_another_disk_and_one_behind_a_link_take_what_comes(
    friends: Any, tmp_path: Path
) -> None:
    alice, bob = friends
    offer = offered(alice, bob, tmp_path / "out" / "film.bin")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    bob.do("accept", offer, "--to", str(tmp_path / "link"))
    done = bob.node.event("transfer", offer=offer, state="done")
    assert done["saved_as"] == str(tmp_path / "link" / "film.bin")
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["film.bin"]


def edit(part: Path, outside: Path) -> None:
    with part.open("r+b") as file:
        file.seek(MIB + 7)
        file.write(b"edited")
    found = part.stat()  # somebody who comes a second after the kill, not in the same moment
    os.utime(part, ns=(found.st_atime_ns, found.st_mtime_ns + 1_000_000_000))


def cut(part: Path, outside: Path) -> None:
    os.truncate(part, MIB // 2)


def link(part: Path, outside: Path) -> None:
    part.unlink()
    part.symlink_to(outside)


def folder(part: Path, outside: Path) -> None:
    part.unlink()
    part.mkdir()


@pytest.mark.parametrize("spoil", [edit, cut, link, folder])
def test_a_part_that_somebody_touched_while_nobody_ran_is_not_believed(
    friends: Any, tmp_path: Path, spoil: Any
) -> None:
    alice, bob = friends
    source, target = tmp_path / "out" / "film.bin", tmp_path / "in"
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    target.mkdir()
    alice.do("config", "set", "bandwidth.up", "2MB/s")
    offer = offered(alice, bob, source, 24 * MIB)
    bob.do("accept", offer, "--to", str(target))
    bob.node.wait(lambda item: item["event"] == "transfer" and item["verified_bytes"] >= 2 * MIB)
    bob.node.kill()
    part = target / f"film.bin.{offer[:8]}.part" / "tree" / "film.bin"
    assert part.exists()
    spoil(part, outside)
    bob.up()
    alice.do("config", "set", "bandwidth.up", "off")
    done = bob.node.event("transfer", offer=offer, state="done")
    assert done["saved_as"] == str(target / "film.bin")
    assert digest(target / "film.bin") == digest(source)
    assert [path.name for path in target.iterdir()] == ["film.bin"]
    assert outside.read_bytes() == b"mine"
