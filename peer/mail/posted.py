"""How far what each device of the account said lies at the tracker, told to its other devices by the account state.

A receipt reaches all devices of an account; that the tracker took a message only the device knows which left it. So each
sets one value, `posted/DEVICE`: for its chains of which something lies there, from which place on nothing does. Only that
device sets it; `account_state.mirror` brings it up to date before anybody looks.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from typing import Annotated

from msgspec import Meta

from peer import api
from peer.effects import Effect, Tell
from peer.log import chains
from peer.log.chains import ChainRow
from peer.log.membership import Conversation, find
from peer.store import own, settings
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity.packing import Packed, pack, unpack
from wire.ids import Counter, DeviceId, EpochField

Connection = sqlite3.Connection
POSTED = "posted/"  # and a device's id in hex
CHAINS = 100
"""In one value: those of which something was said last."""


class _Chain(Packed, frozen=True):
    """What was said below a place lies at the tracker, or came; nothing from there on does."""

    conversation: Annotated[bytes, Meta(min_length=32, max_length=32)]
    epoch: EpochField
    waits: Counter


class _Posted(Packed, frozen=True):
    chains: Annotated[tuple[_Chain, ...], Meta(max_length=CHAINS)]


def mirror(connection: Connection) -> None:
    """Bring the value of this device up to date.

    A chain stands in it while anything lies at the tracker, and on while all of that is due again (its tracker lost it).
    """
    device, _ = own.this_device(connection)
    key = POSTED + device.hex()
    rows = connection.execute(
        "SELECT v.id, h.epoch, min(iif(b.state = 'queued', e.seq, NULL)), max(e.seq),"
        " max(b.state = 'sent') FROM outbox b CROSS JOIN events e ON e.number = b.event"
        " JOIN chains h ON h.number = e.chain JOIN conversations v ON v.number = h.conversation"
        " WHERE b.state IN ('queued', 'sent', 'failed') AND b.state <> 'failed' AND h.device = ?"
        " AND e.is_fork = 0 GROUP BY h.number ORDER BY max(e.number) DESC",
        (device,),
    ).fetchall()
    raw = settings.read(connection, key)
    stood = {(one.conversation, one.epoch) for one in _read(raw)}
    found = [
        _Chain(conversation, epoch, last + 1 if first is None else first)
        for conversation, epoch, first, last, lies_there in rows
        if lies_there or (conversation, epoch) in stood
    ]
    settings.write(connection, key, pack(_Posted(tuple(found[:CHAINS]))) if found else b"")


def merge(connection: Connection, key: str, value: bytes) -> list[Effect]:
    """Take what another device of the account says of its chains; raises RemoteProtocolError(STATE_INVALID)."""
    said = _said(value)
    device = _device_of(key)
    if device is None or device == own.this_device(connection)[0]:
        return []
    effects: list[Effect] = []
    for one in said:
        conversation = find(connection, one.conversation)
        if conversation is not None:
            chain = chains.find(connection, conversation.number, device, one.epoch)
            if chain is not None:
                effects += _mark(connection, conversation, chain, one.waits)
    return effects


def mark(connection: Connection, conversation: Conversation, chain: ChainRow) -> list[Effect]:
    """Mark what came just now of a chain of another own device, and lay at the tracker before it came."""
    said = _read(settings.read(connection, POSTED + chain.device.hex()))
    return [
        effect
        for one in said
        if (one.conversation, one.epoch) == (conversation.id, chain.epoch)
        for effect in _mark(connection, conversation, chain, one.waits)
    ]


def _mark(
    connection: Connection, conversation: Conversation, chain: ChainRow, waits: int
) -> list[Effect]:
    effects: list[Effect] = []
    for before, state, first, last in (
        ("queued", "sent", 0, waits - 1),
        ("sent", "queued", waits, 2**53),
    ):
        rows = connection.execute(
            "UPDATE outbox SET state = ? WHERE contact = ? AND state IN ('queued', 'sent', 'failed')"
            " AND state = ? AND EXISTS (SELECT 1 FROM events e WHERE e.number = outbox.event"
            "  AND e.chain = ? AND e.is_fork = 0 AND e.seq BETWEEN ? AND ?)"
            " RETURNING (SELECT id FROM events WHERE number = outbox.event)",
            (state, conversation.contact, before, chain.number, first, last),
        ).fetchall()
        for (event,) in rows:
            told: dict[str, object] = {"id": event.hex(), "state": state}
            told["friend"] = conversation.friend
            effects.append(Tell(api.Event("receipt", told)))
    return effects


def _device_of(key: str) -> DeviceId | None:
    with suppress(ValueError):
        return DeviceId(bytes.fromhex(key.removeprefix(POSTED)))
    return None


def _read(raw: bytes | None) -> tuple[_Chain, ...]:
    """Give what a value says that is here; nothing for one of another version of this program."""
    with suppress(RemoteProtocolError):
        return _said(raw or b"")
    return ()


def _said(value: bytes) -> tuple[_Chain, ...]:
    return unpack(_Posted, value, Code.STATE_INVALID).chains if value else ()
