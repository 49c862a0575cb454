"""Disks and folders that change in the middle of a transfer: it says what it waits for, and goes on by itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.actors import Item, Peer
from tests.harness.mounts import SmallDisk, needs_mounts, small_disk
from wire import limits

pytestmark = needs_mounts

MIB = limits.MIB
SIZE = 24 * MIB + 5
RATE = "2MB/s"
"""Of what something happens to: there is time for it on a busy machine, too."""


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def accept(alice: Peer, bob: Peer, source: Path, target: Path, rate: str) -> str:
    """Let a file be under way, so slowly that something can happen to it; gives the offer."""
    source.parent.mkdir()
    source.write_bytes(os.urandom(SIZE))
    alice.do("config", "set", "bandwidth.up", rate)
    offer: str = alice.one("send", "bob", str(source))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(target))
    return offer


def has_come(bob: Peer, offer: str, size: int) -> None:
    bob.node.wait(
        lambda item: (
            item["event"] == "transfer"
            and item["offer"] == offer
            and item["verified_bytes"] >= size
        )
    )


def goes_on(alice: Peer, bob: Peer, offer: str) -> Item:
    alice.do("config", "set", "bandwidth.up", "off")
    return bob.node.event("transfer", offer=offer, state="done")


def test_a_disk_that_is_too_small_is_enlarged_and_what_nobody_was_asked_about_goes_on_by_itself(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    source = tmp_path / "out" / "films"
    source.mkdir(parents=True)
    for number in range(4):
        (source / f"{number}.bin").write_bytes(os.urandom(6 * MIB + number))
    with small_disk(tmp_path / "in", 16 * MIB) as disk:
        bob.under = disk.words
        bob.do("config", "set", "downloads.folder", str(disk.path))
        bob.do("accept-policy", "auto")
        bob.up()
        alice.do("config", "set", "bandwidth.up", RATE)
        offer = alice.one("send", "bob", str(source))["offer"]
        waits_for_space(alice, bob, offer, disk, f"bytes free and {24 * MIB + 6} are needed")
        disk.remount(f"size={32 * MIB}")
        has_come(bob, offer, 2 * MIB)
        disk.fill()  # another program takes what is not set aside yet
        waits_for_space(alice, bob, offer, disk, "bytes free and ")
        assert not (disk.inside / "films").exists()
        disk.remount(f"size={64 * MIB}")
        done = goes_on(alice, bob, offer)
        assert (done["saved_as"], done["files_done"]) == (str(disk.path / "films"), 4)
        assert done["resent_bytes"] <= limits.WINDOW_BYTES + limits.CHUNK_BYTES
        for path in source.iterdir():
            assert digest(disk.inside / "films" / path.name) == digest(path)
        assert bob.node.stop() == 0


def test_of_several_that_do_not_fit_together_the_first_become_whole_and_the_others_wait_for_space(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    (tmp_path / "out").mkdir()
    with small_disk(tmp_path / "in", 64 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        alice.do("config", "set", "bandwidth.up", "4MB/s")
        offers = {}
        for number in range(3):
            source = tmp_path / "out" / f"{number}.bin"
            source.write_bytes(os.urandom(SIZE))
            offers[alice.one("send", "bob", str(source))["offer"]] = source
        for offer in offers:
            bob.node.event("offer", offer=offer, state="offered")
            bob.do("accept", offer, "--to", str(disk.path))
        third = bob.node.wait(lambda item: item.get("reason") == "space")
        assert f"and {SIZE} are needed" in third["error"]["message"]
        assert "of them promised to 2 other transfers" in third["error"]["message"]
        alice.do("config", "set", "bandwidth.up", "off")
        done: set[str] = set()
        while done != offers.keys() - {third["offer"]}:
            done.add(bob.node.event("transfer", state="done")["offer"])
        for offer, source in offers.items():
            is_whole = offer != third["offer"]
            assert (disk.inside / source.name).exists() == is_whole
        disk.remount(f"size={128 * MIB}")
        bob.node.event("transfer", offer=third["offer"], state="done")
        for source in offers.values():
            assert digest(disk.inside / source.name) == digest(source)
        assert bob.node.stop() == 0


def waits_for_space(alice: Peer, bob: Peer, offer: str, disk: SmallDisk, words: str) -> None:
    """Wait until both sides say what is missing, and where."""
    waiting = bob.node.event("transfer", offer=offer, state="waiting", reason="space")
    assert waiting["error"]["code"] == "no-space"
    assert waiting["error"]["message"].startswith(f"{disk.path} has ")
    assert words in waiting["error"]["message"]
    assert waiting["error"]["remedy"] == "free some space; the transfer goes on by itself"
    alice.node.event("transfer", offer=offer, state="waiting", reason="friend-space")


def unmounted(disk: SmallDisk) -> Callable[[], object]:
    disk.unmount()
    return disk.mount


def covered(disk: SmallDisk) -> Callable[[], object]:
    disk.cover()
    return disk.uncover


def renamed(disk: SmallDisk) -> Callable[[], object]:
    (disk.inside / "in").rename(disk.inside / "elsewhere")
    return lambda: (disk.inside / "elsewhere").rename(disk.inside / "in")


@pytest.mark.parametrize("taken", [unmounted, covered, renamed])
def test_a_folder_that_goes_away_in_the_middle_is_waited_for_and_nothing_lands_elsewhere(
    friends: tuple[Peer, Peer], tmp_path: Path, taken: Callable[[SmallDisk], Callable[[], object]]
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    with small_disk(tmp_path / "disk", 64 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        (disk.inside / "in").mkdir()
        target = disk.path / "in"
        offer = accept(alice, bob, tmp_path / "out" / "film.bin", target, RATE)
        has_come(bob, offer, 2 * MIB)
        bring_back = taken(disk)
        waiting = bob.node.event("transfer", offer=offer, state="waiting", reason="folder")
        assert waiting["error"]["code"] == "folder-gone"
        assert str(target) in waiting["error"]["message"]
        alice.node.event("transfer", offer=offer, state="waiting", reason="friend-folder")
        bring_back()
        done = goes_on(alice, bob, offer)
        assert done["saved_as"] == str(target / "film.bin")
        assert done["resent_bytes"] <= limits.WINDOW_BYTES + limits.CHUNK_BYTES
        assert digest(disk.inside / "in" / "film.bin") == digest(tmp_path / "out" / "film.bin")
        assert [path.name for path in (disk.inside / "in").iterdir()] == ["film.bin"]
        assert bob.node.stop() == 0


def test_a_bare_mount_point_takes_nothing_while_its_disk_is_away(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    with small_disk(tmp_path / "disk", 64 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        offer = accept(alice, bob, tmp_path / "out" / "film.bin", disk.path, RATE)
        has_come(bob, offer, 2 * MIB)
        disk.unmount()
        for _ in range(2):  # when it is noticed, and when it is tried again
            bob.node.event("transfer", offer=offer, state="waiting", reason="folder")
        assert list(disk.path.iterdir()) == []
        disk.mount()
        done = goes_on(alice, bob, offer)
        assert done["resent_bytes"] <= limits.WINDOW_BYTES + limits.CHUNK_BYTES
        assert digest(disk.inside / "film.bin") == digest(tmp_path / "out" / "film.bin")
        assert list(disk.path.iterdir()) == []
        assert bob.node.stop() == 0
