"""Becoming friends and ceasing to be: what a person does, and what both sides' words lead to.

Plain functions over the database; what has to be told to the tracker or the links comes back as effects.
The tracker is never an authority: a friendship exists here because a signed request met a signed answer,
and the identity in them is pinned. What others say comes in by `overtures`.
"""

from __future__ import annotations

import hmac
import sqlite3

from msgspec.structs import replace

from peer import api
from peer.effects import Ask, CloseLinks, Effect, FriendsChanged, Tell, WakeTransfers, WantLink
from peer.errors import PeerError
from peer.people import keychange
from peer.people.contacts import Contact, find, key_changed
from peer.store import own
from peer.store.devices import note_device
from peer.transfers.ledger import end_all_with
from wire import limits
from wire.codes import Code
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
    PeerError with FRIEND_SELF, ALREADY_FRIENDS, BLOCKED, KEY_MISMATCH, TEXT_LENGTH, TOO_MANY_FRIENDS, and
    KEY_CHANGED where a former friend of that name has another key now and no code says that it is right.
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
    if contact is not None and contact.state == "blocked":
        raise PeerError(Code.BLOCKED, f"{name} is blocked")
    if contact is not None and contact.waits_for_key:
        if pinned is None or pinned != contact.claimed:
            raise key_changed(contact)
        accepted, effects = accept_key(connection, keys, name, fingerprint(pinned), now)
        if accepted.state != "removed":
            return api.FriendAdded(name, accepted.state), effects
        contact = find(connection, name)
    if contact is not None and contact.state == "friends":
        raise PeerError(Code.ALREADY_FRIENDS, f"you and {name} are friends already")
    if contact is not None and pinned is None and keychange.is_another(contact, found):
        raise key_changed(replace(contact, claimed=found))
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
        "INSERT INTO contacts (name, identity, state, is_by_code, note, request, request_hash,"
        " asked, since) VALUES (?, ?, 'asked_out', ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET state = 'asked_out', note = excluded.note,"
        " request = excluded.request, request_hash = excluded.request_hash,"
        " asked = excluded.asked, since = excluded.since, claimed = NULL, answer = NULL,"
        " identity = coalesce(excluded.identity, iif(pinned OR is_by_code, identity, NULL)),"
        " is_by_code = excluded.is_by_code OR (excluded.identity IS NULL AND is_by_code),"
        " pinned = pinned AND (excluded.identity IS NULL OR excluded.identity IS identity)",
        (name, pinned, pinned is not None, note, signed, request_hash(signed), now, now),
    )
    asking = Ask(friends.AskFriend(UNNUMBERED, name, signed))
    return api.FriendAdded(name, "asked"), [asking, FriendsChanged(name)]


def answer(
    connection: Connection, keys: DeviceKeys, name: str, *, accept: bool, now: UnixMillis
) -> tuple[api.FriendAdded, list[Effect]]:
    """Answer a waiting request.

    Raises PeerError with FRIEND_REQUEST_UNKNOWN where there is none, KEY_CHANGED for a yes to somebody who
    shows another key than the person of that name had: that takes the fingerprint (`accept_key`).
    """
    contact = find(connection, name)
    has_asked = contact is not None and (contact.state == "asked_in" or _asks_anew(contact))
    if contact is None or not has_asked or contact.request is None:
        raise PeerError(Code.FRIEND_REQUEST_UNKNOWN, f"{name!r} has not asked")
    if contact.waits_for_key and accept:
        raise key_changed(contact)
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
        become_friends(connection, contact.name, request.asker, now)
        note_device(connection, request.asker, request.certificate, request.device_list)
        effects += [FriendsChanged(contact.name), friend_event(name, "friends")]
    else:
        connection.execute(
            "UPDATE contacts SET state = iif(state = 'friends', state, 'removed'), request = NULL,"
            " claimed = NULL, since = ? WHERE number = ?",
            (now, contact.number),
        )
    return api.FriendAdded(name, "friends" if accept else "rejected"), effects


def accept_key(
    connection: Connection, keys: DeviceKeys, name: str, typed: str, now: UnixMillis
) -> tuple[api.KeyAccepted, list[Effect]]:
    """Pin the identity that a person shows now, by its fingerprint as somebody typed it in.

    The verified mark goes: it was for the former identity. A request that came from the new one is answered by
    yes, an answer that came from it is taken. Raises PeerError with NO_SUCH_FRIEND, KEY_UNCHANGED where there
    was no change, KEY_MISMATCH for any other fingerprint than the one that is shown.
    """
    contact = find(connection, name)
    if contact is None or contact.state == "blocked":
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {name!r}")
    if contact.identity is None or contact.claimed is None:
        raise PeerError(Code.KEY_UNCHANGED, f"{name} shows the identity key you know")
    identity = IdentityKey(contact.claimed)
    given = "".join(typed.split()).lower().encode("utf-8", "backslashreplace")
    if not hmac.compare_digest(given, fingerprint(identity).encode()):
        raise PeerError(
            Code.KEY_MISMATCH,
            f"that is not the fingerprint that {name} shows now",
            remedy=f"compare it with {name} by another way and type all of it; nothing was changed",
        )
    (reply,) = connection.execute(
        "UPDATE contacts SET identity = claimed, claimed = NULL, verified = NULL, is_by_code = 1,"
        " pinned = 1, state = iif(request IS NOT NULL AND state <> 'asked_out', 'asked_in', state)"
        " WHERE number = ? RETURNING answer",
        (contact.number,),
    ).fetchone()
    _forget_other_list(connection, contact.name, identity)
    effects: list[Effect] = [CloseLinks(contact.identity, Code.KEY_CHANGED)]
    if _asks_anew(contact):
        effects += answer(connection, keys, name, accept=True, now=now)[1]
    elif reply is not None:
        effects += take_answer(connection, name, read_friend_answer(reply), now)
    else:
        effects += [FriendsChanged(contact.name), WantLink(identity)]
    after = find(connection, name)
    assert after is not None
    return api.KeyAccepted(name, fingerprint(identity), after.state), effects


def remove(connection: Connection, name: str, now: UnixMillis) -> tuple[api.Nothing, list[Effect]]:
    """End a friendship or withdraw a request; raises PeerError(NO_SUCH_FRIEND)."""
    contact = find(connection, name)
    if contact is None or contact.state not in ("friends", "asked_out"):
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {name!r}")
    effects = part(connection, contact, "removed", now)
    _end_alarm(connection, contact)
    return api.Nothing(), [*effects, Ask(friends.RemoveFriend(UNNUMBERED, contact.name))]


def block(
    connection: Connection, name: AccountName, blocked: bool, now: UnixMillis
) -> tuple[api.Nothing, list[Effect]]:
    """Block a person, or take that back; unblocking somebody who is not blocked changes nothing.

    Raises PeerError(FRIEND_SELF) for this account.
    """
    contact = find(connection, name)
    if contact is not None and contact.state == "own":
        raise PeerError(Code.FRIEND_SELF)
    effects: list[Effect] = []
    if blocked:
        if contact is None:
            connection.execute(
                "INSERT INTO contacts (name, state, since) VALUES (?, 'blocked', ?)", (name, now)
            )
        else:
            effects = part(connection, contact, "blocked", now)
            _end_alarm(connection, contact)
        effects += [Ask(friends.BlockUser(UNNUMBERED, name)), FriendsChanged(name)]
    elif contact is not None and contact.state == "blocked":
        part(connection, contact, "removed", now)
        effects += [Ask(friends.UnblockUser(UNNUMBERED, name)), FriendsChanged(name)]
    return api.Nothing(), effects


# --- what both sides' words lead to


def _forget_other_list(connection: Connection, name: str, identity: IdentityKey) -> None:
    """Drop the device list that a name had under a former identity: its counter says nothing now."""
    row = connection.execute("SELECT device_list FROM contacts WHERE name = ?", (name,)).fetchone()
    if row[0] is not None and read_device_list(row[0], None).identity != identity:
        connection.execute(
            "UPDATE contacts SET device_list = NULL, list_counter = 0 WHERE name = ?", (name,)
        )


def become_friends(
    connection: Connection, name: str, identity: IdentityKey, now: UnixMillis
) -> None:
    """Pin an identity: whoever has that name is a friend from now on."""
    connection.execute(
        "UPDATE contacts SET state = 'friends', identity = ?, request = NULL, claimed = NULL,"
        " answer = NULL, pinned = 1, since = ?, is_listed = 0 WHERE name = ?",
        (identity, now, name),
    )
    _forget_other_list(connection, name, identity)


def part(connection: Connection, contact: Contact, state: str, now: UnixMillis) -> list[Effect]:
    """End what there was with a person; state: `removed` or `blocked`. Another key that was shown stays noted."""
    connection.execute(
        "UPDATE contacts SET state = ?, request = iif(claimed IS NULL, NULL, request), since = ?,"
        " shown = 0, text = '' WHERE number = ?",
        (state, now, contact.number),
    )
    if contact.identity is None:
        return []
    code = Code.BLOCKED if state == "blocked" else Code.NOT_FRIENDS
    ended = end_all_with(connection, contact.number, code, now)
    closing = CloseLinks(contact.identity, Code.NOT_ADMITTED if code is Code.BLOCKED else code)
    return [*ended, closing, FriendsChanged(contact.name), WakeTransfers()]


def _asks_anew(contact: Contact) -> bool:
    """Say whether a request waits that came under another key than the person of that name had."""
    return (
        contact.waits_for_key
        and contact.request is not None
        and contact.state in ("friends", "removed")
    )


def take_answer(
    connection: Connection, name: AccountName | str, reply: FriendAnswer, now: UnixMillis
) -> list[Effect]:
    """Do what an answer by the right identity says."""
    contact = find(connection, name)
    if contact is None:
        return []
    if not reply.is_yes:
        part(connection, contact, "removed", now)
        return [friend_event(contact.name, "rejected")]
    become_friends(connection, contact.name, reply.answerer, now)
    note_device(connection, reply.answerer, reply.certificate, reply.device_list)
    return [FriendsChanged(contact.name), friend_event(contact.name, "friends")]


def _end_alarm(connection: Connection, contact: Contact) -> None:
    """Let go of another key that was shown: the person of that name is no business of ours any more."""
    connection.execute(
        "UPDATE contacts SET claimed = NULL, answer = NULL, request = NULL WHERE number = ?",
        (contact.number,),
    )


def friend_event(name: str, state: str) -> Tell:
    """Give what tells the faces how far a friendship is."""
    return Tell(api.Event("friend", {"friend": name, "state": state}))
