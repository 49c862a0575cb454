"""A conversation: events with all that is computed of them, receipts, vectors, a fork."""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from tests.harness.entropy import RecordedEntropy
from tests.vectors.identities import THEN, Somebody
from wire.identity import direct_conversation
from wire.ids import Epoch, OfferId
from wire.log.event import (
    Answer,
    Chain,
    Content,
    Delete,
    Edit,
    Event,
    Offer,
    OfferAnswer,
    Pin,
    Reaction,
    Text,
    Withdrawal,
    write_event,
)
from wire.log.receipt import Reach, ReceiptBody, issue_receipt
from wire.log.vector import digest_of
from wire.machine import UnixMillis
from wire.messages.conversation import VectorEntry


class Story:
    """Two people write; every event follows from the last."""

    def __init__(self) -> None:
        self.alice, self.bob = Somebody("alice"), Somebody("bob")
        self.conversation = direct_conversation(self.alice.identity, self.bob.identity)
        self.epochs: dict[str, Epoch] = {
            who.name: Epoch(who.entropy.bytes(8)) for who in (self.alice, self.bob)
        }
        self.written: dict[str, list[Event]] = {"alice": [], "bob": []}
        self.clock = 0

    def write(
        self, who: Somebody, content: Content, *parents: Event, is_rival: bool = False
    ) -> dict[str, Any]:
        """Write the next event of somebody, or another one for the place of the last."""
        before = self.written[who.name][: -1 if is_rival else None]
        salt = who.entropy.bytes(16)
        event = write_event(
            Chain(
                self.conversation,
                who.keys.device,
                self.epochs[who.name],
                len(before),
                before[-1].id if before else b"",
            ),
            content,
            signing_seed=who.keys.signing_seed,
            parents=tuple(parent.id for parent in parents),
            known_clock=self.clock - is_rival,
            list_counter=1,
            now=UnixMillis(THEN + 1000 * self.clock),
            entropy=RecordedEntropy([salt]),
        )
        if not is_rival:
            self.clock += 1
            self.written[who.name].append(event)
        return {
            "author": who.name,
            "fields": list(astuple(event.header)),
            "content": list(astuple(content)),
            "salt": salt,
            "body": event.sealed.body,
            "header": event.sealed.header,
            "id": event.id,
        }

    def last(self, who: Somebody) -> Event:
        """Give the last event of somebody."""
        return self.written[who.name][-1]


def make() -> dict[str, Any]:
    """Give everything that log.json holds."""
    story = Story()
    alice, bob = story.alice, story.bob
    offer = OfferId(bytes(range(16)))
    offered = Offer(offer, "holiday", 2, 1_048_587, ("holiday",), 99, bytes(32), (alice.identity,))
    events = [
        story.write(alice, Text("hello ü 😀")),
        story.write(bob, Text("and to you", story.last(alice).id), story.last(alice)),
        story.write(bob, Reaction(story.last(alice).id, "\N{THUMBS UP SIGN}")),
        story.write(alice, Edit(story.last(alice).id, "hello again"), story.last(bob)),
        story.write(alice, offered),
        story.write(bob, Answer(offer, OfferAnswer.ACCEPTED), story.last(alice)),
        story.write(alice, Withdrawal(offer), story.last(bob)),
        story.write(bob, Delete(story.last(bob).id), story.last(alice)),
        story.write(alice, Text("passed on", origin="carol")),
        story.write(bob, Pin(story.last(alice).id, is_pinned=True), story.last(alice)),
    ]
    rival = story.write(bob, Text("something else"), story.last(alice), is_rival=True)
    entries = [
        VectorEntry(who.keys.device, story.epochs[who.name], 0, len(mine), mine[-1].id)
        for who, mine in ((alice, story.written["alice"]), (bob, story.written["bob"]))
    ]
    receipt = ReceiptBody(
        conversation=story.conversation,
        device=bob.keys.device,
        has=(Reach(alice.keys.device, story.epochs["alice"], 4),),
        seen=None,
        counter=9,
        list_counter=1,
    )
    seen = ReceiptBody(
        conversation=story.conversation,
        device=bob.keys.device,
        has=receipt.has,
        seen=(Reach(alice.keys.device, story.epochs["alice"], 3),),
        counter=10,
        list_counter=1,
    )
    return {
        "about": "A conversation of the two people of identity.json, each on their first device, in the order in which "
        "it is shown. `fields` are those of a header; `header` is the signed value as it travels. `fork` "
        "is another event of Bob's for the place of his last. `vector` is what is here after all events.",
        "conversation": story.conversation,
        "epochs": story.epochs,
        "events": events,
        "fork": rival,
        "vector": [list(astuple(entry)) for entry in entries],
        "vector_digest": digest_of(entries),
        "empty_digest": digest_of([]),
        "receipts": [
            {"fields": _receipt(body), "signed": issue_receipt(bob.keys.signing_seed, body)}
            for body in (receipt, seen)
        ],
    }


def _receipt(body: ReceiptBody) -> list[Any]:
    has = [list(astuple(reach)) for reach in body.has]
    seen = None if body.seen is None else [list(astuple(reach)) for reach in body.seen]
    return [body.conversation, body.device, has, seen, body.counter, body.list_counter]
