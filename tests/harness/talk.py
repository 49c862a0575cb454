"""Two people who talk, driven by hand: what one says is carried to the other event by event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from peer import api, conversations
from peer.effects import Effect, SendOnLink, Tell
from peer.history import transcript
from peer.log import syncing
from peer.log.chains import vector
from peer.log.membership import with_friend
from peer.people import contacts
from peer.store import own
from tests.harness.simnet import SimPeer
from wire.identity import direct_conversation
from wire.ids import ConversationId
from wire.machine import UnixMillis
from wire.messages import Message
from wire.messages.conversation import Devices, Events, Receipt, SealedEvent, VectorEntry


def say(one: SimPeer, to: str, text: str, reply_to: str | None = None) -> str:
    """Say something durably; gives its id."""
    said, _ = one.database.write(
        conversations.say, one.keys, to, text, reply_to, one.world.wall(), one.entropy
    )
    one.database.commit()
    return said.id


def conversation_of(one: SimPeer, other: SimPeer) -> ConversationId:
    """Give the id of two people's conversation."""
    return direct_conversation(one.keys.identity, other.keys.identity)


def events_of(one: SimPeer, ids: Iterable[str]) -> Events:
    """Give the events of those ids as they would travel."""
    rows = [
        one.database.connection.execute(
            "SELECT e.header, e.body, v.id FROM events e"
            " JOIN conversations v ON v.number = e.conversation WHERE e.id = ?",
            (bytes.fromhex(event),),
        ).fetchone()
        for event in ids
    ]
    return Events(rows[0][2], tuple(SealedEvent(header, body) for header, body, _ in rows))


def open_link(sender: SimPeer, to: SimPeer) -> list[Effect]:
    """Let a link of `sender` open at `to`; gives what is said first."""
    newest = sender.database.read(own.need_account).device_list
    return to.database.write(
        syncing.opened,
        sender.keys.device,
        sender.keys.identity,
        sender.keys.certificate,
        newest,
        to.world.wall(),
    )


def give(
    message: Message, sender: SimPeer, to: SimPeer, *, at: UnixMillis | None = None
) -> list[Effect]:
    """Let a message come on a link of `sender`, and give what follows from it."""
    assert syncing.is_stored(message)
    open_link(sender, to)
    return to.database.write(
        syncing.store,
        to.keys,
        sender.keys.device,
        sender.keys.identity,
        message,
        to.world.wall() if at is None else at,
        to.entropy,
    )


def introduce(whose: SimPeer, to: SimPeer) -> None:
    """Let a peer know the devices of an account it knows."""
    mine = whose.database.read(own.need_account)
    give(Devices(mine.device_list, (whose.keys.certificate,)), whose, to)


def pass_on(one: SimPeer, to: SimPeer, *ids: str) -> list[Effect]:
    """Bring events by their ids."""
    return give(events_of(one, ids), one, to)


def receipt_of(one: SimPeer, friend: str) -> Receipt:
    """Give the newest receipt that a peer signed in its conversation with a friend."""
    row = one.database.connection.execute(
        "SELECT r.signed FROM receipts r JOIN conversations v ON v.number = r.conversation"
        " JOIN contacts c ON c.number = v.contact WHERE r.device = ? AND c.name = ?",
        (one.keys.device, friend),
    ).fetchone()
    return Receipt(row[0])


def told(effects: list[Effect], kind: str) -> list[dict[str, Any]]:
    """Give what the faces are told of one kind."""
    return [e.event.body for e in effects if isinstance(e, Tell) and e.event.event == kind]


def sent(effects: list[Effect], to: SimPeer, kind: type[Message]) -> list[Any]:
    """Give the messages of one kind that leave for a device."""
    return [
        e.message
        for e in effects
        if isinstance(e, SendOnLink) and e.device == to.keys.device and isinstance(e.message, kind)
    ]


def lines(one: SimPeer, friend: str) -> list[tuple[str, str]]:
    """Give (kind, text) of everything shown, in order."""
    return [(m.kind, m.text) for m in one.database.read(transcript.messages, friend)]


def messages(one: SimPeer, friend: str | None, **how: object) -> list[api.Message]:
    """Give the messages shown, in order."""
    found = one.database.read(transcript.messages, friend, **how)  # type: ignore[arg-type]
    return [message for message in found if message.kind == "message"]


def vector_of(one: SimPeer, friend: str) -> list[VectorEntry]:
    """Give what a peer says it has of its conversation with a friend."""
    contact = one.database.read(contacts.find_friend, friend)
    conversation = one.database.write(with_friend, contact)
    return one.database.read(vector, conversation.number, is_for_own=False)


def tick(one: SimPeer, after_ms: int = 0) -> list[Effect]:
    """Let time pass at one peer."""
    now = UnixMillis(one.world.wall() + after_ms)
    return one.database.write(conversations.expire, now)
