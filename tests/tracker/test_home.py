from __future__ import annotations

import builtins
import stat
from pathlib import Path

import pytest

from tracker.errors import TrackerError
from tracker.home import Home, default_home, load_link_key
from wire.codes import Code


class Dice:
    """Gives the same bytes each time it is asked."""

    def __init__(self, byte: int = 7) -> None:
        self.byte = byte

    def bytes(self, count: int) -> bytes:
        return bytes([self.byte]) * count

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        raise AssertionError(public_key)

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        raise AssertionError(public_key)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


def test_a_home_is_made_and_closed_to_others(tmp_path: Path) -> None:
    home = Home(tmp_path / "a" / "b")
    home.prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    home.path.chmod(0o755)
    home.prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700


def test_a_file_in_the_place_of_a_home_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    with pytest.raises(TrackerError) as caught:
        Home(path).prepare()
    assert caught.value.code is Code.HOME_UNUSABLE
    assert str(path) in caught.value.message


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrackerError) as caught:
        Home(tmp_path).prepare(may=lambda *_: False)
    assert caught.value.code is Code.HOME_UNUSABLE


def test_the_default_home_is_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_home().name == "hobnob-tracker"


def test_the_link_key_is_made_once_and_kept_twice(home: Home) -> None:
    key = load_link_key(home, Dice(7))
    assert key == b"\x07" * 32
    assert load_link_key(home, Dice(9)) == key
    first, second = home.link_keys
    assert first.read_bytes() == second.read_bytes()
    assert {stat.S_IMODE(path.stat().st_mode) for path in home.link_keys} == {0o600}
    assert sorted(path.name for path in home.path.iterdir()) == ["link-key", "link-key.second"]


@pytest.mark.parametrize(
    "damage", [b"", b"rubbish", b"\xff\xfe", b"hobnob-tracker-link-key 2\nab\ncd\n"]
)
@pytest.mark.parametrize("which", [0, 1])
def test_one_damaged_copy_is_made_again_from_the_other(
    home: Home, which: int, damage: bytes
) -> None:
    key = load_link_key(home, Dice(7))
    whole = home.link_keys[which].read_bytes()
    home.link_keys[which].write_bytes(damage)
    assert load_link_key(home, Dice(9)) == key
    assert home.link_keys[which].read_bytes() == whole


def test_a_flipped_digit_is_damage(home: Home) -> None:
    load_link_key(home, Dice(7))
    for path in home.link_keys:
        path.write_bytes(path.read_bytes().replace(b"0707", b"0708", 1))
    with pytest.raises(TrackerError) as caught:
        load_link_key(home, Dice(9))
    assert caught.value.code is Code.KEY_FILE_INVALID


def test_a_lost_key_is_never_replaced_silently(home: Home) -> None:
    home.database.write_bytes(b"accounts")
    with pytest.raises(TrackerError) as caught:
        load_link_key(home, Dice())
    assert caught.value.code is Code.KEY_FILE_INVALID
    assert "backup" in caught.value.remedy
    assert not home.link_keys[0].exists()


def test_a_key_that_others_can_read_is_refused(home: Home) -> None:
    load_link_key(home, Dice())
    home.link_keys[1].chmod(0o640)
    with pytest.raises(TrackerError) as caught:
        load_link_key(home, Dice())
    assert caught.value.code is Code.KEY_FILE_MODE
    assert "0640" in caught.value.message


def test_a_folder_in_the_place_of_the_key_is_named(home: Home) -> None:
    home.link_keys[0].mkdir()
    with pytest.raises(TrackerError) as caught:
        load_link_key(home, Dice())
    assert caught.value.code is Code.KEY_FILE_INVALID


def test_a_key_that_cannot_be_written_is_named(home: Home) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TrackerError) as caught:
        load_link_key(home, Dice(), sync=full)
    assert caught.value.code is Code.HOME_UNUSABLE
    assert "No space" in caught.value.message
