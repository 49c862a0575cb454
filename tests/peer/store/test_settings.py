"""Values of the account and of this home: who set them last, and which of them are at their default."""

from __future__ import annotations

import pytest

from peer.errors import PeerError
from peer.store import own, settings
from peer.store.memory import MemoryDatabase
from tests.harness.entropy import SeededEntropy
from wire.codes import Code
from wire.identity import first_device
from wire.ids import AccountName
from wire.machine import UnixMillis

NOW = UnixMillis(1_700_000_000_000)


def home(*, is_registered: bool = True) -> MemoryDatabase:
    entropy = SeededEntropy("settings")
    database = MemoryDatabase(entropy, NOW)
    if is_registered:
        keys = first_device(entropy.bytes(32), "desk", now=NOW, entropy=entropy)
        database.write(own.remember, keys, AccountName("alice"), None, b"vault", 1, NOW)
    return database


def rows(database: MemoryDatabase) -> list[tuple[object, ...]]:
    return database.connection.execute("SELECT key, value, clock, is_put FROM settings").fetchall()


def test_what_was_never_set_is_nothing() -> None:
    assert home().read(settings.read, "config/receipts") is None


def test_what_is_set_is_read_again_and_its_clock_goes_up() -> None:
    database = home()
    assert database.write(settings.write, "config/receipts", b"off")
    assert database.write(settings.write, "config/receipts", b"on")
    assert database.read(settings.read, "config/receipts") == b"on"
    assert rows(database) == [("config/receipts", b"on", 2, 0)]


def test_setting_what_stands_already_changes_nothing() -> None:
    database = home()
    database.write(settings.write, "config/receipts", b"off")
    assert not database.write(settings.write, "config/receipts", b"off")
    assert rows(database) == [("config/receipts", b"off", 1, 0)]


def test_the_default_leaves_a_row_that_can_travel_and_reads_as_nothing() -> None:
    database = home()
    database.write(settings.write, "config/receipts", b"off")
    database.write(settings.write, "config/receipts", b"")
    assert database.read(settings.read, "config/receipts") is None
    assert database.read(settings.under, "config/") == {}
    assert rows(database) == [("config/receipts", b"", 2, 0)]


def test_values_are_listed_by_the_rest_of_their_key() -> None:
    database = home()
    for key in ("config/receipts", "config/receipts/bob", "contact/bob", "config"):
        database.write(settings.write, key, b"x")
    assert database.read(settings.under, "config/") == {"receipts": b"x", "receipts/bob": b"x"}


def test_a_home_without_account_keeps_nothing() -> None:
    with pytest.raises(PeerError) as caught:
        home(is_registered=False).write(settings.write, "config/receipts", b"off")
    assert caught.value.code is Code.NOT_REGISTERED
