"""The account of this home as far as it is public: readable without unsealing the key file."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.errors import PeerError
from wire.codes import Code
from wire.identity import DeviceKeys, DeviceList, read_certificate, read_device_list
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import UnixMillis

OF_THIS_DEVICE = "prekeys", "parcels", "mailed", "owed_receipts", "owed_nacks", "enclosed"
"""Tables of what passed by mail: they mean nothing to another device of the account."""


class OwnAccount(Struct, frozen=True):
    """Who this home is. tracker: the address with its key, or None for a local account."""

    name: AccountName
    tracker: str | None
    identity: IdentityKey
    device: DeviceId
    certificate: bytes
    device_list: bytes
    list_counter: int
    is_logged_in: bool
    is_deleted: bool  # at its tracker; the history stays here


def remember(
    connection: sqlite3.Connection,
    keys: DeviceKeys,
    name: AccountName,
    tracker: str | None,
    vault: bytes,
    vault_counter: int,
    now: UnixMillis,
) -> None:
    """Note the account this home has from now on; the same call takes a local one to a tracker.

    Where the home was another device of the same account, that one is a device like any other from now on.
    """
    listed = read_device_list(keys.device_list, keys.identity)
    _let_go_of_former(connection, keys, listed)
    state_key_named(connection, listed)
    counter = listed.counter
    connection.execute(
        "INSERT INTO own (one, name, tracker, identity, device, certificate, device_list,"
        " list_counter, vault, vault_counter, made) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (one) DO UPDATE SET name = excluded.name, tracker = excluded.tracker,"
        " identity = excluded.identity, device = excluded.device,"
        " certificate = excluded.certificate, device_list = excluded.device_list,"
        " list_counter = excluded.list_counter, vault = excluded.vault,"
        " vault_counter = excluded.vault_counter, is_logged_in = 1, deleted = 0,"
        " mail_left = iif(deleted > 0 OR device <> excluded.device, 0, mail_left),"
        " state_version = iif(deleted > 0, 0, state_version),"
        " state_counter = iif(deleted > 0, 0, state_counter)",
        (
            name,
            tracker,
            keys.identity,
            keys.device,
            keys.certificate,
            keys.device_list,
            counter,
            vault,
            vault_counter,
            now,
        ),
    )
    _stand_among_contacts(connection, name, keys.identity, now)


def _stand_among_contacts(
    connection: sqlite3.Connection, name: AccountName, identity: IdentityKey, now: UnixMillis
) -> None:
    """Have this account among the contacts; where somebody met on the LAN has its name already, that one keeps it."""
    connection.execute(
        "INSERT INTO contacts (number, name, identity, state, since, pinned)"
        " VALUES (0, ?, ?, 'own', ?, 1) ON CONFLICT DO NOTHING",
        (name, identity, now),
    )
    connection.execute("UPDATE contacts SET identity = ? WHERE number = 0", (identity,))
    connection.execute("UPDATE OR IGNORE contacts SET name = ? WHERE number = 0", (name,))


def _let_go_of_former(connection: sqlite3.Connection, keys: DeviceKeys, listed: DeviceList) -> None:
    """Keep the certificate of the device this home was, for what it wrote; what only it could open goes."""
    before = account(connection)
    if before is None or before.device == keys.device or before.identity != keys.identity:
        return
    certificate = read_certificate(before.certificate, before.identity)
    entry = listed.find(before.device)
    revoked = 0 if entry is None else entry.revoked_at
    connection.execute(
        "INSERT INTO devices (device, identity, certificate, link_key, signing_key, name, made,"
        " is_listed, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            certificate.device,
            certificate.identity,
            before.certificate,
            certificate.link_key,
            certificate.signing_key,
            certificate.name,
            certificate.created,
            entry is not None and not entry.is_revoked,
            revoked,
        ),
    )
    connection.execute("DELETE FROM devices WHERE device = ?", (keys.device,))
    for table in OF_THIS_DEVICE:
        connection.execute(f"DELETE FROM {table}")


def account(connection: sqlite3.Connection) -> OwnAccount | None:
    """Give the account of this home, or None before `register` and `login`."""
    row = connection.execute(
        "SELECT name, tracker, identity, device, certificate, device_list, list_counter,"
        " is_logged_in, deleted > 0 FROM own"
    ).fetchone()
    if row is None:
        return None
    name, tracker, identity, device, certificate, device_list, counter, *flags = row
    is_logged_in, is_deleted = map(bool, flags)
    return OwnAccount(
        name,
        tracker,
        identity,
        device,
        certificate,
        device_list,
        counter,
        is_logged_in=is_logged_in,
        is_deleted=is_deleted,
    )


def need_account(connection: sqlite3.Connection) -> OwnAccount:
    """Give the account; raises PeerError(NOT_REGISTERED) where there is none."""
    found = account(connection)
    if found is None:
        raise PeerError(Code.NOT_REGISTERED)
    return found


def this_device(connection: sqlite3.Connection) -> tuple[DeviceId, IdentityKey]:
    """Give (device, identity) of this home; raises PeerError(NOT_REGISTERED) where there is none."""
    row = connection.execute("SELECT device, identity FROM own").fetchone()
    if row is None:
        raise PeerError(Code.NOT_REGISTERED)
    return DeviceId(row[0]), IdentityKey(row[1])


def name(connection: sqlite3.Connection) -> AccountName:
    """Give the account's name; raises PeerError(NOT_REGISTERED) where there is none."""
    row = connection.execute("SELECT name FROM own").fetchone()
    if row is None:
        raise PeerError(Code.NOT_REGISTERED)
    return AccountName(row[0])


def list_counter(connection: sqlite3.Connection) -> int:
    """Give the counter of this account's device list; raises PeerError(NOT_REGISTERED) where there is none."""
    row = connection.execute("SELECT list_counter FROM own").fetchone()
    if row is None:
        raise PeerError(Code.NOT_REGISTERED)
    return int(row[0])


def own_list(connection: sqlite3.Connection) -> DeviceList:
    """Give the newest device list of this account, verified."""
    own = need_account(connection)
    return read_device_list(own.device_list, own.identity)


def state_key_named(connection: sqlite3.Connection, came: DeviceList) -> None:
    """Take note, before a list of this account is kept, of another state key that it names.

    The tracker may hold the account state under the former key, which new devices never get: all of it is to be
    put again, by whichever device comes to it. That is noted together with the list, so that no crash forgets it.
    """
    before = account(connection)
    if before is None or before.identity != came.identity:
        return
    if read_device_list(before.device_list, before.identity).state_key_hash != came.state_key_hash:
        connection.execute("UPDATE settings SET is_put = 0")


def set_logged_in(connection: sqlite3.Connection, is_logged_in: bool) -> None:
    """Note whether this device may log in at its tracker."""
    connection.execute("UPDATE own SET is_logged_in = ?", (is_logged_in,))


def set_deleted(connection: sqlite3.Connection, at: UnixMillis) -> None:
    """Note that the account was deleted at its tracker: this home keeps what it has, and dials nobody."""
    connection.execute("UPDATE own SET deleted = ?, is_logged_in = 0", (at,))
    connection.execute("UPDATE settings SET is_put = 0")  # if it comes back, nothing is held there


def vault_counter(connection: sqlite3.Connection) -> int:
    """Give the highest counter of any vault of this account that was seen or named here."""
    return int(connection.execute("SELECT vault_counter FROM own").fetchone()[0])


def set_vault(connection: sqlite3.Connection, vault: bytes, counter: int) -> None:
    """Keep the sealed vault; one that is older than known is not kept."""
    connection.execute(
        "UPDATE own SET vault = ?, vault_counter = ? WHERE vault_counter <= ?",
        (vault, counter, counter),
    )


def raise_vault_counter(connection: sqlite3.Connection, counter: int) -> None:
    """Note that a newer vault exists than any that was seen here."""
    connection.execute(
        "UPDATE own SET vault_counter = ? WHERE vault_counter < ?", (counter, counter)
    )


def state_version(connection: sqlite3.Connection) -> int:
    """Give the version of the account state at the tracker that was merged here last; 0: none yet."""
    return int(connection.execute("SELECT state_version FROM own").fetchone()[0])


def state_counter(connection: sqlite3.Connection) -> int:
    """Give the highest counter of any account state that was merged or put here; 0: none ever."""
    return int(connection.execute("SELECT state_counter FROM own").fetchone()[0])


def next_counter(connection: sqlite3.Connection, now: UnixMillis) -> int:
    """Give a number above all given before, for an address record."""
    row = connection.execute("SELECT counter FROM own").fetchone()
    value = max(row[0] + 1, now)
    connection.execute("UPDATE own SET counter = ?", (value,))
    return int(value)
