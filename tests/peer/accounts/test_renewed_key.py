"""A device list that names another state key makes all of the account state due again, whoever takes that list."""

from __future__ import annotations

from collections.abc import Callable
from sqlite3 import Connection

import pytest

from peer.accounts import account_state
from peer.store import own, settings
from peer.store.devices import note_list
from peer.store.memory import MemoryDatabase
from tests.harness.entropy import SeededEntropy
from wire.identity import DeviceKeys, add_device, first_device, read_device_list, revoke_device
from wire.ids import AccountName
from wire.machine import UnixMillis

NOW = UnixMillis(1_700_000_000_000)
NAME = AccountName("alice")
Take = Callable[[Connection, DeviceKeys, bytes], object]


def by_note(connection: Connection, keys: DeviceKeys, signed: bytes) -> None:
    note_list(connection, keys.identity, signed)


def by_login(connection: Connection, keys: DeviceKeys, signed: bytes) -> None:
    again = DeviceKeys(
        keys.device, keys.identity, keys.link_private, keys.signing_seed, keys.certificate, signed
    )
    own.remember(connection, again, NAME, None, b"vault", 2, NOW)


class Desk:
    """A device whose state the tracker holds, and lists that its identity signs."""

    def __init__(self) -> None:
        self.entropy = SeededEntropy("renewed key")
        self.seed = self.entropy.bytes(32)
        self.keys = first_device(self.seed, "desk", now=NOW, entropy=self.entropy)
        self.database = MemoryDatabase(self.entropy, NOW)
        self.database.write(own.remember, self.keys, NAME, None, b"vault", 1, NOW)
        self.database.write(settings.write, "config/receipts", b"off")
        self.put()

    def with_phone(self) -> DeviceKeys:
        listed = read_device_list(self.keys.device_list, self.keys.identity)
        return add_device(self.seed, listed, "phone", now=NOW, entropy=self.entropy)

    def without(self, phone: DeviceKeys, key_hash: bytes) -> bytes:
        listed = read_device_list(phone.device_list, self.keys.identity)
        return revoke_device(self.seed, listed, phone.device, now=NOW, state_key_hash=key_hash)

    def due(self) -> list[str]:
        snapshot = self.database.write(account_state.due, NOW)
        return [] if snapshot is None else [entry.key for entry in snapshot.state.entries]

    def put(self) -> None:
        snapshot = self.database.write(account_state.due, NOW)
        assert snapshot is not None
        self.database.write(account_state.put, snapshot, snapshot.base_version + 1)


@pytest.mark.parametrize("take", [by_note, by_login])
def test_all_is_due_again_once_and_only_for_another_key(take: Take) -> None:
    desk = Desk()
    phone = desk.with_phone()
    desk.database.write(take, desk.keys, phone.device_list)
    assert desk.due() == []
    signed = desk.without(phone, b"k" * 32)
    desk.database.write(take, desk.keys, signed)
    assert desk.due() == ["config/receipts"]
    desk.put()
    desk.database.write(take, desk.keys, signed)
    assert desk.due() == []
