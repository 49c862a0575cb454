"""A conversation with a friend over one link: signed events, receipts, who has what. PROTOCOL.md, section 4."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.independent import values
from tests.independent.link import PATIENCE_S, Ended, Link, Message, number, octets, rows
from tests.independent.msgpack import Value, pack, unpack_array
from tests.independent.values import Certificate, Device

TEXT, EDIT, DELETE, REACTION, OFFER, WITHDRAWAL, ANSWER = range(1, 8)
ACCEPTED, DECLINED, CANCELLED, DONE = range(1, 5)
CHAIN = slice(1, 3)  # device and epoch in a header, what names a chain

Chain = tuple[bytes, bytes]


@dataclass(frozen=True)
class Event:
    """An event: as it travels, and taken apart."""

    sealed: bytes
    body: bytes
    header: list[Value]

    @property
    def id(self) -> bytes:
        """Give the event's name."""
        return values.value_id(self.sealed)

    @property
    def chain(self) -> Chain:
        """Give device and epoch of the author."""
        return octets(self.header, 1), octets(self.header, 2)

    @property
    def seq(self) -> int:
        """Give the place in the chain."""
        return number(self.header, 3)

    @property
    def order(self) -> tuple[int, bytes]:
        """Give what events are shown by."""
        return number(self.header, 6), octets(self.header, 1)

    @property
    def kind(self) -> int:
        """Give what the event is."""
        return number(self.header, 8)

    @property
    def content(self) -> list[Value]:
        """Give what it says."""
        return unpack_array(self.body[16:])


def write_event(
    signing_seed: bytes, header: Sequence[Value], content: Sequence[Value], salt: bytes
) -> Event:
    """Sign an event; header: its first ten fields, the two about the body are computed."""
    body = salt + pack(content)
    whole = [*header, hashlib.sha256(body).digest(), len(body)]
    return Event(values.issue(signing_seed, "event", whole), body, whole)


def read_event(sealed: bytes, body: bytes, author: Certificate, conversation: bytes) -> Event:
    """Verify an event of a device."""
    header = values.read(sealed, "event", author.signing_key)
    if header[:2] != [conversation, author.device]:
        raise ValueError("an event of another conversation or device")
    if header[10:12] != [hashlib.sha256(body).digest(), len(body)]:
        raise ValueError("a body that its header does not name")
    if (header[3] == 1) is not (header[4] == b""):
        raise ValueError("prev does not fit seq")
    return Event(sealed, body, header)


def vector_digest(entries: Sequence[Sequence[Value]]) -> bytes:
    """Give 16 bytes for a vector."""
    lines = sorted(
        octets(row, 0)
        + octets(row, 1)
        + struct.pack(">QQ", number(row, 2), number(row, 3))
        + octets(row, 4)
        for row in entries
    )
    return hashlib.sha256(b"".join(lines)).digest()[:16]


class Talk:
    """What two people said, as one device of ours has it, and the link it is told over.

    friend: the certificate of the device at the other end; of an own one, with: whose conversation it is.
    delivered: how far a receipt covers our chain.
    """

    def __init__(self, own: Device, friend: Certificate, *, with_: bytes | None = None) -> None:
        self.own = own
        self.friend = friend
        self.conversation = values.conversation_of(own.identity, with_ or friend.identity)
        self.pins = {own.identity, with_ or friend.identity}
        self.epoch = os.urandom(8)
        self.events: dict[bytes, Event] = {}
        self.authors: dict[bytes, Certificate] = {friend.device: friend}
        self.delivered = 0
        self.receipts = 0
        self.refused: list[bytes] = []  # ids of what did not verify
        self.asked_to_dial = False
        self._told = False

    # --- our side

    def write(self, kind: int, content: Sequence[Value], **other: Value) -> Event:
        """Write the next event of our chain; other: header fields that a liar puts otherwise."""
        return self.sign(self.header(kind, **other), content)

    def header(self, kind: int, **other: Value) -> list[Value]:
        """Give the first ten fields of our next event's header."""
        mine = self.chain((self.own.id, self.epoch))
        named = {octets(row, 4) for row in (event.header for event in self.events.values())}
        parents: set[bytes] = set()
        for event in self.events.values():
            listed = event.header[5]
            assert isinstance(listed, list)
            parents |= {one for one in listed if isinstance(one, bytes)}
        heads = [
            event
            for event in self.events.values()
            if event.id not in named and event.id not in parents
        ]
        heads.sort(key=lambda event: event.order, reverse=True)
        fields: dict[str, Value] = {
            "conversation": self.conversation,
            "device": self.own.id,
            "epoch": self.epoch,
            "seq": len(mine) + 1,
            "prev": mine[-1].id if mine else b"",
            "parents": [event.id for event in heads[:16]],
            "clock": 1 + max((number(e.header, 6) for e in self.events.values()), default=0),
            "at": values.now_ms(),
            "kind": kind,
            "list_counter": 1,
        }
        return list((fields | other).values())

    def sign(
        self, header: Sequence[Value], content: Sequence[Value], seed: bytes | None = None
    ) -> Event:
        """Sign an event with our key, or with another."""
        return write_event(seed or self.own.signing_seed, header, content, os.urandom(16))

    def say(self, link: Link, kind: int, content: Sequence[Value]) -> Event:
        """Write an event and send it."""
        event = self.write(kind, content)
        self.events[event.id] = event
        self.send(link, event)
        return event

    def send(self, link: Link, *events: Event) -> None:
        """Send events as they are."""
        link.say("Events", self.conversation, [[event.sealed, event.body] for event in events])

    # --- what is here

    def chain(self, chain: Chain) -> list[Event]:
        """Give the events of a chain, in order."""
        return sorted(
            (event for event in self.events.values() if event.chain == chain),
            key=lambda event: event.seq,
        )

    def vector(self) -> list[list[Value]]:
        """Give what is here, a row for each chain: nothing is missing below its end."""
        ends: dict[Chain, Event] = {}
        for event in self.events.values():
            if event.chain not in ends or ends[event.chain].seq < event.seq:
                ends[event.chain] = event
        return [[*chain, 0, end.seq, end.id] for chain, end in ends.items()]

    def texts(self) -> list[tuple[bytes, str]]:
        """Give (author device, text) in display order."""
        shown = sorted(self.events.values(), key=lambda event: event.order)
        return [(event.chain[0], str(event.content[0])) for event in shown if event.kind == TEXT]

    def of_kind(self, kind: int) -> list[Event]:
        """Give the events of a kind, in display order."""
        shown = sorted(self.events.values(), key=lambda event: event.order)
        return [event for event in shown if event.kind == kind]

    # --- over a link

    def begin(self, link: Link) -> None:
        """Say what we have: the first thing on a link that opened."""
        self._told = False
        link.say("Digests", [[self.conversation, vector_digest(self.vector())]], True)

    def until(self, link: Link, is_enough: Callable[[], object]) -> None:
        """Read and answer until something is so."""
        while not is_enough():
            self.take(link, link.next())

    def take(self, link: Link, message: Message) -> None:
        """Take one message of the other end and answer it."""
        name, fields = message
        if name == "Digests":
            ours = [self.conversation, vector_digest(self.vector())]
            if ours not in rows(fields, 0):
                self._say_vector(link)
        elif name == "Vector" and fields[0] == self.conversation:
            self._say_vector(link)
            has = {(octets(row, 0), octets(row, 1)): number(row, 3) for row in rows(fields, 1)}
            lacking = [e for e in self.events.values() if e.seq > has.get(e.chain, 0)]
            if lacking:
                self.send(link, *sorted(lacking, key=lambda event: event.order))
        elif name == "Events" and fields[0] == self.conversation:
            self.take_events(rows(fields, 1))
            link.say("Receipt", self.receipt())
        elif name == "Receipt":
            self._take_receipt(octets(fields, 0))
        elif name == "Devices":
            self._take_devices(octets(fields, 0), fields[1])
        elif name == "AskEvents" and fields[0] == self.conversation:
            assert isinstance(fields[1], list)
            asked = [self.events[one] for one in fields[1] if one in self.events]
            if asked:
                self.send(link, *asked)
        elif name == "AskDial":
            self.asked_to_dial = True

    def take_events(self, events: Sequence[Sequence[Value]]) -> None:
        """Take rows of header and body, from a link or a letter."""
        for event in events:
            self._take_event(octets(event, 0), octets(event, 1))

    def take_letter(self, records: Sequence[Message]) -> None:
        """Take what a letter says, as if it had come on a link; there is nobody to answer."""
        for name, fields in records:
            if name == "Devices":
                self._take_devices(octets(fields, 0), fields[1])
            elif name == "Events" and fields[0] == self.conversation:
                self.take_events(rows(fields, 1))
            elif name == "Receipt":
                self._take_receipt(octets(fields, 0))

    def receipt(self, counter: int | None = None) -> bytes:
        """Sign what we have of the others' chains."""
        self.receipts += 1
        has = sorted([row[0], row[1], row[3]] for row in self.vector() if row[0] != self.own.id)
        return sign_receipt(self.own, self.conversation, has, counter or self.receipts)

    def _say_vector(self, link: Link) -> None:
        if not self._told:
            self._told = True
            link.say("Vector", self.conversation, self.vector(), True)

    def _take_devices(self, device_list: bytes, certificates: Value) -> None:
        """Learn the devices of an account whose pin is known."""
        identity = octets(values.peek(device_list), 0)
        assert isinstance(certificates, list)
        for certificate in certificates if identity in self.pins else ():
            assert isinstance(certificate, bytes)
            with contextlib.suppress(ValueError):  # one that was taken off
                vouched = values.read_certificate(certificate, device_list, identity)
                self.authors[vouched.device] = vouched

    def _take_event(self, sealed: bytes, body: bytes) -> None:
        device = octets(values.peek(sealed), 1)
        author = self.authors.get(device)
        if device == self.own.id or author is None:
            self.refused.append(values.value_id(sealed))
            return
        event = read_event(sealed, body, author, self.conversation)
        self.events[event.id] = event

    def _take_receipt(self, signed: bytes) -> None:
        author = self.authors.get(octets(values.peek(signed), 1))
        if author is None:
            return
        said = values.read(signed, "receipt", author.signing_key)
        for device, epoch, high in rows(said, 2):
            if (device, epoch) == (self.own.id, self.epoch):
                assert isinstance(high, int)
                self.delivered = max(self.delivered, high)


def sign_receipt(
    own: Device, conversation: bytes, has: Sequence[Value], counter: int, list_counter: int = 1
) -> bytes:
    """Sign a receipt; has: rows of device, epoch, high."""
    body = [conversation, own.id, has, None, counter, list_counter]
    return values.issue(own.signing_seed, "receipt", body)


def link_to(own: Device, friend: Certificate, place: tuple[str, int], purpose: str) -> Link:
    """Dial a friend's device and open the link."""
    return link_over(own, friend, socket.create_connection(place, PATIENCE_S), purpose)


def link_over(own: Device, friend: Certificate, connection: socket.socket, purpose: str) -> Link:
    """Open the link as the initiator, over a connection that stands."""
    link = Link.call(
        connection,
        purpose,
        expected=friend.identity,
        static=own.link_private,
        remote_static=friend.link_key,
    )
    link.say_hello(own)
    link.hear_hello(friend.identity)
    return link


def link_from(own: Device, connection: socket.socket, identity: bytes) -> Link:
    """Take a call from a friend's device and open the link; raises Ended where it is somebody else."""
    link = Link.accept(connection, own=own.identity, static=own.link_private)
    try:
        if link.caller() != identity:
            link.end("not-admitted")
            raise Ended("not-admitted")
        link.hear_hello(identity)
        link.say_hello(own)
    except BaseException:
        link.wire.close()
        raise
    return link
