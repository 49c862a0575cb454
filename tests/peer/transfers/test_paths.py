"""Where received names land: a golden table of nasties, twins, and the folder itself."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.errors import PeerError
from peer.transfers.paths import TOP, check_folder, landing, numbered, plan, work_name
from tests.harness.names import GOLDEN
from tests.peer.transfers.landings import file, folder
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import OfferId
from wire.transfer import manifest
from wire.transfer.manifest import FILE, Entry

OFFER = OfferId(bytes(range(16)))


@pytest.mark.parametrize(
    ("name", "top", "inside"), GOLDEN, ids=[repr(row[0])[:30] for row in GOLDEN]
)
def test_a_received_name_lands_where_the_table_says(name: str, top: str, inside: str) -> None:
    assert landing(name, is_top=True) == top
    assert landing(name, is_top=False) == inside


@given(st.text(alphabet=st.characters(codec=None), max_size=300), st.booleans())
def test_whatever_came_is_one_harmless_component_and_lands_as_itself_again(
    name: str, is_top: bool
) -> None:
    stored = landing(name, is_top=is_top)
    assert 1 <= len(stored.encode()) <= 255
    assert stored not in {".", ".."}
    assert not set(stored) & set('/\\:*?"<>|\0\r\n\x1b\u202e')
    assert stored == stored.strip()
    assert not stored.endswith(".")
    assert landing(stored, is_top=is_top) == stored
    if is_top:
        assert stored[0] not in ".-~"


@given(st.text(max_size=300), st.integers(2, 10**6))
def test_a_numbered_name_fits_and_keeps_its_extension(name: str, number: int) -> None:
    stored = landing(name, is_top=True)
    assert len(numbered(stored, number).encode()) <= 255
    assert f" ({number - 1})" in numbered(stored, number)
    assert numbered(stored, 1) == stored


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("film.mkv", "film (1).mkv"),
        ("archive.tar.gz", "archive (1).tar.gz"),
        ("noextension", "noextension (1)"),
        ("Dr. Who season one", "Dr. Who season one (1)"),
        (".tar.gz", ".tar (1).gz"),
        ("n" * 255, "n" * 251 + " (1)"),
    ],
)
def test_a_taken_name_gets_a_number_before_its_extension(name: str, second: str) -> None:
    assert numbered(name, 2) == second


@pytest.mark.parametrize(
    ("paths", "code"),
    [
        (["/abs"], Code.NAME_UNSAFE),
        (["a", "a/../x"], Code.NAME_UNSAFE),
        (["../x"], Code.NAME_UNSAFE),
        ([""], Code.NAME_UNSAFE),
        (["a\0b"], Code.NAME_UNSAFE),
        (["a", "a"], Code.MANIFEST_CONFLICT),
        (["a", "a/b"], Code.MANIFEST_CONFLICT),
        (["é" * 2049], Code.NAME_TOO_LONG),
        (["/".join("x" * 65)], Code.NAME_TOO_LONG),
    ],
)
def test_what_cannot_be_a_relative_path_at_all_is_refused_before_it_comes_here(
    paths: list[str], code: Code
) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        manifest.check([Entry(path, FILE, 1, False, 0) for path in paths])
    assert refused.value.code is code


def planned(*entries: Entry) -> dict[str, str]:
    """Plan these entries; gives for each path the one it lands at."""
    ordered = sorted(entries, key=lambda entry: manifest.order(entry.path))
    places = plan(ordered)
    paths: list[str] = []
    for place in places:
        above = "" if place.parent == TOP else paths[place.parent] + "/"
        paths.append(above + place.name)
    return {entry.path: path for entry, path in zip(ordered, paths, strict=True)}


def files(*paths: str) -> list[Entry]:
    return [file(path, b"x") for path in paths]


def test_twins_in_case_accents_or_safe_names_are_kept_apart_in_the_manifests_order() -> None:
    composed, apart = unicodedata.normalize("NFC", "é"), unicodedata.normalize("NFD", "é")
    assert planned(*files("A.txt", "a.txt", "a (1).txt")) == {
        "A.txt": "A.txt",
        "a (1).txt": "a (1).txt",
        "a.txt": "a (2).txt",
    }
    assert planned(*files(composed, apart)) == {apart: apart, composed: f"{composed} (1)"}
    assert planned(*files("x?", "x*", "x:")) == {"x*": "x_", "x:": "x_ (1)", "x?": "x_ (2)"}
    assert planned(*files("ß", "SS")) == {"SS": "SS", "ß": "ß (1)"}
    assert planned(*files("x", "x.", "x\u200b")) == {
        "x": "x",
        "x.": "x (1)",
        "x\u200b": "x\u200b (2)",
    }


def test_what_lies_in_twin_folders_follows_its_own_folder() -> None:
    assert planned(
        folder("Dir"), file("Dir/a", b""), folder("dir"), file("dir/a", b""), file("dir/A", b"")
    ) == {
        "Dir": "Dir",
        "Dir/a": "Dir/a",
        "dir": "dir (1)",
        "dir/A": "dir (1)/A",
        "dir/a": "dir (1)/a (1)",
    }


def test_a_hidden_folder_at_the_top_is_shown_and_what_is_in_it_goes_along() -> None:
    assert planned(folder(".ssh"), file(".ssh/authorized_keys", b"")) == {
        ".ssh": "_.ssh",
        ".ssh/authorized_keys": "_.ssh/authorized_keys",
    }


@given(
    st.lists(st.text(alphabet="aA?*:éE\u0301. ", min_size=1, max_size=4), max_size=12, unique=True)
)
def test_no_two_entries_of_one_offer_land_in_one_place_on_any_system(names: list[str]) -> None:
    names = [name for name in names if name not in {".", ".."}]
    places = planned(*files(*names)).values()
    folded = {unicodedata.normalize("NFC", place).casefold() for place in places}
    assert len(folded) == len(names)


def test_the_same_manifest_gives_the_same_places_every_time() -> None:
    entries = files("b", "B", "a?", "a*")
    assert planned(*entries) == planned(*reversed(entries))


@pytest.mark.parametrize(
    "odd", ["con.txt", "NUL", "Desktop.ini", "a:b", "x.", "é", "A0007", "n" * 64]
)
@pytest.mark.parametrize("many", [8, 1023, 1024, 1025, 2500], ids=str)
def test_a_name_lands_in_the_same_place_among_few_and_among_many(odd: str, many: int) -> None:
    plain = [file(f"f/a{number:04}", b"") for number in range(many)]
    found = planned(folder("f"), *plain, file(f"f/{odd}", b""))
    assert len(set(found.values())) == many + 2
    changed = {path: place for path, place in found.items() if path != place}
    if odd == "A0007":  # it stands before its twin, which gives way
        assert changed == {"f/a0007": "f/a0007 (1)"}
    else:
        stored = landing(odd, is_top=False)
        assert changed == ({} if stored == odd else {f"f/{odd}": f"f/{stored}"})


def test_files_around_an_inner_folder_know_of_each_other() -> None:
    assert planned(
        folder("f"), file("f/A", b""), folder("f/inner"), file("f/inner/a", b""), file("f/xx", b""),
        file("f/a", b""), file("f/XX", b""),
    ) == {
        "f": "f",
        "f/A": "f/A",
        "f/XX": "f/XX",
        "f/a": "f/a (1)",
        "f/inner": "f/inner",
        "f/inner/a": "f/inner/a",
        "f/xx": "f/xx (1)",
    }  # fmt: skip


def test_many_twins_cost_no_more_than_as_many_names() -> None:
    twins = ["".join("?*"[n >> bit & 1] for bit in range(16)) for n in range(2**16)]
    assert len({place.name for place in plan(files(*twins))}) == 2**16


def test_the_work_folder_is_visibly_partial_and_fits_whatever_the_title_is() -> None:
    assert work_name("film.mkv", OFFER) == "film.mkv.00010203.part"
    assert work_name("../..", OFFER) == "_.._.00010203.part"
    assert work_name("\0", OFFER) == "_.00010203.part"
    assert len(work_name("é" * 500, OFFER).encode()) <= 255


def test_a_received_name_never_is_a_work_folders(tmp_path: Path) -> None:
    assert landing(work_name("film.mkv", OFFER), is_top=True) != work_name("film.mkv", OFFER)


# --- the folder itself


def refused(*arguments: Any) -> Code:
    with pytest.raises(PeerError) as problem:
        check_folder(*arguments)
    return problem.value.code


def test_a_download_folder_is_made_when_only_its_last_component_is_missing(tmp_path: Path) -> None:
    check_folder(tmp_path / "downloads", tmp_path / "home")
    assert (tmp_path / "downloads").is_dir()
    assert refused(tmp_path / "gone" / "downloads", tmp_path / "home") is Code.FOLDER_GONE


def test_nobody_is_told_that_what_never_began_goes_on_by_itself(tmp_path: Path) -> None:
    with pytest.raises(PeerError) as problem:
        check_folder(tmp_path / "gone" / "downloads", tmp_path / "home")
    assert problem.value.remedy == (
        "see that it is there and can be written, or choose another folder"
    )


def test_a_download_folder_that_is_a_file_or_cannot_be_named_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert refused(tmp_path / "file", tmp_path / "home") is Code.FILE_EXISTS
    assert refused(tmp_path / "file" / "below", tmp_path / "home") is Code.FOLDER_GONE
    assert refused(tmp_path / ("x" * 256), tmp_path / "home") is Code.NAME_TOO_LONG
    assert refused(tmp_path / "a\0b", tmp_path / "home") is Code.NAME_UNSAFE


def test_the_homes_own_state_is_no_download_folder_however_it_is_reached(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "offers").mkdir(parents=True)
    (tmp_path / "link").symlink_to(home)
    for inside in (home, home / "offers", tmp_path / "link", home / "downloads" / ".." / "offers"):
        assert refused(inside, home) is Code.HOME_UNUSABLE
    check_folder(home / "downloads", home)
    check_folder(home / "downloads" / "inner", home)
    check_folder(tmp_path, home)


def test_downloads_that_lead_back_into_the_home_are_no_way_in(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "downloads").symlink_to(home)
    assert refused(home / "downloads", home) is Code.HOME_UNUSABLE


def test_a_folder_with_too_little_space_is_refused_with_both_figures(tmp_path: Path) -> None:
    with pytest.raises(PeerError) as problem:
        check_folder(tmp_path, tmp_path / "home", 2**60)
    assert problem.value.code is Code.NO_SPACE
    assert str(2**60) in problem.value.message
    assert "accept it again" in problem.value.remedy  # nothing was begun that could go on by itself
