"""What is offered: which files and folders are found, what is left out, and under which names."""

from __future__ import annotations

import os
import socket
import tracemalloc
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.transfers.shelf import Shelf
from peer.transfers.sink import Sink
from peer.transfers.survey import Survey, pin_of, survey
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId, OfferId
from wire.transfer import manifest
from wire.transfer.holding import OfferKey


def reasons(found: Survey) -> dict[str, str]:
    return {Path(one["path"]).name: one["reason"] for one in found.skipped}


def paths_of(found: Survey) -> list[str]:
    return [entry.path for entry in found.entries]


def refusal(paths: list[Path], name: str | None = None) -> Code:
    with pytest.raises(PeerError) as raised:
        survey(paths, name)
    return raised.value.code


def test_a_folder_is_offered_with_every_folder_in_canonical_order(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a" / "empty").mkdir(parents=True)
    (tree / "a.txt").write_bytes(b"12")
    (tree / "a" / "b").write_bytes(b"345")
    (tree / "run").write_bytes(b"")
    (tree / "run").chmod(0o755)
    found = survey([tree])
    expected = ["tree", "tree/a", "tree/a/b", "tree/a/empty", "tree/a.txt", "tree/run"]
    assert (found.title, paths_of(found), found.size) == ("tree", expected, 5)
    assert [os.fsdecode(file.path) for file in found.files] == [
        str(tree / "a" / "b"),
        str(tree / "a.txt"),
        str(tree / "run"),
    ]
    assert [entry.is_executable for entry in found.entries] == [False] * 5 + [True]
    assert found.files[1].pin == pin_of((tree / "a.txt").stat())
    assert manifest.decode(found.manifest) == found.entries


def test_what_is_no_file_is_left_out_with_its_reason_and_nothing_blocks(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "kept").write_bytes(b"1")
    os.mkfifo(tree / "fifo")
    (tree / "loop").symlink_to(tree)
    (tree / "gone").symlink_to(tmp_path / "nowhere")
    (tree / "outside").symlink_to("/etc/passwd")
    (tree / os.fsdecode(b"b\xffd")).write_bytes(b"1")
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(tree, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/socket")
        os.close(here)
        found = survey([tree])
    link = "a symbolic link"
    assert paths_of(found) == ["tree", "tree/kept"]
    assert reasons(found) == {
        "fifo": "a fifo",
        "loop": link,
        "gone": link,
        "outside": link,
        "b\\xffd": "its name is not UTF-8",
        "socket": "a socket",
    }


def test_what_is_named_by_hand_and_cannot_be_sent_is_an_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "piped").symlink_to("fifo")
    (tmp_path / "file").write_bytes(b"")
    assert refusal([tmp_path / "missing"]) is Code.NO_SUCH_FILE
    assert refusal([tmp_path / "file" / "below"]) is Code.NO_SUCH_FILE
    assert refusal([tmp_path / "dangling"]) is Code.NO_SUCH_FILE
    assert refusal([tmp_path / "fifo"]) is Code.NOT_A_REGULAR_FILE
    assert refusal([tmp_path / "piped"]) is Code.NOT_A_REGULAR_FILE
    assert refusal([tmp_path / "self"]) is Code.FILE_UNREADABLE
    assert refusal([tmp_path / "a\0b"]) is Code.FILE_UNREADABLE
    assert refusal([Path("/dev/null")]) is Code.NOT_A_REGULAR_FILE
    assert refusal([tmp_path / "missing", tmp_path / "file"]) is Code.NO_SUCH_FILE


def test_no_path_is_not_the_folder_that_the_program_runs_in() -> None:
    assert refusal([Path()]) is Code.NO_SUCH_FILE


def test_a_profile_leaves_with_no_folder_that_it_lies_in(tmp_path: Path) -> None:
    home = tmp_path / "me" / "hobnob"
    for inside in ("keys", "offers/1.offer", "downloads/film", "stdin/12/tape"):
        (home / inside).parent.mkdir(parents=True, exist_ok=True)
        (home / inside).write_bytes(b"1")
    (tmp_path / "me" / "note").write_bytes(b"1")
    (tmp_path / "link").symlink_to(home)
    found = survey([tmp_path / "me"], home=home)
    assert paths_of(found) == ["me", "me/note"]
    assert reasons(found) == {"hobnob": "this profile's own state"}
    for path in (home, home / "keys", tmp_path / "link", tmp_path / "link" / "offers"):
        with pytest.raises(PeerError, match="own state") as raised:
            survey([path], home=home)
        assert raised.value.code is Code.HOME_UNUSABLE
    for path, size in ((home / "downloads", 1), (home / "stdin" / "12" / "tape", 1)):
        assert survey([path], home=home).size == size


def test_a_link_named_by_hand_is_followed_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_bytes(b"abc")
    (tmp_path / "folder").symlink_to("real")
    (tmp_path / "file").symlink_to("real/x")
    found = survey([tmp_path / "folder", tmp_path / "file"])
    assert paths_of(found) == ["file", "folder", "folder/x"]
    assert found.title == "2 items"


def test_two_things_of_one_name_are_kept_apart(tmp_path: Path) -> None:
    for folder in "12345":
        (tmp_path / folder).mkdir()
    (tmp_path / "1" / "a.txt").write_bytes(b"1")
    (tmp_path / "2" / "a.txt").write_bytes(b"2")
    (tmp_path / "3" / "a (1).txt").write_bytes(b"3")
    (tmp_path / "4" / ".rc").write_bytes(b"4")
    (tmp_path / "5" / ".rc").write_bytes(b"5")
    tops = [tmp_path / at for at in ("1/a.txt", "2/a.txt", "3/a (1).txt", "4/.rc", "5/.rc")]
    found = survey(tops)
    assert paths_of(found) == [".rc", ".rc (1)", "a (1) (1).txt", "a (1).txt", "a.txt"]


@pytest.mark.parametrize("ending", ["", ".txt", "." + "y" * 200])
def test_two_of_the_longest_name_keep_within_a_name(tmp_path: Path, ending: str) -> None:
    name = "x" * (limits.NAME_BYTES - len(ending)) + ending
    for folder in ("1", "2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"")
    found = survey([tmp_path / "1" / name, tmp_path / "2" / name])
    assert len(set(paths_of(found))) == 2
    assert all(len(path.encode()) <= limits.NAME_BYTES for path in paths_of(found))
    assert all(path.endswith(ending) for path in paths_of(found))


def test_two_names_that_are_all_extension_are_kept_apart_too(tmp_path: Path) -> None:
    name = "x." + "y" * 253
    for folder in ("1", "2", "3"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b"")
    found = survey([tmp_path / folder / name for folder in ("1", "2", "3")])
    assert len(set(paths_of(found))) == 3
    assert all(len(path.encode()) <= limits.NAME_BYTES for path in paths_of(found))


def test_a_title_is_always_one_that_an_offer_may_have(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff" * 255)
    odd.write_bytes(b"")
    for found in (survey([odd]), survey([odd], "é" * 300), survey([odd, odd], "é" * 300)):
        assert 1 <= len(found.title.encode()) <= limits.NAME_BYTES
        assert manifest.decode(found.manifest) == found.entries


@pytest.mark.parametrize("name", ["..", ".", "a\0b"])
def test_a_name_that_others_would_refuse_is_refused_here(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert refusal([tmp_path / "file"], name) is Code.NAME_UNSAFE


@pytest.mark.parametrize("name", ["a/b", "\udcff", chr(0xD800)])
def test_a_name_that_cannot_stand_is_replaced(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = survey([tmp_path / "file"], name)
    assert found.title == found.entries[0].path
    assert "/" not in found.title
    assert found.title.encode()


def test_what_lies_too_deep_is_left_out_and_the_rest_is_sent(tmp_path: Path) -> None:
    tree = tmp_path / "d"
    deep = tree
    for _ in range(limits.PATH_DEPTH + 5):
        deep /= "d"
    deep.mkdir(parents=True)
    found = survey([tree])
    assert len(found.entries) == limits.PATH_DEPTH
    assert [one["reason"] for one in found.skipped] == ["its path is too long or too deep"]


def test_more_files_than_an_offer_may_have_are_refused(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number in range(20_000):
        os.close(os.open(tree / str(number), os.O_CREAT | os.O_WRONLY))
    assert len(survey([tree]).files) == 20_000
    assert refusal([tree] * 6) is Code.TOO_MANY_FILES


def test_holes_are_told_as_a_hint_of_the_space_needed(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 30)
    [entry] = survey([tmp_path / "sparse"]).entries
    assert (entry.size, entry.needed_bytes < 1 << 20) == (1 << 30, True)


def test_a_record_of_the_walk_stands_where_its_path_does(tmp_path: Path) -> None:
    top = tmp_path / "top"
    for path in ("a/b/c", "a/b.c", "a.b", "a-", "ab", "a/b-", "é"):
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(b"x")
    found = survey([top])
    assert found.manifest == manifest.encode(found.entries)
    assert [entry.path for entry in found.entries] == sorted(paths_of(found), key=manifest.order)
    assert [os.fsdecode(file.path) for file in found.files] == [
        str(tmp_path / entry.path) for entry in found.entries if entry.is_file
    ]
    assert (found.file_count, found.top_names) == (7, ("top",))


def test_a_great_many_files_take_little_memory_on_both_sides(tmp_path: Path) -> None:
    count = 5_000
    top = tmp_path / "a folder with files"
    top.mkdir()
    for number in range(count):
        (top / f"file-{number:06d}.txt").touch()
    tracemalloc.start()
    try:
        found = survey([top])
        assert found.file_count == count
        walked = tracemalloc.get_traced_memory()[1]
        Shelf(tmp_path / "shelf").keep(OfferId(bytes(16)), found)
        kept = tracemalloc.get_traced_memory()[1]
        content = found.manifest
        del found
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        entries = manifest.decode(content)
        key = OfferKey(DeviceId(bytes(16)), OfferId(bytes(16)))
        (tmp_path / "in").mkdir()
        sink = Sink.open(tmp_path / "in", key, "title", entries)
        opened = tracemalloc.get_traced_memory()[1] - before
        sink.discard()
    finally:
        tracemalloc.stop()
    most_bytes = 64 * 2**20 // 100_000  # for each, the names of long temporary folders included
    assert max(walked, kept) / count < most_bytes
    assert opened / count < most_bytes
