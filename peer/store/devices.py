"""Every device whose certificate was verified, and the newest device list of each friend."""

from __future__ import annotations

import sqlite3

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
    taken = connection.execute(
        "SELECT certificate FROM devices WHERE device = ? OR link_key = ?"
        " UNION ALL SELECT certificate FROM own WHERE device = ?",
        (verified.device, verified.link_key, verified.device),
    ).fetchall()
    if any(row[0] != certificate for row in taken):
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a device id or key is taken already")
    note_list(connection, identity, device_list)
    row = connection.execute(
        "SELECT device_list FROM contacts WHERE identity = ?", (identity,)
    ).fetchone()
    newest = device_list if row is None or row[0] is None else row[0]
    check_listed(verified, certificate, read_device_list(newest, identity))
    connection.execute(
        "INSERT INTO devices (device, identity, certificate, link_key, signing_key, name, made,"
        " is_listed) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
        " ON CONFLICT (device) DO UPDATE SET is_listed = 1",
        (
            verified.device,
            identity,
            certificate,
            verified.link_key,
            verified.signing_key,
            verified.name,
            verified.created,
        ),
    )
    return verified


def note_list(
    connection: sqlite3.Connection, identity: IdentityKey, device_list: bytes
) -> DeviceList:
    """Take a friend's list; raises RemoteProtocolError(LIST_ROLLBACK) for one older than known."""
    came = read_device_list(device_list, identity)
    row = connection.execute(
        "SELECT list_counter FROM contacts WHERE identity = ?", (identity,)
    ).fetchone()
    known = 0 if row is None else row[0]
    if came.counter < known:
        raise RemoteProtocolError(Code.LIST_ROLLBACK, f"list {came.counter}, {known} is known")
    if came.counter > known:
        connection.execute(
            "UPDATE contacts SET device_list = ?, list_counter = ? WHERE identity = ?",
            (device_list, came.counter, identity),
        )
        for entry in came.devices:
            connection.execute(
                "UPDATE devices SET is_listed = ?, revoked = ? WHERE device = ? AND identity = ?",
                (not entry.is_revoked, entry.revoked_at, entry.device, identity),
            )
    return came


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
    return None if row is None else peek_certificate(row[0])


def signing_key_of(connection: sqlite3.Connection, device: DeviceId) -> SigningKey | None:
    """Give the key that verifies what a device signed, or None for an unknown one."""
    row = connection.execute(
        "SELECT signing_key FROM devices WHERE device = ?", (device,)
    ).fetchone()
    return None if row is None else SigningKey(row[0])
