"""Who people are: their pins, and who may link with us.

Plain functions over the database. How friendships begin and end is `befriending`'s. A friend is whoever
signed for it; the identity in what was signed is the pin, and no tracker's word changes it. This account itself
stands among them, as no friend: with it one talks from machine to machine.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from msgspec import Struct

from peer.errors import PeerError
from peer.store import own
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import AccountName, IdentityKey
from wire.machine import UnixMillis

OWN = 0
"""The row's number of the contact that is this account itself, in state `own`."""

Connection = sqlite3.Connection


class Contact(Struct, frozen=True):
    """One row of `contacts`, as far as decisions need it."""

    number: int
    name: AccountName
    identity: IdentityKey | None
    claimed: bytes | None
    state: str
    request: bytes | None
    request_hash: bytes | None  # of our request that waits for an answer, whichever device made it
    note: str
    since: UnixMillis
    is_pinned: bool  # `identity` was a friend's, or came by a friend code

    @property
    def waits_for_key(self) -> bool:
        """Whether somebody shows another identity for this name, which a person has to judge."""
        return self.identity is not None and self.claimed is not None

    @property
    def may_be_told(self) -> bool:
        """Whether something is said to them now: a friend whose key stands, or this account's other devices."""
        return self.state in ("friends", "own") and self.claimed is None


_COLUMNS = (
    "SELECT number, name, identity, claimed, state, request, request_hash, note, since,"
    " pinned OR is_by_code FROM contacts WHERE "
)


def find(connection: Connection, name: str) -> Contact | None:
    """Give the contact of that name, or None."""
    row = connection.execute(f"{_COLUMNS} name = ?", (name,)).fetchone()
    return None if row is None else _contact(row)


def find_friend(connection: Connection, name: str) -> Contact:
    """Give an accepted friend; raises PeerError with NO_SUCH_FRIEND, BLOCKED or KEY_CHANGED."""
    return _accepted(name, find(connection, name))


def _accepted(name: str, contact: Contact | None) -> Contact:
    if contact is not None and contact.state == "blocked":
        raise PeerError(Code.BLOCKED, f"{name} is blocked")
    if contact is None or contact.state != "friends" or contact.identity is None:
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {name!r}")
    if contact.claimed is not None:
        raise key_changed(contact)
    return contact


def find_partner(connection: Connection, name: str) -> Contact:
    """Give an accepted friend, or this account itself; raises as `find_friend` does."""
    contact = find(connection, name)
    return contact if contact and contact.state == "own" else _accepted(name, contact)


def find_recipient(connection: Connection, name: str) -> Contact:
    """Give whom something can be said to: a friend, this account itself, or a friend whose key has changed.

    What is said to that one waits until a person judged it. Raises PeerError with NO_SUCH_FRIEND or BLOCKED.
    """
    contact = find(connection, name)
    if contact is not None and contact.state == "own":
        return contact
    if contact is not None and contact.state in ("friends", "removed") and contact.waits_for_key:
        return contact
    return _accepted(name, contact)


def key_changed(contact: Contact) -> PeerError:
    """Give the error that names the identity somebody shows for a name, and how to accept it."""
    shown = (contact.claimed or b"").hex()
    return PeerError(
        Code.KEY_CHANGED,
        f"{contact.name} shows another identity key, {shown}; nothing is sent",
        remedy=f"compare fingerprints, then: hobnob friend accept-key {contact.name} FINGERPRINT",
    )


def of_identity(connection: Connection, identity: bytes) -> Contact | None:
    """Give the contact with that pin, or None."""
    row = connection.execute(f"{_COLUMNS} identity = ?", (identity,)).fetchone()
    return None if row is None else _contact(row)


def may_link(connection: Connection, identity: bytes) -> Contact:
    """Give the friend that an identity is; raises RemoteProtocolError(NOT_ADMITTED) for all others.

    Another device of the own account is given as a contact of state `own`, under the account's name.
    """
    contact = of_identity(connection, identity)
    if contact is None:
        me = own.account(connection)
        if (
            me is not None and identity == me.identity
        ):  # the name is taken by somebody met on the LAN
            return Contact(
                OWN, me.name, me.identity, None, "own", None, None, "", UnixMillis(0), True
            )
    if contact is None or not contact.may_be_told:
        raise RemoteProtocolError(Code.NOT_ADMITTED)
    return contact


def _contact(row: tuple[Any, ...]) -> Contact:
    number, name, identity, claimed, state, request, hash_, note, since, is_pinned = row
    return Contact(
        number, name, identity, claimed, state, request, hash_, note, since, bool(is_pinned)
    )
