"""Becoming friends without a tracker: over a link with somebody who holds a friend code.

The way of `friend add` over the local network, and dialling by hand. The signed words are those of a friendship by
tracker, there is one kind of friend; what others say so is taken by `strangers`.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from peer import api, queries
from peer.effects import Ask, Effect
from peer.errors import PeerError
from peer.listener import parse_listen
from peer.people import befriending, contacts, roster
from peer.reach.paths import LAN
from peer.store.devices import note_device
from peer.times import rfc3339, wall
from peer.tracker_link import ask_key
from wire import limits
from wire.address import TrackerAddress
from wire.codes import Code
from wire.identity import DeviceKeys, FriendCode
from wire.ids import AccountName, LinkKey
from wire.link import Remote
from wire.machine import Entropy, UnixMillis
from wire.messages import friends
from wire.messages.session import Hello

if TYPE_CHECKING:
    from peer.node import Node
    from peer.reach.nearby import Place

Connection = sqlite3.Connection


def open_door(node: Node) -> api.FriendCode:
    """Take requests of people near who hold our friend code, for LAN_OPEN_S from now.

    Raises PeerError(NOT_NOW) where nobody could come in.
    """
    if not node.listening:
        raise PeerError(Code.NOT_NOW, "this node takes no connections", remedy="see: hobnob up")
    node.near.lan.open(limits.LAN_OPEN_S)
    until = rfc3339(wall() + int(limits.LAN_OPEN_S * 1000))
    return api.FriendCode(node.database.read(queries.friend_code), until)


async def dial(node: Node, name: AccountName, at: str) -> api.FriendDialled:
    """Dial a friend's devices at HOST:PORT; raises PeerError(PEER_UNREACHABLE) where none of them answers."""
    place = parse_listen(at)
    friend = node.database.read(contacts.find_friend, name)
    targets = node.database.read(roster.dial_targets, friend.identity)
    for target in targets:
        if await node.linking.dialer.dial_at(target, place):
            path = node.linking.path(target.device)
            return api.FriendDialled(name, target.device.hex(), path or LAN)
    raise PeerError(
        Code.PEER_UNREACHABLE,
        f"no device of {name} answers at {at}",
        remedy="ask them for the address and the port that `hobnob up` prints",
    )


async def befriend(
    node: Node, code: FriendCode, note: str, at: str | None, request_id: str, *, is_shared: bool
) -> api.Result:
    """Ask somebody whose code this is over the local network, or at a place that a person names.

    at: HOST:PORT or None. is_shared: our tracker is theirs, and is told as well, once it can be. Raises PeerError
    with PEER_UNREACHABLE and as `befriending.ask`.
    """
    caller = None
    failure = PeerError(
        Code.PEER_UNREACHABLE,
        f"nobody on this network takes requests for {code.name}",
        remedy="let them run `hobnob friend code --lan`, in the same network, and try again",
    )
    for place, key in await _places(node, code, at):
        try:
            caller = await node.linking.doorway.call(code.identity, key, place)
            if at is not None:
                node.linking.dialer.is_at(caller.device, place)
            break
        except PeerError as error:
            failure = error
    if caller is None:
        raise failure
    result = await node.write(
        request_id,
        _ask,
        node.profile.keys,
        code,
        note,
        caller.remote,
        is_shared=is_shared,
        now=wall(),
        entropy=node.entropy,
    )
    contact = node.database.read(contacts.find, code.name)
    if contact is not None and contact.state == "asked_out" and contact.request is not None:
        node.linking.doorway.ask(caller, contact.request)
    return result


async def _places(node: Node, code: FriendCode, at: str | None) -> list[tuple[Place, LinkKey]]:
    if at is None:
        return await node.near.find(code.identity, limits.LAN_SEARCH_S)
    host, port = parse_listen(at)
    try:
        return [((host, port), await ask_key(TrackerAddress(host, port, None)))]
    except PeerError as error:
        raise PeerError(
            Code.PEER_UNREACHABLE,
            f"nobody at {at} takes requests",
            remedy="let them run `hobnob friend code --lan`, and try again",
        ) from error


def _ask(
    connection: Connection,
    keys: DeviceKeys,
    code: FriendCode,
    note: str,
    remote: Remote,
    *,
    is_shared: bool,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.FriendAdded, list[Effect]]:
    """Note that we ask, and the device that we ask."""
    identity = code.identity
    result, effects = befriending.ask(
        connection,
        keys,
        code.name,
        note,
        pinned=identity,
        found=identity,
        now=now,
        entropy=entropy,
    )
    if isinstance(remote.hello, Hello):
        note_device(connection, identity, remote.hello.certificate, remote.hello.device_list)
    if not is_shared:
        effects = [each for each in effects if not _is_request(each)]
    return result, effects


def _is_request(effect: Effect) -> bool:
    return isinstance(effect, Ask) and isinstance(effect.message, friends.AskFriend)
