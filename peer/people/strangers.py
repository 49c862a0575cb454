"""What people say on a link who are no friends yet: a request, or the answer to ours.

Plain functions over the database. As nobody but the link tells who speaks, what is said has to be signed by that very identity.
"""

from __future__ import annotations

import sqlite3

from peer import asks
from peer.effects import Ask, Effect
from peer.people import contacts, keychange, overtures
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys, read_friend_answer, read_friend_request
from wire.ids import IdentityKey
from wire.machine import UnixMillis
from wire.messages import friends

Connection = sqlite3.Connection


def asked(
    connection: Connection,
    keys: DeviceKeys,
    identity: IdentityKey,
    signed: bytes,
    now: UnixMillis,
) -> list[Effect]:
    """Take the request of somebody on a link; identity: as the link proved it.

    Raises RemoteProtocolError with SIGNATURE_INVALID for a request that is another's or names others, and with
    NAME_TAKEN where somebody else has that name here: no tracker says whose it is.
    """
    request = read_friend_request(signed)
    if request.asker != identity:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "the request of somebody else")
    known = contacts.find(connection, request.asker_name)
    if known is not None and keychange.is_another(known, identity):
        raise RemoteProtocolError(Code.NAME_TAKEN, "somebody else has that name there")
    said = friends.FriendAsked(request.asker_name, signed, now)
    effects = overtures.on_asked(connection, keys, said, now)
    if effects:
        asks.came_near(connection, request.asker_name)
    return effects


def answered(
    connection: Connection, identity: IdentityKey, signed: bytes, now: UnixMillis
) -> list[Effect]:
    """Take the answer of somebody on a link; one to no question of ours changes nothing.

    Raises RemoteProtocolError with SIGNATURE_INVALID for the answer of somebody else.
    """
    reply = read_friend_answer(signed)
    if reply.answerer != identity:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "the answer of somebody else")
    contact = contacts.of_identity(connection, identity)
    if contact is None or contact.state != "asked_out":
        return []
    said = friends.FriendAnswered(contact.name, reply.is_yes, signed, now)
    effects = overtures.on_answered(connection, said, now)
    return [effect for effect in effects if not isinstance(effect, Ask)]
