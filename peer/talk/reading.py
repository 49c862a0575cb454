"""What the commands that show what was said mean on a running node."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeAlias, get_args

from msgspec.structs import replace

from peer import api
from peer.history import history, indexing, search, transcript
from peer.history.transcript import Wanted
from peer.store.database import Database
from peer.talk import seen
from peer.times import wall

if TYPE_CHECKING:
    from peer.node import Node

ReadingCommand: TypeAlias = api.ReadMessages | api.GetHistory | api.SearchMessages
COMMANDS: tuple[type[ReadingCommand], ...] = get_args(ReadingCommand)


async def carry_out(node: Node, command: ReadingCommand) -> AsyncGenerator[api.Result, None]:
    """Carry out one of these commands; raises PeerError as `history` and `search` do."""
    match command:
        case api.ReadMessages():
            async for message in _read(node, command):
                yield message
        case api.GetHistory():
            async for line in whole_history(node.database, command):
                yield line
        case api.SearchMessages():
            while await node.database.write(indexing.catch_up):
                pass
            for found in await node.database.study(search.find, command):
                yield found


async def whole_history(
    database: Database, command: api.GetHistory
) -> AsyncGenerator[api.Message, None]:
    """Give a conversation's lines, a page at a time, so that a long one takes no more memory than a short one.

    Raises PeerError as `transcript.messages` does.
    """
    before, until = await database.study(transcript.cut, command.before)
    wanted = Wanted(command.to, limit=command.limit, before=before, until=until, with_versions=True)
    if command.limit is None:
        wanted = replace(wanted, limit=transcript.PAGE, is_from_start=True)
    while lines := await database.study(transcript.page, wanted):
        for line in lines:
            yield line.message
        if command.limit is not None:
            return
        wanted = replace(wanted, after=lines[-1].key)


async def _read(node: Node, command: api.ReadMessages) -> AsyncGenerator[api.Result, None]:
    queue, leave = node.audience.subscribe()
    keys = node.profile.keys

    async def read(asked: api.ReadMessages) -> list[api.Message]:
        devices = node.linking.devices()
        found, effects = await node.database.write(seen.read_and_tell, keys, asked, devices, wall())
        node.carry_out(effects)
        return found

    try:
        found = await read(command)
        given = {message.id for message in found}
        for message in found:
            yield message
        while command.follow:
            event = await queue.get()
            is_line = event.event == "message" or (
                event.event == "offer" and event.body["state"] == "offered"
            )
            if not is_line or event.body["id"] in given:
                continue
            for message in await read(replace(command, unread_only=True, limit=None, before=None)):
                if message.id not in given:
                    given.add(message.id)
                    yield message
            one = await node.database.write(history.read_one, str(event.body["id"]), command.to)
            if one is not None and one.id not in given:
                given.add(one.id)
                yield one
    finally:
        leave()
