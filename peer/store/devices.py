"""Every device whose certificate was verified, and the newest device list of each friend."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from functools import lru_cache

from peer.store import appearing, own
from wire import limits
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import (
    Certificate,
    DeviceList,
    check_listed,
    peek_certificate,
    read_addresses,
    read_certificate,
    read_device_list,
)
from wire.ids import DeviceId, IdentityKey, SigningKey


def note_device(
    connection: sqlite3.Connection, identity: IdentityKey, certificate: bytes, device_list: bytes
) -> Certificate:
    """Keep a device of an identity whose pin is known, and its list if it is newer.

    Raises RemoteProtocolError where the bytes do not verify, LIST_ROLLBACK for a list older than known,
    DEVICE_REVOKED for a device the newest list took off, IDENTITY_MISMATCH for a device id that belongs
    to somebody else: a device belongs to one identity for ever, else links to it could be mistaken.
    """
    verified = read_certificate(certificate, identity)
    _check_free(connection, verified, certificate)
    note_list(connection, identity, device_list)
    newest = list_of(connection, identity) or device_list
    check_listed(verified, certificate, read_device_list(newest, identity))
    _keep(connection, verified, certificate, revoked=0)
    return verified


def introduction(
    connection: sqlite3.Connection, device: DeviceId
) -> tuple[bytes, tuple[bytes, ...], set[DeviceId]] | None:
    """Give what lets others verify a device of anybody: the list, all certificates, and of which devices.

    Devices that were taken off are in it: what they wrote before still verifies. None for an unknown device.
    """
    certificate = certificate_of(connection, device)
    signed = None if certificate is None else list_of(connection, certificate.identity)
    if certificate is None or signed is None:
        return None
    rows = connection.execute(
        "SELECT device, certificate FROM devices WHERE identity = ?1"
        " UNION SELECT device, certificate FROM own WHERE identity = ?1 ORDER BY device LIMIT ?2",
        (certificate.identity, limits.LISTED_DEVICES),
    ).fetchall()
    return signed, tuple(row[1] for row in rows), {DeviceId(row[0]) for row in rows}


def note_introduced(
    connection: sqlite3.Connection, device_list: bytes, certificates: tuple[bytes, ...]
) -> None:
    """Take what somebody said of an account that is known here, friend or own; the rest is dropped.

    Its list counts if it is newer than known; certificates count if the newest list names them, and one of a
    device that was taken off is kept for what it wrote before.
    """
    try:
        identity = read_device_list(device_list, None).identity
        known = list_of(connection, identity)
        if known is None:
            return
        with suppress(RemoteProtocolError):
            note_list(connection, identity, device_list)
        newest = read_device_list(list_of(connection, identity) or known, identity)
    except RemoteProtocolError:
        return
    for certificate in certificates:
        with suppress(RemoteProtocolError):
            verified = read_certificate(certificate, identity)
            _check_free(connection, verified, certificate)
            entry = newest.find(verified.device)
            if entry is not None and entry.certificate_hash == sha256(certificate):
                _keep(connection, verified, certificate, revoked=entry.revoked_at)


def list_of(connection: sqlite3.Connection, identity: IdentityKey) -> bytes | None:
    """Give the newest device list known here of a friend or of the own account, or None."""
    row = connection.execute(
        "SELECT device_list FROM own WHERE identity = ?1 UNION ALL"
        " SELECT device_list FROM contacts WHERE identity = ?1 AND device_list IS NOT NULL AND number > 0",
        (identity,),
    ).fetchone()
    return None if row is None else bytes(row[0])


def known_counter(connection: sqlite3.Connection, identity: IdentityKey) -> int:
    """Give the highest list counter known here of a friend or of the own account; 0 for strangers."""
    row = connection.execute(
        "SELECT list_counter FROM own WHERE identity = ?1 UNION ALL"
        " SELECT list_counter FROM contacts WHERE identity = ?1 AND number > 0",
        (identity,),
    ).fetchone()
    return 0 if row is None else int(row[0])


def _check_free(connection: sqlite3.Connection, verified: Certificate, certificate: bytes) -> None:
    """Refuse a device id or link key that stands for another certificate already."""
    taken = connection.execute(
        "SELECT certificate FROM devices WHERE device = ? OR link_key = ?"
        " UNION ALL SELECT certificate FROM own WHERE device = ?",
        (verified.device, verified.link_key, verified.device),
    ).fetchall()
    if any(row[0] != certificate for row in taken):
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a device id or key is taken already")


def _keep(
    connection: sqlite3.Connection, verified: Certificate, certificate: bytes, *, revoked: int
) -> None:
    connection.execute(
        "INSERT INTO devices (device, identity, certificate, link_key, signing_key, name, made,"
        " is_listed, revoked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (device) DO UPDATE SET is_listed = excluded.is_listed,"
        " revoked = excluded.revoked",
        (
            verified.device,
            verified.identity,
            certificate,
            verified.link_key,
            verified.signing_key,
            verified.name,
            verified.created,
            revoked == 0,
            revoked,
        ),
    )


def note_list(
    connection: sqlite3.Connection, identity: IdentityKey, device_list: bytes
) -> DeviceList:
    """Take a friend's or our own list; raises RemoteProtocolError as `check_list`, or for one that does not verify."""
    came = read_device_list(device_list, identity)
    check_list(connection, identity, device_list)
    known, kept = known_counter(connection, identity), list_of(connection, identity)
    if came.counter > known or kept is None:
        appearing.note(connection, identity, kept, known, came)
        connection.execute(
            "UPDATE contacts SET device_list = ?, list_counter = ? WHERE identity = ? AND number > 0",
            (device_list, came.counter, identity),
        )
        own.state_key_named(connection, came)
        connection.execute(
            "UPDATE own SET device_list = ?, list_counter = ? WHERE identity = ?",
            (device_list, came.counter, identity),
        )
        for entry in came.devices:
            connection.execute(
                "UPDATE devices SET is_listed = ?, revoked = ? WHERE device = ? AND identity = ?",
                (not entry.is_revoked, entry.revoked_at, entry.device, identity),
            )
    return came


def check_list(connection: sqlite3.Connection, identity: IdentityKey, device_list: bytes) -> None:
    """Compare a list of a friend or of ours, which was verified, with what is known.

    Raises RemoteProtocolError(LIST_ROLLBACK) for one that is older, and for another one of the same counter:
    whoever was shown an old list made it, and it may have a device that the true one took off.
    """
    kept = list_of(connection, identity)
    if kept == device_list:
        return
    known = known_counter(connection, identity)
    counter = read_device_list(device_list, identity).counter
    if counter < known:
        raise RemoteProtocolError(Code.LIST_ROLLBACK, f"list {counter}, {known} is known")
    if kept is not None and read_device_list(kept, identity).counter == counter:
        raise RemoteProtocolError(Code.LIST_ROLLBACK, f"another list {counter} is known")


def note_addresses(connection: sqlite3.Connection, device: DeviceId, signed: bytes) -> bool:
    """Take a device's address record if it verifies and is newer; False if it is not newer."""
    row = connection.execute(
        "SELECT signing_key, address_counter FROM devices WHERE device = ?", (device,)
    ).fetchone()
    if row is None:
        return False
    record = read_addresses(signed, device, SigningKey(row[0]))
    if record.counter <= row[1]:
        return False
    connection.execute(
        "UPDATE devices SET addresses = ?, address_counter = ? WHERE device = ?",
        (signed, record.counter, device),
    )
    return True


def certificate_of(connection: sqlite3.Connection, device: DeviceId) -> Certificate | None:
    """Give the certificate of a device (this one too) as it was verified when stored, or None.

    Friends send our own events back: after a restored backup that is how they return.
    """
    row = connection.execute(
        "SELECT certificate FROM devices WHERE device = ?1"
        " UNION ALL SELECT certificate FROM own WHERE device = ?1",
        (device,),
    ).fetchone()
    return None if row is None else _parsed(row[0])


_parsed = lru_cache(maxsize=256)(peek_certificate)  # asked for each event and receipt that comes


def signing_key_of(connection: sqlite3.Connection, device: DeviceId) -> SigningKey | None:
    """Give the key that verifies what a device signed, or None for an unknown one."""
    row = connection.execute(
        "SELECT signing_key FROM devices WHERE device = ?", (device,)
    ).fetchone()
    return None if row is None else SigningKey(row[0])
