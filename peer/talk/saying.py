"""What commands that write events mean on a running node: keep what is said, and wait for its receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, get_args

from peer import api, conversations
from peer.effects import Effect
from peer.history import history
from peer.talk import acts
from peer.times import wall
from wire.ids import account_name

if TYPE_CHECKING:
    from peer.node import Node

Command = (
    api.SendText
    | api.RetryText
    | api.EditText
    | api.DeleteText
    | api.React
    | api.PinText
    | api.ForwardText
)
COMMANDS: tuple[type[Command], ...] = get_args(Command)
ENDED = ("delivered", "read", "failed")
Said = api.MessageState | api.MessageChanged
Write = Callable[..., tuple[Said, list[Effect]]]


async def carry_out(node: Node, command: Command, request_id: str) -> api.Result:
    """Keep what a command says, and stay as long as it wishes for a receipt; raises PeerError and WireError."""
    if not command.wait_s:
        return await _kept(node, command, request_id)
    event: str | None = None  # nothing is heard of it before it is kept
    states: asyncio.Queue[str] = asyncio.Queue()

    def hear(told: api.Event) -> None:
        if told.event == "receipt" and told.body["id"] == event:
            states.put_nowait(str(told.body["state"]))

    leave = node.audience.listen(hear)
    try:
        kept = await _kept(node, command, request_id)
        event, state = _event_of(kept), kept.state
        ends = (*ENDED, "sent") if command.is_sent_enough else ENDED
        try:
            async with asyncio.timeout(command.wait_s):
                while event is not None and state not in ends:
                    state = await states.get()
        except TimeoutError:
            pass  # it is accepted; how far it came is in the answer
        return _with_state(kept, state)
    finally:
        leave()


async def _kept(node: Node, command: Command, request_id: str) -> Said:
    """Commit what is said; what was said under that id before is given as far as it has come."""
    kept = await node.write(request_id, _writing(node, command))
    if isinstance(kept, Said):
        return kept
    item: dict[str, Any] = api.as_json(kept)
    said: Said
    if "event" in item:
        said = api.MessageChanged(item["id"], item["event"], item["state"])
    else:
        said = api.MessageState(item["id"], item["state"])
    event = _event_of(said)
    if event is None:
        return said
    return _with_state(said, node.database.read(history.state_of, bytes.fromhex(event)))


def _writing(node: Node, command: Command) -> Write:
    """Give what writes a command's event, to be called with a connection."""
    pen = acts.Pen(node.profile.keys, wall(), node.entropy)
    match command:
        case api.SendText(to=to, text=text, reply_to=reply_to):
            name = account_name(to)
            return lambda connection: conversations.say(
                connection, pen.keys, name, text, reply_to, pen.now, pen.entropy
            )
        case api.RetryText(id=prefix):
            return lambda connection: conversations.retry(
                connection, pen.keys, prefix, pen.now, pen.entropy
            )
        case api.EditText(id=prefix, text=text):
            return lambda connection: acts.edit(connection, pen, prefix, text)
        case api.DeleteText(id=prefix):
            return lambda connection: acts.delete(connection, pen, prefix)
        case api.React(id=prefix, mark=mark):
            return lambda connection: acts.react(connection, pen, prefix, mark)
        case api.PinText(id=prefix, is_pinned=is_pinned):
            return lambda connection: acts.pin(connection, pen, prefix, is_pinned=is_pinned)
        case api.ForwardText(id=prefix, to=to):
            name = account_name(to)
            return lambda connection: acts.forward(connection, pen, prefix, name)


def _event_of(said: Said) -> str | None:
    return said.event if isinstance(said, api.MessageChanged) else said.id


def _with_state(said: Said, state: str | None) -> Said:
    if isinstance(said, api.MessageChanged):
        return api.MessageChanged(said.id, said.event, state)
    return api.MessageState(said.id, state or "queued")
