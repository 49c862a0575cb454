"""What others have to do with us: they ask, they answer, they end a friendship; each word is verified.

Plain functions over the database, like `befriending`, which has what a person does here. A tracker carries
these words and can lose them; it cannot make one.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import Ask, Effect, Tell
from peer.people import befriending, keychange
from peer.people.contacts import Contact, find
from peer.store import own
from peer.times import rfc3339
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import (
    DeviceKeys,
    FriendRequest,
    fingerprint,
    read_friend_answer,
    read_friend_request,
    request_hash,
)
from wire.ids import IdentityKey
from wire.machine import UnixMillis
from wire.messages import friends

Connection = sqlite3.Connection
_FOR_GOOD = 2**63 - 1


def on_asked(
    connection: Connection, keys: DeviceKeys, asked: friends.FriendAsked, now: UnixMillis
) -> list[Effect]:
    """Take a request that the tracker delivered; forged, repeated and foreign ones vanish.

    How old it is says the tracker, which forgets it after 30 days: the asker's clock may be off by years.
    """
    request = read_friend_request(asked.signed)
    me = own.need_account(connection)
    is_for_us = request.target_name == me.name and request.target in (b"", me.identity)
    if request.asker_name != asked.name or not is_for_us:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "a friend request names others")
    if request.asker == me.identity:
        return []
    contact = find(connection, asked.name)
    if contact is not None and contact.state in ("blocked", "own"):
        return []
    if contact is not None and contact.request == asked.signed and contact.state != "asked_out":
        return []
    if contact is not None and keychange.is_another(contact, request.asker):
        return _on_asked_anew(connection, contact, request, asked.signed, now)
    is_wanted = contact is not None and contact.state in ("asked_out", "friends")
    if not is_wanted and _is_repeated(connection, request):
        return []
    connection.execute(
        "INSERT INTO contacts (name, identity, state, note, request, asked, since)"
        " VALUES (?, ?, 'asked_in', ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, state = 'asked_in',"
        " note = excluded.note, request = excluded.request, asked = excluded.asked,"
        " since = excluded.since, claimed = NULL, answer = NULL",
        (asked.name, request.asker, request.note, asked.signed, request.created, now),
    )
    if is_wanted:
        # Both want it: the second request is the answer to the first, or says a lost one again.
        return befriending.answer(connection, keys, asked.name, accept=True, now=now)[1]
    shown = api.FriendRequest(
        asked.name, "in", fingerprint(request.asker), request.note, rfc3339(request.created)
    )
    return [Tell(api.Event("friend-request", api.as_json(shown)))]


def on_answered(
    connection: Connection, answered: friends.FriendAnswered, now: UnixMillis
) -> list[Effect]:
    """Take the answer to a request of ours: a yes pins whoever signed it."""
    reply = read_friend_answer(answered.signed)
    contact = find(connection, answered.name)
    if contact is None:
        return []  # another device of ours has asked; the answer waits until one knows of that
    effects: list[Effect] = [Ask(friends.TakeAnswer(befriending.UNNUMBERED, answered.name))]
    if contact.state != "asked_out":
        return effects
    expected = contact.request_hash
    if expected is None and contact.request is not None:  # of an earlier version of this program
        expected = request_hash(contact.request)
    me = own.need_account(connection)
    if reply.request_hash != expected or reply.asker != me.identity:
        return effects
    if contact.identity not in (None, reply.answerer):
        effects += keychange.changed(connection, contact, reply.answerer, now)
        connection.execute(
            "UPDATE contacts SET answer = ? WHERE number = ?", (answered.signed, contact.number)
        )
        return effects
    return [*effects, *befriending.take_answer(connection, contact.name, reply, now)]


def on_found(
    connection: Connection, name: str, identity: IdentityKey, now: UnixMillis
) -> list[Effect]:
    """Take the tracker's word for which identity has a name: another than the pin is an alarm, or ends one."""
    contact = find(connection, name)
    if contact is None or contact.state in ("blocked", "own"):
        return []
    if keychange.is_another(contact, identity):
        return keychange.changed(connection, contact, identity, now)
    return keychange.back(connection, contact, now) if contact.identity == identity else []


def on_removed(connection: Connection, name: str, now: UnixMillis) -> list[Effect]:
    """Take note that the other side ended a friendship or withdrew a request."""
    contact = find(connection, name)
    if contact is None or contact.state not in ("friends", "asked_in"):
        return []
    effects = befriending.part(connection, contact, "removed", now)
    return [*effects, befriending.friend_event(contact.name, "removed")]


def _on_asked_anew(
    connection: Connection,
    contact: Contact,
    request: FriendRequest,
    signed: bytes,
    now: UnixMillis,
) -> list[Effect]:
    """Keep the request of somebody who has a friend's name and another key; only `accept_key` says yes to it."""
    if _is_repeated(connection, request):
        return []
    effects = keychange.changed(connection, contact, request.asker, now)
    connection.execute(
        "UPDATE contacts SET state = iif(state = 'friends', state, 'removed'), note = ?,"
        " request = ?, asked = ? WHERE number = ?",
        (request.note, signed, request.created, contact.number),
    )
    shown = api.FriendRequest(
        contact.name,
        "in",
        fingerprint(request.asker),
        request.note,
        rfc3339(request.created),
        key_changed=True,
    )
    return [*effects, Tell(api.Event("friend-request", api.as_json(shown)))]


def _is_repeated(connection: Connection, request: FriendRequest) -> bool:
    """Remember a request's nonce for good, as its time proves nothing; True if it was seen before."""
    cursor = connection.execute(
        "INSERT INTO nonces (nonce, until) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (request.nonce, _FOR_GOOD),
    )
    return cursor.rowcount == 0
