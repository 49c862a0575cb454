"""A sink that is killed at every step, or loses its power at every step, and goes on."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from peer.transfers.disk import READ_FOLDER
from tests.conftest import PROFILE
from tests.harness.disks import MemoryDisk
from tests.harness.dying import DyingDisk, Killed
from tests.peer.transfers.landings import (
    FILES,
    LANDED,
    ROOT,
    WORK,
    Transfer,
    bring,
    check_whole_or_absent,
    digest,
    missing_of,
    open_sink,
    put,
)

TOP_FILE = 3


def steps_of_a_whole_run(*, has_extras: bool) -> int:
    disk = DyingDisk(MemoryDisk(ROOT, has_extras=has_extras), 10_000)
    Transfer().run(disk)
    return 10_000 - disk.left


def test_a_run_that_nothing_interrupts_leaves_what_was_sent_and_nothing_else() -> None:
    disk = MemoryDisk(ROOT)
    transfer = Transfer()
    transfer.run(disk)
    assert transfer.path == ROOT
    assert disk.tree() == LANDED


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
def test_killed_at_any_step_it_goes_on_and_lands_exactly_once(has_extras: bool) -> None:
    total = steps_of_a_whole_run(has_extras=has_extras)
    assert total > 80
    for steps in range(total):
        disk = MemoryDisk(ROOT, has_extras=has_extras)
        transfer = Transfer()
        with pytest.raises(Killed):
            transfer.run(DyingDisk(disk, steps))
        disk.reboot()
        check_whole_or_absent(disk.tree())
        transfer.run(disk)
        assert disk.tree() == LANDED, steps


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
def test_where_names_are_taken_it_takes_others_once_and_for_all(has_extras: bool) -> None:
    """Between mkdir and rename an empty folder holds the name: it is no reason to take yet another."""
    for steps in range(60, 140):
        for chance in (None, 0.5):
            disk = MemoryDisk(ROOT, has_extras=has_extras)
            theirs = {"stuff": {"theirs": b"x"}, "top.txt": b"y", "top (1).txt": b"z"}
            disk.put("stuff/theirs", b"x")
            disk.put("top.txt", b"y")
            disk.put("top (1).txt", b"z")
            transfer = Transfer()
            try:
                transfer.run(DyingDisk(disk, steps))
            except Killed:
                disk.reboot() if chance is None else disk.power_cut(random.Random(steps), chance)
            transfer.run(disk)
            ours = {"stuff (1)": LANDED["stuff"], "top (2).txt": LANDED["top.txt"]}
            assert disk.tree() == theirs | ours, steps


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
@pytest.mark.parametrize("chance", [0.0, 0.6])
def test_without_power_at_any_step_it_goes_on_and_lands_exactly_once(
    has_extras: bool, chance: float
) -> None:
    for steps in range(steps_of_a_whole_run(has_extras=has_extras)):
        disk = MemoryDisk(ROOT, has_extras=has_extras)
        transfer = Transfer()
        with pytest.raises(Killed):
            transfer.run(DyingDisk(disk, steps))
        disk.power_cut(random.Random(steps), chance)
        check_whole_or_absent(disk.tree())
        transfer.run(disk)
        assert disk.tree() == LANDED, steps


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
def test_interrupted_again_and_again_it_lands_in_the_end(has_extras: bool) -> None:
    total = steps_of_a_whole_run(has_extras=has_extras)
    for seed in range(5000 if PROFILE == "deep" else 60):
        dice = random.Random(seed)
        disk = MemoryDisk(ROOT, has_extras=has_extras)
        transfer = Transfer()
        for _ in range(6):
            try:
                transfer.run(DyingDisk(disk, dice.randrange(total)))
            except Killed:
                if dice.random() < 0.5:
                    disk.power_cut(dice, dice.random())
                else:
                    disk.reboot()
                check_whole_or_absent(disk.tree())
        transfer.run(disk)
        assert disk.tree() == LANDED, seed


def test_what_a_mark_of_a_later_life_vouches_for_has_its_name_on_the_disk_as_well() -> None:
    disk = MemoryDisk(ROOT, has_extras=False)
    bring(open_sink(disk))
    disk.reboot()
    open_sink(disk).sync()
    disk.power_cut(random.Random(0), 0.0)
    assert not any(missing for _, missing in missing_of(open_sink(disk)))


def test_what_was_gone_and_is_written_anew_is_believed_by_no_earlier_mark() -> None:
    for seed in range(200):
        disk = MemoryDisk(ROOT, has_extras=False)
        sink = open_sink(disk)
        bring(sink)
        sink.sync()
        remove_from_outside(disk, b"top.txt")
        disk.reboot()
        sink = open_sink(disk)
        put(sink, TOP_FILE, 0, memoryview(FILES[TOP_FILE]), digest(FILES[TOP_FILE]))
        sink.finish_files([TOP_FILE])
        dice = random.Random(seed)
        disk.power_cut(dice, dice.random())
        Transfer().run(disk)
        assert disk.tree() == LANDED, seed


def remove_from_outside(disk: MemoryDisk, name: bytes) -> None:
    """Take a file of the tree away, durably."""
    folder = disk.open(ROOT, READ_FOLDER)
    for inner in (f"stuff{WORK}".encode(), b"tree"):
        folder = disk.open(inner, READ_FOLDER, dir_fd=folder)
    disk.unlink(name, dir_fd=folder)
    disk.fsync(folder)


def test_once_finish_returned_a_power_cut_takes_nothing_back() -> None:
    for seed in range(20):
        disk = MemoryDisk(ROOT, has_extras=bool(seed % 2))
        transfer = Transfer()
        dying = DyingDisk(disk, 10_000)
        transfer.run(dying)
        disk.power_cut(random.Random(seed), 0.0)
        assert {name: disk.tree()[name] for name in LANDED} == LANDED


KILL_LOOP = """
import os, pathlib, shutil, sys
from peer.transfers.disk import SystemDisk
from tests.harness.dying import DyingDisk
from tests.peer.transfers.landings import CONTENTS, Transfer

root = pathlib.Path(sys.argv[1])
for is_portable in (False, True):
    disk = SystemDisk(is_portable=is_portable)
    whole = DyingDisk(disk, 10_000)
    root.mkdir()
    Transfer(root).run(whole)
    shutil.rmtree(root)
    for steps in range(0, 10_000 - whole.left, 3):
        root.mkdir()
        child = os.fork()
        if child == 0:
            transfer = Transfer(root)
            try:
                transfer.run(DyingDisk(disk, steps, die=lambda: os._exit(9 if transfer.path else 8)))
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in {8, 9}, steps
        transfer = Transfer(root)
        transfer.path = root if code == 9 else None
        transfer.run(disk)
        found = {str(path.relative_to(root)): path for path in root.rglob("*")}
        assert set(found) == {*CONTENTS, "stuff", "stuff/hollow", "stuff/inner"}, steps
        assert {name: found[name].read_bytes() for name in CONTENTS} == CONTENTS, steps
        shutil.rmtree(root)
print("all landed")
"""


def test_a_real_process_that_dies_at_many_steps_on_a_real_disk_goes_on(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILL_LOOP, str(tmp_path / "downloads")],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "all landed\n", "")
