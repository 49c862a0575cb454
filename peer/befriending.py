"""Becoming friends and ceasing to be: asking, answering, removing, blocking.

Plain functions over the database; what has to be told to the tracker or the links comes back as effects.
The tracker is never an authority: a friendship exists here because a signed request met a signed answer,
and the identity in them is pinned.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.contacts import Contact, find
from peer.effects import Ask, CloseLinks, Effect, FriendsChanged, Tell, WakeTransfers
from peer.errors import PeerError
from peer.store import own
from peer.store.devices import note_device
from peer.times import rfc3339
from peer.transfers.ledger import end_all_with
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import (
    DeviceKeys,
    FriendAnswer,
    FriendRequest,
    fingerprint,
    issue_friend_answer,
    issue_friend_request,
    read_device_list,
    read_friend_answer,
    read_friend_request,
    request_hash,
)
from wire.ids import AccountName, IdentityKey, RequestId
from wire.machine import Entropy, UnixMillis
from wire.messages import friends

UNNUMBERED = RequestId(0)

Connection = sqlite3.Connection


# --- what a person does


def ask(
    connection: Connection,
    keys: DeviceKeys,
    name: AccountName,
    note: str,
    *,
    pinned: IdentityKey | None,
    found: IdentityKey,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.FriendAdded, list[Effect]]:
    """Ask somebody to be friends; accepts instead if that person has asked already.

    pinned: the identity from a friend code, or None. found: the tracker's word for that name. Raises
    PeerError with FRIEND_SELF, ALREADY_FRIENDS, BLOCKED, KEY_MISMATCH, TEXT_LENGTH, TOO_MANY_FRIENDS.
    """
    me = own.need_account(connection)
    if name == me.name or found == me.identity:
        raise PeerError(Code.FRIEND_SELF)
    if len(note) > limits.FRIEND_NOTE_CHARS:
        most = limits.FRIEND_NOTE_CHARS
        raise PeerError(Code.TEXT_LENGTH, f"the note has more than {most} characters")
    if pinned is not None and pinned != found:
        raise PeerError(
            Code.KEY_MISMATCH, f"the tracker says another key for {name} than the friend code"
        )
    contact = find(connection, name)
    if contact is not None and contact.state == "friends":
        raise PeerError(Code.ALREADY_FRIENDS, f"you and {name} are friends already")
    if contact is not None and contact.state == "blocked":
        raise PeerError(Code.BLOCKED, f"{name} is blocked")
    if contact is not None and contact.state == "asked_in":
        if pinned is not None and contact.identity != pinned:
            raise PeerError(Code.KEY_MISMATCH, f"the request of {name} has another key")
        return answer(connection, keys, name, accept=True, now=now)
    count = connection.execute("SELECT count(*) FROM contacts WHERE state = 'friends'").fetchone()
    if count[0] >= limits.FRIENDS:
        raise PeerError(Code.TOO_MANY_FRIENDS)
    signed = issue_friend_request(
        keys,
        FriendRequest(
            asker_name=me.name,
            target_name=name,
            asker=keys.identity,
            target=pinned or b"",
            nonce=entropy.bytes(16),
            note=note,
            created=now,
            certificate=keys.certificate,
            device_list=me.device_list,
        ),
    )
    connection.execute(
        "INSERT INTO contacts (name, identity, state, is_by_code, note, request, asked, since)"
        " VALUES (?, ?, 'asked_out', ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, state = 'asked_out',"
        " is_by_code = excluded.is_by_code, note = excluded.note, request = excluded.request,"
        " asked = excluded.asked, since = excluded.since, claimed = NULL",
        (name, pinned, pinned is not None, note, signed, now, now),
    )
    return api.FriendAdded(name, "asked"), [Ask(friends.AskFriend(UNNUMBERED, name, signed))]


def answer(
    connection: Connection, keys: DeviceKeys, name: str, *, accept: bool, now: UnixMillis
) -> tuple[api.FriendAdded, list[Effect]]:
    """Answer a waiting request; raises PeerError(FRIEND_REQUEST_UNKNOWN) where there is none."""
    contact = find(connection, name)
    if contact is None or contact.state != "asked_in" or contact.request is None:
        raise PeerError(Code.FRIEND_REQUEST_UNKNOWN, f"{name!r} has not asked")
    request = read_friend_request(contact.request)
    signed = issue_friend_answer(
        keys,
        FriendAnswer(
            request_hash=request_hash(contact.request),
            asker=request.asker,
            answerer=keys.identity,
            is_yes=accept,
            created=now,
            certificate=keys.certificate,
            device_list=own.need_account(connection).device_list,
        ),
    )
    effects: list[Effect] = [Ask(friends.AnswerFriend(UNNUMBERED, contact.name, accept, signed))]
    if accept:
        _become_friends(connection, contact.name, request.asker, now)
        note_device(connection, request.asker, request.certificate, request.device_list)
        effects += [FriendsChanged(contact.name), _friend_event(name, "friends")]
    else:
        connection.execute(
            "UPDATE contacts SET state = 'removed', request = NULL, since = ? WHERE number = ?",
            (now, contact.number),
        )
    return api.FriendAdded(name, "friends" if accept else "rejected"), effects


def remove(connection: Connection, name: str, now: UnixMillis) -> tuple[api.Nothing, list[Effect]]:
    """End a friendship or withdraw a request; raises PeerError(NO_SUCH_FRIEND)."""
    contact = find(connection, name)
    if contact is None or contact.state not in ("friends", "asked_out"):
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {name!r}")
    effects = _part(connection, contact, "removed", now)
    return api.Nothing(), [*effects, Ask(friends.RemoveFriend(UNNUMBERED, contact.name))]


def block(
    connection: Connection, name: AccountName, blocked: bool, now: UnixMillis
) -> tuple[api.Nothing, list[Effect]]:
    """Block a person, or take that back; unblocking somebody who is not blocked changes nothing."""
    contact = find(connection, name)
    effects: list[Effect] = []
    if blocked:
        if contact is None:
            connection.execute(
                "INSERT INTO contacts (name, state, since) VALUES (?, 'blocked', ?)", (name, now)
            )
        else:
            effects = _part(connection, contact, "blocked", now)
        effects.append(Ask(friends.BlockUser(UNNUMBERED, name)))
    elif contact is not None and contact.state == "blocked":
        _part(connection, contact, "removed", now)
        effects.append(Ask(friends.UnblockUser(UNNUMBERED, name)))
    return api.Nothing(), effects


# --- what comes from others


def on_asked(
    connection: Connection, keys: DeviceKeys, asked: friends.FriendAsked, now: UnixMillis
) -> list[Effect]:
    """Take a request that the tracker delivered; forged, stale and foreign ones vanish."""
    request = read_friend_request(asked.signed)
    me = own.need_account(connection)
    is_for_us = request.target_name == me.name and request.target in (b"", me.identity)
    age_s = (now - request.created) / 1000
    if request.asker_name != asked.name or not is_for_us:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "a friend request names others")
    if age_s > limits.FRIEND_REQUEST_LIFETIME_S or request.asker == me.identity:
        return []
    contact = find(connection, asked.name)
    if contact is not None and contact.request == asked.signed and contact.state == "asked_in":
        return []
    if contact is not None and contact.state == "blocked":
        return []
    if contact is not None and contact.state == "friends":
        if contact.identity != request.asker:
            return _key_changed(connection, contact, request.asker)
    elif contact is not None and contact.state == "asked_out":
        if contact.identity not in (None, request.asker):
            return _key_changed(connection, contact, request.asker)
    elif _is_repeated(connection, request, now):
        return []
    connection.execute(
        "INSERT INTO contacts (name, identity, state, note, request, asked, since)"
        " VALUES (?, ?, 'asked_in', ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, state = 'asked_in',"
        " note = excluded.note, request = excluded.request, asked = excluded.asked,"
        " since = excluded.since",
        (asked.name, request.asker, request.note, asked.signed, request.created, now),
    )
    if contact is not None and contact.state in ("asked_out", "friends"):
        # Both want it: the second request is the answer to the first, or says a lost one again.
        return answer(connection, keys, asked.name, accept=True, now=now)[1]
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
    effects: list[Effect] = [Ask(friends.TakeAnswer(UNNUMBERED, answered.name))]
    if contact is None or contact.state != "asked_out" or contact.request is None:
        return effects
    me = own.need_account(connection)
    if reply.request_hash != request_hash(contact.request) or reply.asker != me.identity:
        return effects
    if contact.identity not in (None, reply.answerer):
        return [*effects, *_key_changed(connection, contact, reply.answerer)]
    if not reply.is_yes:
        _part(connection, contact, "removed", now)
        return [*effects, _friend_event(contact.name, "rejected")]
    _become_friends(connection, contact.name, reply.answerer, now)
    note_device(connection, reply.answerer, reply.certificate, reply.device_list)
    return [*effects, FriendsChanged(contact.name), _friend_event(contact.name, "friends")]


def on_removed(connection: Connection, name: str, now: UnixMillis) -> list[Effect]:
    """Take note that the other side ended a friendship or withdrew a request."""
    contact = find(connection, name)
    if contact is None or contact.state not in ("friends", "asked_in"):
        return []
    effects = _part(connection, contact, "removed", now)
    return [*effects, _friend_event(contact.name, "removed")]


# --- inside


def _forget_other_list(connection: Connection, name: str, identity: IdentityKey) -> None:
    """Drop the device list that a name had under a former identity: its counter says nothing now."""
    row = connection.execute("SELECT device_list FROM contacts WHERE name = ?", (name,)).fetchone()
    if row[0] is not None and read_device_list(row[0], None).identity != identity:
        connection.execute(
            "UPDATE contacts SET device_list = NULL, list_counter = 0 WHERE name = ?", (name,)
        )


def _become_friends(
    connection: Connection, name: str, identity: IdentityKey, now: UnixMillis
) -> None:
    connection.execute(
        "UPDATE contacts SET state = 'friends', identity = ?, request = NULL, claimed = NULL,"
        " since = ?, is_listed = 0 WHERE name = ?",
        (identity, now, name),
    )
    _forget_other_list(connection, name, identity)


def _part(connection: Connection, contact: Contact, state: str, now: UnixMillis) -> list[Effect]:
    connection.execute(
        "UPDATE contacts SET state = ?, request = NULL, since = ?, shown = 0, text = ''"
        " WHERE number = ?",
        (state, now, contact.number),
    )
    if contact.identity is None:
        return []
    code = Code.BLOCKED if state == "blocked" else Code.NOT_FRIENDS
    ended = end_all_with(connection, contact.number, code, now)
    closing = CloseLinks(contact.identity, Code.NOT_ADMITTED if code is Code.BLOCKED else code)
    return [*ended, closing, FriendsChanged(contact.name), WakeTransfers()]


def _key_changed(connection: Connection, contact: Contact, claimed: IdentityKey) -> list[Effect]:
    """Note that somebody else claims a friend's name: loud, and nothing is sent any more."""
    connection.execute(
        "UPDATE contacts SET claimed = ? WHERE number = ?", (claimed, contact.number)
    )
    notice = {
        "code": Code.KEY_CHANGED.value,
        "message": f"{contact.name} shows another identity key; nothing is sent",
        "friend": contact.name,
        "fingerprint": fingerprint(claimed),
    }
    effects: list[Effect] = [Tell(api.Event("notice", dict(notice)))]
    if contact.identity is not None:
        effects.append(CloseLinks(contact.identity, Code.KEY_CHANGED))
    return effects


def _is_repeated(connection: Connection, request: FriendRequest, now: UnixMillis) -> bool:
    """Remember a request's nonce until it is too old anyway; True if it was seen before."""
    connection.execute("DELETE FROM nonces WHERE until < ?", (now,))
    until = request.created + int(limits.FRIEND_REQUEST_LIFETIME_S * 1000)
    cursor = connection.execute(
        "INSERT INTO nonces (nonce, until) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (request.nonce, until),
    )
    return cursor.rowcount == 0


def _friend_event(name: str, state: str) -> Tell:
    return Tell(api.Event("friend", {"friend": name, "state": state}))
