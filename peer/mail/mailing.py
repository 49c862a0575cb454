"""Mail that comes: opened, believed as far as it verifies, stored, and its key erased, all in one transaction.

What is in a letter is taken exactly as if it had come on a link with its sender (`syncing.store`). Nothing here
trusts the tracker: it can keep mail back, or bring junk, and junk is answered by a nack once.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.effects import Effect, NoteDenial, SendOnLink
from peer.log import syncing
from peer.log.membership import make_all, with_friend
from peer.mail import enclosed, postbox, prekeys
from peer.people import contacts, standing
from peer.store import own
from peer.store.devices import certificate_of, list_of, note_list, signing_key_of
from wire import codec
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys
from wire.ids import DeviceId, IdentityKey
from wire.log.receipt import peek_receipt
from wire.machine import Entropy, UnixMillis
from wire.mailbox import Letter, Route, open_letter, read_nack
from wire.messages import Purpose
from wire.messages.conversation import Devices, Events, Receipt
from wire.messages.mailbox import MailItem, Nack
from wire.messages.reach import AddressKey

Connection = sqlite3.Connection


class Taken(Struct, frozen=True):
    """What became of some items. numbers: those the tracker may forget."""

    numbers: tuple[int, ...]
    effects: list[Effect]
    has_used_keys: bool  # their bytes are to leave the disk, too


def take(
    connection: Connection,
    keys: DeviceKeys,
    items: tuple[MailItem, ...],
    now: UnixMillis,
    entropy: Entropy,
) -> Taken:
    """Take items as the tracker gave them, each for itself."""
    effects: list[Effect] = []
    before = prekeys.count(connection)
    for item in items:
        connection.execute("SAVEPOINT item")
        try:
            effects += _take_one(connection, keys, item, now, entropy)
        except RemoteProtocolError as error:  # not by whom it says, or of a device taken off
            connection.execute("ROLLBACK TO item")
            prekeys.use_up(connection, item.prekey)
            effects.append(NoteDenial.of(item.device, "mail", error.code))
        finally:
            connection.execute("RELEASE item")
    has_used_keys = prekeys.count(connection) < before
    return Taken(tuple(item.number for item in items), effects, has_used_keys)


def _take_one(
    connection: Connection, keys: DeviceKeys, item: MailItem, now: UnixMillis, entropy: Entropy
) -> list[Effect]:
    """Take one item; raises RemoteProtocolError for one that must leave no trace but its used key."""
    identity = _sender(connection, item)
    if identity is None:
        return []
    private = prekeys.private_of(connection, item.prekey)
    route = Route(identity, item.device, keys.identity, keys.device, item.prekey)
    try:
        if private is None:
            raise RemoteProtocolError(Code.MAIL_INVALID, "its prekey is gone")
        letter = open_letter(item.sealed, private, route)
    except RemoteProtocolError as error:
        if private is None:
            prekeys.doubt(connection, item.prekey, now)
        enclosed.owe_nack(connection, item.device, item.item)
        return [NoteDenial.of(item.device, "mail", error.code)]
    prekeys.use_up(connection, item.prekey)
    effects = _introduce(connection, identity, item.device, letter, now)
    conversations: set[bytes] = set()
    for raw in letter.records:
        message = codec.decode(Purpose.PEER, raw)
        if isinstance(message, Nack):
            key = signing_key_of(connection, item.device)
            if key is not None:
                nack = read_nack(message.signed, item.device, key)
                effects += postbox.on_nack(connection, item.device, nack.item, now)
        elif isinstance(message, Events | Receipt | Devices | AddressKey):
            follows = syncing.store(connection, keys, item.device, identity, message, now, entropy)
            effects += follows
            if isinstance(message, Events):
                conversations.add(message.conversation)
            elif isinstance(message, Receipt) and any(map(_is_reminder, follows)):
                about = peek_receipt(message.signed).conversation
                enclosed.owe_reminder(connection, item.device, about)
    enclosed.owe_receipts(connection, item.device, conversations)
    return effects


def _is_reminder(effect: Effect) -> bool:
    """Say whether a device is given a receipt on a link: its own, which it forgot."""
    return isinstance(effect, SendOnLink) and isinstance(effect.message, Receipt)


def _sender(connection: Connection, item: MailItem) -> IdentityKey | None:
    """Give whose an item claims to be, by the pin; None for people we do not talk with (any more).

    What is talked about with them exists from here on, as on a link that opens.
    """
    me = own.need_account(connection)
    if item.name == me.name:
        make_all(connection)
        return me.identity
    contact = contacts.find(connection, item.name)
    if contact is None or contact.state != "friends" or contact.claimed is not None:
        return None
    with_friend(connection, contact)
    return contact.identity


def _introduce(
    connection: Connection,
    identity: IdentityKey,
    device: DeviceId,
    letter: Letter,
    now: UnixMillis,
) -> list[Effect]:
    """Learn the sending device; a letter may be older than the newest list, and says so of itself.

    Raises RemoteProtocolError for a device that the pinned identity does not vouch for, or took off.
    """
    if list_of(connection, identity) is None:
        note_list(connection, identity, letter.device_list)
    effects = standing.introduced(connection, letter.device_list, (letter.certificate,), now)
    known = certificate_of(connection, device)
    if known is None or known.identity != identity:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a letter of an unknown device")
    row = connection.execute("SELECT revoked FROM devices WHERE device = ?", (device,)).fetchone()
    if row is not None and row[0]:
        raise RemoteProtocolError(Code.DEVICE_REVOKED, "a letter of a device taken off")
    return effects
