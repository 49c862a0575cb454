"""What commands that write events mean on a running node: keep what is said, and wait for its receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from peer import api, conversations
from peer.effects import Effect
from peer.errors import PeerError
from peer.history import history
from peer.talk import acts
from peer.talk.voice import Heard, Outcome
from peer.times import wall
from wire.codes import Code
from wire.ids import account_name

if TYPE_CHECKING:
    from peer.node import Node

T = TypeVar("T")
Act = api.RetryText | api.EditText | api.DeleteText | api.React | api.PinText | api.ForwardText
Command = api.SendText | Act
COMMANDS: tuple[type[Command], ...] = get_args(Command)
Said = api.MessageState | api.MessageChanged
Write = Callable[..., tuple[Said, list[Effect]]]


def check_may_write(node: Node) -> None:
    """Raise PeerError(DEVICE_REVOKED) where the tracker says that this device was taken off, and nobody else listens.

    What a signed list says is asked where events are written (`standing.check_may_write`). The tracker's word is no
    proof: while a link stands, whoever is there takes what is said.
    """
    failure = node.uplink.failure
    if failure is None or failure.code is not Code.DEVICE_REVOKED:
        return
    if not node.linking.linked_friends():
        raise failure


def begin(node: Node, command: api.Command, request_id: str, then: Heard) -> bool:
    """Keep what is to be said and stay as long as it wishes for a receipt, without a task; False for every other command."""
    if not isinstance(command, api.SendText):
        return False
    wait_s = command.wait_s
    try:
        check_may_write(node)
    except PeerError as error:
        then(error)
        return True

    def stay(kept: Outcome) -> None:
        if isinstance(kept, BaseException) or not wait_s:
            then(kept)
            return
        node.voice.arrivals.stay(
            kept.id,
            kept.state,
            wait_s,
            lambda state: then(api.MessageState(kept.id, state)),
            is_sent_enough=command.is_sent_enough,
        )

    node.voice.say(command, request_id, stay)
    return True


async def carry_out(node: Node, command: Command, request_id: str) -> api.Result:
    """Keep what a command says, and stay as long as it wishes for a receipt; raises PeerError and WireError."""
    heard: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    if begin(node, command, request_id, partial(_hear, heard)):
        outcome = await heard
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome
    assert not isinstance(command, api.SendText)
    check_may_write(node)
    kept = await _kept(node, command, request_id)
    event = _event_of(kept)
    if not command.wait_s or event is None or kept.state is None:
        return kept
    state: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    node.voice.arrivals.stay(
        event,
        kept.state,
        command.wait_s,
        partial(_hear, state),
        is_sent_enough=command.is_sent_enough,
    )
    return _with_state(kept, await state)


def _hear(future: asyncio.Future[T], value: T) -> None:
    """Give a value to whoever waits for it, unless they left."""
    if not future.done():
        future.set_result(value)


async def _kept(node: Node, command: Act, request_id: str) -> Said:
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


def _writing(node: Node, command: Act) -> Write:
    """Give what writes a command's event, to be called with a connection."""
    pen = acts.Pen(node.profile.keys, wall(), node.entropy)
    match command:
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
