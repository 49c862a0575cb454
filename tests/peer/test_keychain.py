"""Keys that a keyring keeps: with a real one that needs no desktop, without one, and with one that lost its memory."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peer import identity, keychain
from peer.errors import PeerError
from peer.identity import (
    forget_kept,
    needs_password,
    read_key_file,
    rewrite_key_file,
    seal_of,
    write_key_file,
)
from peer.locations import Locations
from tests.peer.test_home import ENTROPY, NO_PASSWORD, profile
from wire.codes import Code

keyring: Any = pytest.importorskip("keyring")
in_files: Any = pytest.importorskip("keyrings.alt.file")

PASSWORD = "seven purple owls"
CHOSEN = "PYTHON_KEYRING_BACKEND"


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    made = Locations(tmp_path / "home")
    made.prepare()
    return made


@pytest.fixture(autouse=True)
def chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A keyring in a file, as a person would choose it by its environment."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv(CHOSEN, "keyrings.alt.file.PlaintextKeyring")
    before = keyring.get_keyring()
    keyring.set_keyring(in_files.PlaintextKeyring())
    yield keyring.get_keyring()
    keyring.set_keyring(before)


def test_a_keyring_keeps_the_key_and_nobody_is_asked_for_a_password(locations: Locations) -> None:
    mine = profile()
    write_key_file(locations, mine, PASSWORD, ENTROPY)
    assert seal_of(locations) == "keyring"
    assert not needs_password(locations)
    assert mine.keys.signing_seed not in locations.key_file.read_bytes()
    assert read_key_file(locations, NO_PASSWORD) == mine


def test_what_runs_writes_the_keys_anew_as_they_were_sealed(locations: Locations) -> None:
    mine = profile()
    write_key_file(locations, mine, PASSWORD, ENTROPY)
    rewrite_key_file(locations, read_key_file(locations, NO_PASSWORD), ENTROPY)
    assert seal_of(locations) == "keyring"
    assert read_key_file(locations, NO_PASSWORD) == mine
    forget_kept(locations)
    assert read_key_file(locations, lambda: PASSWORD) == mine


def test_where_no_keyring_answers_the_password_opens_what_one_sealed(
    locations: Locations, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = profile()
    write_key_file(locations, mine, PASSWORD, ENTROPY)
    monkeypatch.delenv(CHOSEN)
    for bus in ("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(bus, raising=False)
    if sys.platform.startswith("linux"):
        assert needs_password(locations)
    assert read_key_file(locations, lambda: PASSWORD) == mine
    with pytest.raises(PeerError) as refused:
        read_key_file(locations, NO_PASSWORD)
    assert refused.value.code is Code.LOCKED
    assert "keyring" in refused.value.message
    assert "password" in refused.value.remedy
    with pytest.raises(PeerError) as refused:
        read_key_file(locations, lambda: "seven purple cats")
    assert refused.value.code is Code.WRONG_PASSWORD


def test_a_keyring_that_forgot_or_keeps_something_else_is_as_good_as_none(
    locations: Locations, chosen: Any
) -> None:
    mine = profile()
    write_key_file(locations, mine, PASSWORD, ENTROPY)
    salt = _salt(locations)
    for other in ("no key", "ab" * 32):
        chosen.set_password(keychain.SERVICE, f"alice {salt}", other)
        assert read_key_file(locations, lambda: PASSWORD) == mine
    forget_kept(locations)
    assert chosen.get_password(keychain.SERVICE, f"alice {salt}") is None
    assert needs_password(locations)
    forget_kept(locations)  # once more is no harm
    assert read_key_file(locations, lambda: PASSWORD) == mine


def test_a_keyring_that_keeps_secrets_in_clear_is_not_taken_unasked(
    locations: Locations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CHOSEN)
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    write_key_file(locations, profile(), PASSWORD, ENTROPY)
    assert seal_of(locations) == "password"
    with pytest.raises(keychain.NoAnswer, match="secret"):
        keychain.fetch("anything")


def test_a_keyring_that_fails_is_said_in_words_and_the_password_seals(
    locations: Locations, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring.set_keyring(keyring.backends.fail.Keyring())
    write_key_file(locations, profile(), PASSWORD, ENTROPY)
    assert seal_of(locations) == "password"
    with pytest.raises(keychain.NoAnswer, match="NoKeyringError"):
        keychain.fetch("anything")


def test_without_sealing_no_keyring_is_asked(locations: Locations, chosen: Any) -> None:
    write_key_file(locations, profile(), None, ENTROPY)
    assert seal_of(locations) == "none"
    assert not needs_password(locations)


def test_a_key_file_that_a_keyring_sealed_and_is_damaged_is_named(locations: Locations) -> None:
    write_key_file(locations, profile(), PASSWORD, ENTROPY)
    raw = locations.key_file.read_bytes()
    for place in (5, len(raw) // 2, len(raw) - 40):
        locations.key_file.write_bytes(raw[:place] + bytes((raw[place] ^ 1,)) + raw[place + 1 :])
        with pytest.raises(PeerError) as refused:
            read_key_file(locations, lambda: PASSWORD)
        assert refused.value.code is Code.KEY_FILE_INVALID


def _salt(locations: Locations) -> str:
    return identity._read_outer(locations)[0].salt.hex()
