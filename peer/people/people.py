"""What commands about people mean on a running node: asking, answering, parting, comparing keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from peer import api
from peer.errors import PeerError
from peer.log import sharing
from peer.people import befriending, neighbours, overtures, roster, verifying
from peer.talk import mutes
from peer.times import wall
from wire.address import TrackerAddress
from wire.codes import Code
from wire.identity import FriendCode, decode_friend_code, looks_like_friend_code
from wire.ids import IdentityKey, account_name
from wire.machine import UnixMillis
from wire.messages import friends

if TYPE_CHECKING:
    from peer.node import Node

SETTLE_S = 10.0
Command = (
    api.AddFriend
    | api.DialFriend
    | api.AnswerFriend
    | api.RemoveFriend
    | api.BlockFriend
    | api.VerifyFriend
    | api.AcceptKey
    | api.ShareHistory
    | api.ListFriendRequests
    | api.ListFriends
)


async def carry_out(node: Node, command: Command, request_id: str) -> Sequence[api.Result]:
    """Carry out one command and give its results; raises PeerError and WireError."""
    match command:
        case api.AddFriend():
            return [await _add(node, command, request_id)]
        case api.DialFriend(name=name, at=at):
            return [await neighbours.dial(node, account_name(name), at)]
        case api.AnswerFriend():
            return [await _answer(node, command, request_id)]
        case api.RemoveFriend() | api.BlockFriend():
            return [await _part(node, command, request_id)]
        case api.VerifyFriend(name=name, number=number):
            return [await node.write(request_id, verifying.verify, account_name(name), number)]
        case api.AcceptKey():
            return [await _accept_key(node, command, request_id)]
        case api.ShareHistory(name=name):
            shared = await node.write(request_id, sharing.share, account_name(name), wall())
            await node.settle(SETTLE_S)
            return [shared]
        case api.ListFriendRequests():
            await node.settle(SETTLE_S)
            return node.database.read(roster.requests)
        case api.ListFriends(online_only=online_only):
            await node.settle(SETTLE_S)
            is_told = node.uplink.state == "online"
            told = node.database.read(roster.names_listed) if is_told else frozenset[str]()
            return _shown(
                node.database.read(_friends, wall(), online_only=False),
                node.linking.linked_friends() - told,
                online_only=online_only,
            )


def _friends(
    connection: sqlite3.Connection, now: UnixMillis, *, online_only: bool
) -> list[api.Friend]:
    """List friends with what holds for each of them now."""
    return [
        replace(friend, muted=mutes.is_muted(connection, friend.friend, now))
        for friend in roster.list_friends(connection, online_only=online_only)
    ]


def _shown(listed: list[api.Friend], linked: set[str], *, online_only: bool) -> list[api.Friend]:
    """List friends with whom we are linked as there. linked: those of whom no tracker says it.

    Where one does, its word holds: who chose to be invisible keeps the links that stand.
    """
    shown = [
        replace(friend, presence="available")
        if friend.presence == "offline" and friend.friend in linked
        else friend
        for friend in listed
    ]
    return [friend for friend in shown if not online_only or friend.presence != "offline"]


async def _add(node: Node, command: api.AddFriend, request_id: str) -> api.Result:
    pinned: IdentityKey | None = None
    if looks_like_friend_code(command.who):
        code = decode_friend_code(command.who)
        name, pinned = code.name, code.identity
        await node.settle(SETTLE_S)
        is_shared = _is_our_tracker(node, code.tracker)
        if command.at is not None or not is_shared or node.uplink.state != "online":
            return await _add_near(node, command, code, request_id, is_shared=is_shared)
    elif command.at is not None:
        raise PeerError(
            Code.USAGE, "--at asks whose friend code you have: a name alone proves nothing there"
        )
    else:
        name = account_name(command.who)
    await node.settle(SETTLE_S)
    user = await node.uplink.ask(lambda request: friends.AskUser(request, name), friends.User)
    if pinned is None:
        node.carry_out(await node.database.write(overtures.on_found, name, user.identity, wall()))
    result = await node.write(
        request_id,
        befriending.ask,
        node.profile.keys,
        name,
        command.note,
        pinned=pinned,
        found=user.identity,
        now=wall(),
        entropy=node.entropy,
    )
    await node.uplink.asked_all()
    return result


async def _add_near(
    node: Node, command: api.AddFriend, code: FriendCode, request_id: str, *, is_shared: bool
) -> api.Result:
    """Ask without the tracker; where nobody near answers, say what stands in the tracker's way."""
    try:
        return await neighbours.befriend(
            node, code, command.note, command.at, request_id, is_shared=is_shared
        )
    except PeerError as error:
        is_lost = error.code is Code.PEER_UNREACHABLE and command.at is None
        if is_lost and code.tracker is not None and not is_shared:
            raise PeerError(Code.CODE_TRACKER) from error
        if is_lost and is_shared and node.uplink.failure is not None:
            raise node.uplink.failure from error
        raise


def _is_our_tracker(node: Node, theirs: TrackerAddress | None) -> bool:
    ours = node.profile.tracker
    return theirs is not None and ours is not None and theirs.key == ours.key


async def _answer(node: Node, command: api.AnswerFriend, request_id: str) -> api.Result:
    await node.settle(SETTLE_S)
    result = await node.write(
        request_id,
        befriending.answer,
        node.profile.keys,
        account_name(command.name),
        accept=command.accept,
        now=wall(),
    )
    await _tell_tracker(node)
    return result


async def _accept_key(node: Node, command: api.AcceptKey, request_id: str) -> api.Result:
    await node.settle(SETTLE_S)
    name = account_name(command.name)
    result = await node.write(
        request_id, befriending.accept_key, node.profile.keys, name, command.fingerprint, wall()
    )
    await _tell_tracker(node)
    return result


async def _part(
    node: Node, command: api.RemoveFriend | api.BlockFriend, request_id: str
) -> api.Result:
    await node.settle(SETTLE_S)
    name = account_name(command.name)
    if isinstance(command, api.RemoveFriend):
        await node.write(request_id, befriending.remove, name, wall())
    else:
        await node.write(request_id, befriending.block, name, command.blocked, wall())
    await _tell_tracker(node)
    return api.Nothing()


async def _tell_tracker(node: Node) -> None:
    """Send what waits now; without a tracker it goes later, and what is said here counts already."""
    try:
        await node.uplink.asked_all()
    except PeerError as error:
        if error.code not in (Code.TRACKER_UNREACHABLE, Code.ALREADY_FRIENDS):
            raise
