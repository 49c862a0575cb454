"""Which conversations there are, and who is in them: the two people, each with all their devices.

One is with oneself: both its people are this account, and only its own devices are in it.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.effects import Effect, SendOnLink
from peer.errors import PeerError
from peer.people import contacts
from peer.store import own
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import direct_conversation
from wire.ids import ConversationId, DeviceId, IdentityKey
from wire.messages import Message

Connection = sqlite3.Connection
_COLUMNS = (
    "SELECT v.number, v.id, v.contact, v.identity, c.name, (SELECT name FROM own)"
    " FROM conversations v"
    " JOIN contacts c ON c.number = v.contact"
)


class Conversation(Struct, frozen=True):
    """One row of `conversations` with the person in it.

    identity: of that person when the conversation began. me: name of this account.
    """

    number: int
    id: ConversationId
    contact: int
    identity: IdentityKey
    friend: str
    me: str

    @property
    def is_with_oneself(self) -> bool:
        """Whether only this account's own devices are in it."""
        return self.contact == contacts.OWN


def with_friend(connection: Connection, contact: contacts.Contact) -> Conversation:
    """Give the conversation with a friend, or with oneself, made now if there is none."""
    if contact.identity is None:
        raise PeerError(Code.NO_SUCH_FRIEND)
    row = connection.execute(
        f"{_COLUMNS} WHERE v.contact = ? AND v.identity = ?", (contact.number, contact.identity)
    ).fetchone()
    if row is not None:
        return Conversation(*row)
    conversation = direct_conversation(own.this_device(connection)[1], contact.identity)
    connection.execute(
        "INSERT INTO conversations (id, contact, identity, is_to_tell)"
        " SELECT ?, ?, ?, count(*) > 1 FROM epochs WHERE true ON CONFLICT DO NOTHING",
        (conversation, contact.number, contact.identity),
    )
    return of_id(connection, conversation)


def find(connection: Connection, conversation: bytes) -> Conversation | None:
    """Give a conversation by id, or None."""
    row = connection.execute(f"{_COLUMNS} WHERE v.id = ?", (conversation,)).fetchone()
    return None if row is None else Conversation(*row)


def of_id(connection: Connection, conversation: bytes) -> Conversation:
    """Give a conversation by id; raises RemoteProtocolError(UNKNOWN_CONVERSATION)."""
    found = find(connection, conversation)
    if found is None:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    return found


def of_number(connection: Connection, number: int) -> Conversation:
    """Give the conversation in a row."""
    return Conversation(*connection.execute(f"{_COLUMNS} WHERE v.number = ?", (number,)).fetchone())


def make_all(connection: Connection) -> None:
    """Have a conversation with every friend and oneself, so that own devices can bring each other up to date."""
    names = connection.execute(
        "SELECT c.name FROM contacts c WHERE c.state IN ('friends', 'own') AND NOT EXISTS"
        " (SELECT 1 FROM conversations v WHERE v.contact = c.number AND v.identity = c.identity)"
    ).fetchall()
    for (name,) in names:
        contact = contacts.find(connection, name)
        if contact is not None and contact.identity is not None:
            with_friend(connection, contact)


def shared(connection: Connection, identity: IdentityKey) -> list[Conversation]:
    """List what is talked about with whoever is at the other end of a link.

    A friend shares the one conversation with us, another device of the own account all of them. Raises
    RemoteProtocolError(NOT_ADMITTED) for strangers.
    """
    contact = contacts.may_link(connection, identity)
    rows = connection.execute(
        f"{_COLUMNS} WHERE ? OR (v.contact = ? AND v.identity = ?) ORDER BY v.number",
        (contact.number == contacts.OWN, contact.number, identity),
    )
    return [Conversation(*row) for row in rows]


def shares(
    connection: Connection, identity: IdentityKey, conversation: bytes
) -> Conversation | None:
    """Give a conversation if whoever is at the other end is in it, None if not or if nobody knows it.

    Raises RemoteProtocolError(NOT_ADMITTED) for strangers.
    """
    row = connection.execute(  # a friend in our conversation: asked for every message that comes
        f"{_COLUMNS} WHERE v.id = ? AND c.identity = ? AND c.state = 'friends'"
        " AND c.claimed IS NULL",
        (conversation, identity),
    ).fetchone()
    if row is not None:
        return Conversation(*row)
    contact = contacts.may_link(connection, identity)
    found = find(connection, conversation)
    if found is None or contact.number in (contacts.OWN, found.contact):
        return found
    return None


def to_members(
    connection: Connection,
    conversation: Conversation,
    message: Message,
    except_device: DeviceId | None = None,
) -> list[Effect]:
    """Give what sends a message to every linked device of both people, but for this one."""
    this, identity = own.this_device(connection)
    rows = connection.execute(
        "SELECT device FROM devices WHERE is_listed AND identity IN (?, ?) AND device <> ?"
        " ORDER BY device",
        (conversation.identity, identity, this),
    )
    return [SendOnLink(DeviceId(row[0]), message) for row in rows if row[0] != except_device]
