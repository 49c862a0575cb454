"""Friendships: signed requests and answers that the tracker carries, keeps and cannot forge.

Plain functions over a store and `now`, called inside a transaction; each raises TrackerError to refuse
and then has changed nothing. Requests and answers are checked against the tracker's own records, so that
nobody's client has to look at junk; the clients at both ends verify again, and pin from what is signed.

Two who ask each other at the same time: both requests are kept and delivered, each client answers yes by
itself to somebody it has asked, the first answer makes them friends.
"""

from __future__ import annotations

from msgspec import Struct

from tracker.accounts import named, owned
from tracker.effects import Befriended, Caller, Effect, Outcome, Parted, Party, Tell
from tracker.errors import TrackerError
from tracker.storage.port import Account, AccountId, FriendRequestRow, Store
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import read_friend_answer, read_friend_request, request_hash
from wire.machine import UnixMillis
from wire.messages.friends import (
    AnswerFriend,
    AskFriend,
    BlockUser,
    FriendAnswered,
    FriendAsked,
    FriendRemoved,
    RemoveFriend,
    TakeAnswer,
    UnblockUser,
)
from wire.messages.session import Done

LIFETIME_MS = int(limits.FRIEND_REQUEST_LIFETIME_S * 1000)


def expired_before(now: UnixMillis) -> UnixMillis:
    """Give the instant before which requests and answers have expired."""
    return UnixMillis(now - LIFETIME_MS)


class Bounds(Struct, frozen=True):
    """How many of each one account may have; the reasons stand in `wire.limits`."""

    friends: int = limits.FRIENDS
    pending: int = limits.PENDING_FRIEND_REQUESTS
    blocks: int = limits.BLOCKS


BOUNDS = Bounds()


def ask_friend(
    store: Store, caller: Caller, message: AskFriend, now: UnixMillis, bounds: Bounds = BOUNDS
) -> Outcome:
    """Keep a friend request and deliver it; asking again replaces it.

    Whoever is blocked by the target gets the same Done, and nothing is ever delivered. Raises
    FRIEND_SELF, NO_SUCH_USER, ALREADY_FRIENDS, BLOCKED (the caller blocks the target),
    TOO_MANY_FRIENDS, TOO_MANY_PENDING, KEY_MISMATCH (the request is for another identity than the name has
    here), and what is wrong with the signed request.
    """
    asker = owned(store, caller.account)
    if message.name == asker.name:
        raise TrackerError(Code.FRIEND_SELF)
    target = named(store, message.name)
    if store.are_friends(asker.id, target.id):
        raise TrackerError(Code.ALREADY_FRIENDS)
    if store.has_blocked(asker.id, target.id):
        raise TrackerError(Code.BLOCKED)
    _check_request(message.signed, asker, target)
    is_void = store.has_blocked(target.id, asker.id)
    earlier = store.request_of(asker.id, target.id)
    if earlier is None:
        _check_room(store, asker.id, target.id, bounds, is_void=is_void)
    elif (earlier.signed, earlier.is_void) == (message.signed, is_void):
        return Outcome(Done(message.request))
    store.put_request(asker.id, target.id, message.signed, is_void, now)
    store.drop_answer(asker.id, target.id)
    if is_void:
        return Outcome(Done(message.request))
    asked = Tell(target.id, FriendAsked(asker.name, message.signed, now))
    return Outcome(Done(message.request), (asked,))


def answer_friend(
    store: Store, caller: Caller, message: AnswerFriend, now: UnixMillis, bounds: Bounds = BOUNDS
) -> Outcome:
    """Take an answer back to its asker; a yes makes the two friends in the same transaction.

    Raises REQUEST_UNKNOWN for a request that never came, has expired or was withdrawn, ALREADY_FRIENDS,
    TOO_MANY_FRIENDS, and what is wrong with the signed answer.
    """
    answerer = owned(store, caller.account)
    asker = store.account_named(message.name)
    if asker is not None and store.are_friends(answerer.id, asker.id):
        raise TrackerError(Code.ALREADY_FRIENDS)
    row = store.request_of(asker.id, answerer.id) if asker else None
    if asker is None or row is None or row.is_void or row.at < expired_before(now):
        raise TrackerError(Code.REQUEST_UNKNOWN)
    _check_answer(message, row, asker, answerer)
    if message.is_yes:
        for side in (asker.id, answerer.id):
            if store.count_friends(side) >= bounds.friends:
                raise TrackerError(Code.TOO_MANY_FRIENDS)
        store.befriend(asker.id, answerer.id, now)
        store.drop_request(answerer.id, asker.id)
    store.drop_request(asker.id, answerer.id)
    store.put_answer(asker.id, answerer.id, message.is_yes, message.signed, now)
    effects: list[Effect] = [
        Tell(asker.id, FriendAnswered(answerer.name, message.is_yes, message.signed, now))
    ]
    if message.is_yes:
        effects.append(Befriended(_party(asker), _party(answerer)))
    return Outcome(Done(message.request), tuple(effects))


def take_answer(store: Store, caller: Caller, message: TakeAnswer) -> Outcome:
    """Forget an answer that its asker has stored; taking it twice is no error."""
    answerer = store.account_named(message.name)
    if answerer is not None:
        store.drop_answer(caller.account, answerer.id)
    return Outcome(Done(message.request))


def remove_friend(store: Store, caller: Caller, message: RemoveFriend) -> Outcome:
    """End a friendship and withdraw a request; done also where there was neither."""
    me = owned(store, caller.account)
    other = store.account_named(message.name)
    if other is None or other.id == me.id:
        return Outcome(Done(message.request))
    request = store.request_of(me.id, other.id)
    store.drop_request(me.id, other.id)
    effects = _part(store, me, other)
    if not effects and request is not None and not request.is_void:
        effects = [Tell(other.id, FriendRemoved(me.name))]
    effects.append(Tell(me.id, FriendRemoved(other.name), except_device=caller.device))
    return Outcome(Done(message.request), tuple(effects))


def block_user(
    store: Store, caller: Caller, message: BlockUser, now: UnixMillis, bounds: Bounds = BOUNDS
) -> Outcome:
    """End any friendship, and swallow that person's requests from now on.

    Raises FRIEND_SELF, NO_SUCH_USER, TOO_MANY_BLOCKS.
    """
    me = owned(store, caller.account)
    if message.name == me.name:
        raise TrackerError(Code.FRIEND_SELF)
    other = named(store, message.name)
    if not store.has_blocked(me.id, other.id) and store.count_blocks(me.id) >= bounds.blocks:
        raise TrackerError(Code.TOO_MANY_BLOCKS)
    store.block(me.id, other.id, now)
    store.void_request(other.id, me.id)
    store.drop_request(me.id, other.id)
    effects = _part(store, me, other)
    effects.append(Tell(me.id, FriendRemoved(other.name), except_device=caller.device))
    return Outcome(Done(message.request), tuple(effects))


def unblock_user(store: Store, caller: Caller, message: UnblockUser) -> Outcome:
    """Take a block back; requests that were swallowed stay so."""
    other = store.account_named(message.name)
    if other is not None:
        store.unblock(caller.account, other.id)
    return Outcome(Done(message.request))


def _part(store: Store, me: Account, other: Account) -> list[Effect]:
    """End a friendship with all that is on its way, mail too; gives what the other side is to be told."""
    store.drop_answer(me.id, other.id)
    store.drop_answer(other.id, me.id)
    if not store.part(me.id, other.id):
        return []
    store.drop_mail_between(me.id, other.id)
    return [Parted(me.id, other.id), Tell(other.id, FriendRemoved(me.name))]


def _check_room(
    store: Store, asker: AccountId, target: AccountId, bounds: Bounds, *, is_void: bool
) -> None:
    if store.count_friends(asker) >= bounds.friends:
        raise TrackerError(Code.TOO_MANY_FRIENDS)
    if store.count_requests_from(asker) >= bounds.pending:
        raise TrackerError(Code.TOO_MANY_PENDING, "too many of your friend requests are waiting")
    if not is_void and store.count_requests_to(target) >= bounds.pending:
        raise TrackerError(
            Code.TOO_MANY_PENDING, "too many friend requests are waiting for that person"
        )


def _check_request(signed: bytes, asker: Account, target: Account) -> None:
    """Refuse a request that is not this asker's to this target."""
    try:
        request = read_friend_request(signed)
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    if (request.asker_name, request.target_name) != (asker.name, target.name):
        raise TrackerError(Code.IDENTITY_MISMATCH, "the friend request names other people")
    if request.asker != asker.identity:
        raise TrackerError(Code.IDENTITY_MISMATCH, "the friend request is by another identity")
    if request.target not in (b"", target.identity):
        raise TrackerError(
            Code.KEY_MISMATCH,
            f"the identity you expect of {target.name!r} is not the one it has here",
        )


def _check_answer(
    message: AnswerFriend, row: FriendRequestRow, asker: Account, answerer: Account
) -> None:
    """Refuse an answer that is not this answerer's to this very request."""
    try:
        answer = read_friend_answer(message.signed)
    except WireError as error:
        raise TrackerError(error.code, error.detail) from error
    if (answer.asker, answer.answerer) != (asker.identity, answerer.identity):
        raise TrackerError(Code.IDENTITY_MISMATCH, "the answer is by or to another identity")
    if (answer.request_hash, answer.is_yes) != (request_hash(row.signed), message.is_yes):
        raise TrackerError(Code.REQUEST_UNKNOWN, "the answer is to another friend request")


def _party(account: Account) -> Party:
    return Party(account.id, account.name, account.identity, account.last_seen)
