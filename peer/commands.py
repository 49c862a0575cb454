"""What each command means on a running node; the results are the contract's."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from peer import api, asks, queries
from peer.accounts import account, alarms, devices
from peer.errors import PeerError
from peer.identity import seal_of
from peer.people import keeping, neighbours, people, roster
from peer.reach import doctor
from peer.settings import configuring
from peer.talk import following, reading, saying, typing_notices
from peer.talk.voice import Heard
from peer.times import wall
from peer.transfers import files, manager
from wire import limits
from wire.codes import Code
from wire.ids import account_name
from wire.limits import PRESENCE_TEXT_CHARS
from wire.messages.presence import SetPresence, Show

if TYPE_CHECKING:
    from peer.node import Node

SETTLE_S = 10.0
SHOWS = {
    "available": Show.AVAILABLE,
    "away": Show.AWAY,
    "busy": Show.BUSY,
    "invisible": Show.INVISIBLE,
}


async def carry_out_command(
    node: Node, command: api.Command, request_id: str
) -> AsyncGenerator[api.Result, None]:
    """Carry out one command and give its results; raises PeerError and WireError.

    request_id: what was done under it before is given again; empty for none.
    """
    node.idleness.heard(command)
    match command:
        case api.GetStatus() | api.Diagnose() | api.GiveWay() | api.WatchEvents() | api.OpenLan():
            async for shown in _of_node(node, command):
                yield shown
        case _ if isinstance(command, reading.COMMANDS):
            async for line in reading.carry_out(node, command):
                yield line
        case api.WhoAmI() | api.GetFriendCode() | api.ListShownTo() | api.ListOffers():
            sealed = seal_of(node.locations)
            for result in node.database.read(
                lambda connection: list(queries.answer(connection, command, sealed))
            ):
                yield result
        case (
            api.AddFriend()
            | api.DialFriend()
            | api.AnswerFriend()
            | api.RemoveFriend()
            | api.BlockFriend()
            | api.VerifyFriend()
            | api.AcceptKey()
            | api.ShareHistory()
            | api.ListFriendRequests()
            | api.ListFriends()
            | api.ListDevices()
            | api.RevokeDevice()
        ):
            for result in await _of_people(node, command, request_id):
                yield result
        case api.SetPresence():
            yield await _set_presence(node, command)
        case api.MuteFriend() | api.KeepDraft() | api.SendTyping():
            yield await _about_friend(node, command)
        case _ if isinstance(command, saying.COMMANDS):
            yield await saying.carry_out(node, command, request_id)
        case _ if isinstance(command, files.COMMANDS):
            async for result in files.carry_out(node, command, request_id):
                yield result
        case _ if isinstance(command, configuring.COMMANDS):
            for result in await configuring.carry_out(node.database, node.locations, command):
                yield result
            if isinstance(command, api.SetSetting):
                node.idleness.look_again()
                node.hooks.forget()
                if node.linking.data_links is not None:
                    node.linking.data_links.keep_pace()
        case _ if isinstance(command, account.COMMANDS):
            yield await account.on_node(node, command)
        case _:
            raise PeerError(Code.USAGE, f"{type(command).__name__} is not for a running node")


def begin_command(node: Node, command: api.Command, request_id: str, then: Heard) -> bool:
    """Carry out a command that has one result and needs no task, and tell it; False for every other command."""
    if not saying.begin(node, command, request_id, then):
        return False
    node.idleness.heard(command)
    return True


async def _of_people(
    node: Node, command: people.Command | devices.Command, request_id: str
) -> Sequence[api.Result]:
    """Carry out what is about friends, or about the own machines."""
    if isinstance(command, devices.Command):
        return await devices.carry_out(node, command)
    return await people.carry_out(node, command, request_id)


async def _of_node(
    node: Node,
    command: api.GetStatus | api.Diagnose | api.GiveWay | api.WatchEvents | api.OpenLan,
) -> AsyncGenerator[api.Result, None]:
    """Carry out what is about the node itself."""
    match command:
        case api.GetStatus():
            yield _status(node)
        case api.Diagnose():
            async for check in doctor.examine(node):
                yield check
        case api.GiveWay():
            node.give_way(command)
            yield api.Nothing()
        case api.WatchEvents():
            async for event in node.audience.watch():
                yield event
        case api.OpenLan():
            yield neighbours.open_door(node)
            if command.stays:
                await asyncio.sleep(limits.LAN_OPEN_S)


def _status(node: Node) -> api.Status:
    tracker = node.profile.tracker
    return api.Status(
        account=node.profile.name,
        node="up",
        pid=os.getpid(),
        listen=node.listening,
        tracker=api.TrackerStatus(
            node.uplink.state, None if tracker is None else str(tracker), node.uplink.why
        ),
        links=node.linking.status(is_told=node.uplink.state == "online"),
        transfers=node.database.read(manager.transfers, node.live(), only_open=True),
        alarms=node.database.read(alarms.standing),
        waiting=_waiting(node),
        unread=sum(node.database.read(following.unread).values()),
    )


def _waiting(node: Node) -> list[str]:
    """Say what waits for the tracker, and what it cannot give us."""
    is_none_due = node.uplink.state == "online" or node.profile.tracker is None
    words = [] if is_none_due else node.database.read(asks.words)
    trouble = node.uplink.exchange.trouble
    return words if trouble is None else [*words, f"account state of other devices: {trouble}"]


async def _about_friend(node: Node, command: keeping.Command | api.SendTyping) -> api.Result:
    """Keep something about a friend, or tell their linked devices that somebody writes, if it is time to say so."""
    if not isinstance(command, api.SendTyping):
        return await node.database.write(keeping.carry_out, command, wall())
    name = account_name(command.to)
    effects = node.database.read(
        typing_notices.notices, name, node.linking.devices(), is_typing=command.is_typing
    )
    if not effects or not node.typing.is_due(name, is_typing=command.is_typing):
        return api.TypingTold(name, told=False)
    node.carry_out(effects)
    return api.TypingTold(name, told=True)


async def _set_presence(node: Node, command: api.SetPresence) -> api.Result:
    if command.presence not in SHOWS:
        raise PeerError(Code.USAGE, f"{command.presence!r} is none of {', '.join(SHOWS)}")
    if len(command.text) > PRESENCE_TEXT_CHARS:
        raise PeerError(
            Code.TEXT_LENGTH, f"a presence text has at most {PRESENCE_TEXT_CHARS} characters"
        )
    keeping.check_span(command.for_s)
    show = SHOWS[command.presence]
    until = 0 if command.for_s is None else wall() + int(command.for_s * 1000)
    await node.database.write(roster.set_own_presence, show, command.text, until)
    await node.settle(SETTLE_S)
    await node.uplink.tell(lambda request: SetPresence(request, show, command.text, until))
    return api.Presence(command.presence, command.text)
