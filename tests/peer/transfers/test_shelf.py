"""What is kept of an offer: whole after a restart or told as damaged, and swept when it is over."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.transfers.shelf import Shelf
from peer.transfers.survey import Survey, survey
from wire.codes import Code
from wire.ids import OfferId

ONE = OfferId(b"1" * 16)
TWO = OfferId(b"2" * 16)


@pytest.fixture
def found(tmp_path: Path) -> Survey:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_bytes(b"abc")
    return survey([tmp_path / "tree"])


def test_what_was_kept_is_found_again_in_another_life(tmp_path: Path, found: Survey) -> None:
    Shelf(tmp_path / "offers").keep(ONE, found)
    kept = Shelf(tmp_path / "offers").load(ONE)
    assert kept is not None
    assert (kept.manifest, list(kept.files)) == (found.manifest, found.files)
    assert list(kept.files[-1:]) == found.files[-1:]
    assert kept.sizes == [file.size for file in found.files]
    [path] = (tmp_path / "offers").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "offers").stat().st_mode & 0o777 == 0o700


def test_any_damage_and_any_cut_is_told(tmp_path: Path, found: Survey) -> None:
    shelf = Shelf(tmp_path / "offers")
    shelf.keep(ONE, found)
    [path] = (tmp_path / "offers").iterdir()
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert shelf.load(ONE) is None
        path.write_bytes(content[:length] + bytes([content[length] ^ 1]) + content[length + 1 :])
        assert shelf.load(ONE) is None
    path.write_bytes(content)
    assert shelf.load(ONE) is not None


def test_what_is_over_goes_and_what_stands_stays(tmp_path: Path, found: Survey) -> None:
    shelf = Shelf(tmp_path / "offers")
    shelf.sweep([])
    shelf.keep(ONE, found)
    shelf.keep(TWO, found)
    (tmp_path / "offers" / f"{ONE.hex()}.new").write_bytes(b"half")
    (tmp_path / "offers" / "folder").mkdir()
    shelf.sweep([ONE])
    assert shelf.load(ONE) is not None
    assert shelf.load(TWO) is None
    assert sorted(path.name for path in (tmp_path / "offers").iterdir()) == [
        f"{ONE.hex()}.offer",
        "folder",
    ]
    shelf.drop(ONE)
    shelf.drop(ONE)
    assert shelf.load(ONE) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path, found: Survey) -> None:
    (tmp_path / "offers").write_bytes(b"a file")
    with pytest.raises(PeerError) as raised:
        Shelf(tmp_path / "offers").keep(ONE, found)
    assert raised.value.code is Code.HOME_UNUSABLE
    assert isinstance(raised.value.__cause__, OSError)
    assert raised.value.__cause__.errno in {errno.EEXIST, errno.ENOTDIR}
