"""Signed events: the header that is signed and lasts, the body that may go.

    sealed header   MessagePack of [header: MessagePack of Header, signature: 64 bytes]
    id              SHA-256 of the header's bytes, without the signature
    body            16 random bytes of salt, then the content: MessagePack of the kind's struct
    body_hash       SHA-256 of the body with its salt: a header alone does not let anybody guess the body

The header's bytes are kept and passed on as received. Whether an event may stand in a log (its chain,
its parents, its author's right to speak) is for the owner of the log.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from wire import limits
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity import Certificate
from wire.identity.packing import Packed, pack, unpack
from wire.identity.sign import Signed, SignPurpose, enclose, open_container, verify
from wire.ids import (
    ConversationId,
    ConversationIdField,
    Counter,
    DeviceId,
    DeviceIdField,
    Epoch,
    EpochField,
    EventId,
    EventIdField,
    IdentityKeyField,
    Millis,
    OfferIdField,
    Seq,
    SizeBytes,
)
from wire.machine import Entropy, UnixMillis
from wire.messages.conversation import SealedEvent

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
IdOrNone = Annotated[bytes, Meta(max_length=32)]  # 32 bytes, or empty for none
MessageText = Annotated[str, Meta(min_length=1, max_length=limits.MESSAGE_BYTES)]


class EventKind(enum.IntEnum):
    """What an event is; acts of rooms begin at 32. Unknown kinds are stored and passed on, not shown."""

    TEXT = 1
    EDIT = 2
    DELETE = 3
    REACTION = 4
    OFFER = 5
    WITHDRAWAL = 6
    ANSWER = 7
    PIN = 8


class OfferAnswer(enum.IntEnum):
    """What became of an offer at its receiver."""

    ACCEPTED = 1
    DECLINED = 2
    CANCELLED = 3
    DONE = 4  # every file verified and under its final name
    FAILED = 5  # it cannot go on there; accepted again it begins anew


class Text(Packed, frozen=True):
    """Words. text: 1 byte to 64 KiB of UTF-8. reply_to: an event's id, or empty.

    origin: of words that were passed on, the account name of who wrote them as the author says; else empty.
    """

    text: MessageText
    reply_to: IdOrNone = b""
    origin: Annotated[str, Meta(max_length=limits.ACCOUNT_NAME_CHARS)] = ""


class Edit(Packed, frozen=True):
    """The author's event `target` now reads `text`; the former words stay in the log."""

    target: EventIdField
    text: MessageText


class Delete(Packed, frozen=True):
    """The author asks everybody to drop the body of `target`."""

    target: EventIdField


class Reaction(Packed, frozen=True):
    """A mark on `target`, see `wire.log.marks`; empty takes it back."""

    target: EventIdField
    mark: Annotated[str, Meta(max_length=limits.MARK_CHARS)]


class Pin(Packed, frozen=True):
    """`target` is kept in sight of everybody in the conversation, or no more."""

    target: EventIdField
    is_pinned: bool


class Offer(Packed, frozen=True):
    """Files that the writing device has and will send to whoever is in the conversation.

    holes: bytes of `size` that take no space, as far as the writer's file system tells; more than all of it is none.
    """

    offer: OfferIdField
    title: Annotated[str, Meta(min_length=1, max_length=limits.NAME_BYTES)]
    files: Annotated[int, Meta(ge=0, le=limits.FILES_PER_OFFER)]
    size: SizeBytes
    top_names: Annotated[
        tuple[Annotated[str, Meta(max_length=limits.NAME_BYTES)], ...],
        Meta(max_length=limits.TOP_NAMES),
    ]
    manifest_size: Annotated[int, Meta(ge=1, le=limits.PAGES * limits.PAGE_BYTES)]
    manifest_digest: Hash
    recipients: Annotated[
        tuple[IdentityKeyField, ...], Meta(max_length=limits.OFFER_RECIPIENTS)
    ] = ()
    holes: SizeBytes = 0

    @property
    def needed_bytes(self) -> int:
        """How much space it takes, as far as its writer told."""
        return self.size - self.holes if self.holes <= self.size else self.size


class Withdrawal(Packed, frozen=True):
    """The offering side takes an offer back."""

    offer: OfferIdField


class Answer(Packed, frozen=True):
    """What the receiving side does with an offer. code: why it failed there, else empty."""

    offer: OfferIdField
    answer: OfferAnswer
    code: Annotated[str, Meta(max_length=48)] = ""


Content = Text | Edit | Delete | Reaction | Offer | Withdrawal | Answer | Pin

BODIES: dict[EventKind, type[Content]] = {
    EventKind.TEXT: Text,
    EventKind.EDIT: Edit,
    EventKind.DELETE: Delete,
    EventKind.REACTION: Reaction,
    EventKind.OFFER: Offer,
    EventKind.WITHDRAWAL: Withdrawal,
    EventKind.ANSWER: Answer,
    EventKind.PIN: Pin,
}
_KIND_OF: dict[type[Content], EventKind] = {cls: kind for kind, cls in BODIES.items()}


class Header(Packed, frozen=True):
    """What is signed. parents: at most 16 heads the author had seen, highest (clock, device) first."""

    conversation: ConversationIdField
    device: DeviceIdField
    epoch: EpochField
    seq: Seq
    prev: IdOrNone  # of this chain's former event; empty at seq 1
    parents: Annotated[tuple[EventIdField, ...], Meta(max_length=limits.PARENTS)]
    clock: Annotated[int, Meta(ge=1, le=2**53)]
    at: Millis  # the author's wall clock: a label
    kind: Annotated[int, Meta(ge=1, le=255)]
    list_counter: Counter  # of the author's device list, as the author knew it
    body_hash: Hash
    body_bytes: Annotated[int, Meta(ge=limits.SALT_BYTES, le=limits.EVENT_BODY_BYTES)]


class Event(Struct, frozen=True):
    """A verified event. sealed: as it travels. content: None if the body is gone or its kind unknown."""

    id: EventId
    header: Header
    sealed: SealedEvent
    content: Content | None


class Chain(Struct, frozen=True):
    """Where one device stands in one conversation: what its next event continues.

    seq, clock: of the last event, 0 before the first; head: its id, empty before the first.
    """

    conversation: ConversationId
    device: DeviceId
    epoch: Epoch
    seq: int = 0
    head: bytes = b""


def text_content(text: str, reply_to: bytes = b"", origin: str = "") -> Text:
    """Give a message's content; raises LocalProtocolError with MESSAGE_EMPTY or MESSAGE_TOO_LONG."""
    return Text(checked_text(text), reply_to, origin)


def checked_text(text: str) -> str:
    """Give words that may be said as they are; raises LocalProtocolError as `text_content` does."""
    if not text.strip():
        raise LocalProtocolError("the message is empty", Code.MESSAGE_EMPTY)
    if (
        len(text) > limits.MESSAGE_BYTES
        or len(text.encode(errors="replace")) > limits.MESSAGE_BYTES
    ):
        raise LocalProtocolError("the message is longer than 65536 bytes", Code.MESSAGE_TOO_LONG)
    return text


def write_event(
    chain: Chain,
    content: Content,
    *,
    signing_seed: bytes,
    parents: tuple[EventId, ...],
    known_clock: int,
    list_counter: int,
    now: UnixMillis,
    entropy: Entropy,
) -> Event:
    """Write the next event of a chain.

    parents: the heads this device has seen, highest first. known_clock: the highest clock in the
    conversation. now: the label. Raises LocalProtocolError for content out of bounds.
    """
    body = entropy.bytes(limits.SALT_BYTES) + pack(content)
    header = Header(
        conversation=chain.conversation,
        device=chain.device,
        epoch=chain.epoch,
        seq=chain.seq + 1,
        prev=chain.head,
        parents=parents[: limits.PARENTS],
        clock=known_clock + 1,
        at=now,
        kind=_KIND_OF[type(content)],
        list_counter=list_counter,
        body_hash=sha256(body),
        body_bytes=len(body),
    )
    signed = pack(header)
    sealed = SealedEvent(enclose(signing_seed, SignPurpose.EVENT, signed), body)
    return Event(EventId(sha256(signed)), header, sealed, content)


def read_event(
    sealed: SealedEvent,
    certificate_of: Callable[[DeviceId], Certificate | None],
    *,
    known_clock: int,
) -> Event:
    """Verify an event that came from anywhere.

    certificate_of: gives the verified certificate of a device, or None if unknown. known_clock: the highest
    clock known in the conversation. Raises RemoteProtocolError: EVENT_INVALID, PARENTS_LIMIT,
    SIGNATURE_INVALID, DEVICE_UNKNOWN, CLOCK_INVALID.
    """
    event_id, header = read_header(sealed.header, certificate_of)
    if header.clock > known_clock + limits.CLOCK_AHEAD:
        raise RemoteProtocolError(Code.CLOCK_INVALID, f"clock {header.clock}, known {known_clock}")
    return Event(event_id, header, sealed, read_body(header, sealed.body))


def read_header(
    sealed: bytes, certificate_of: Callable[[DeviceId], Certificate | None]
) -> tuple[EventId, Header]:
    """Verify a signed header without its body: all that a proof of a fork needs.

    sealed: as received. certificate_of: as in `read_event`, which says what is raised.
    """
    container, event_id, header = _apart(sealed)
    certificate = certificate_of(header.device)
    if certificate is None:
        raise RemoteProtocolError(Code.DEVICE_UNKNOWN, "an event of an unknown device")
    verify(certificate.signing_key, SignPurpose.EVENT, container.signature, container.body)
    _check_shape(header, event_id)
    return event_id, header


def claimed_header(sealed: bytes) -> tuple[EventId, Header]:
    """Give a header WITHOUT verifying it, with the id it would have; raises RemoteProtocolError(EVENT_INVALID)."""
    return _apart(sealed)[1:]


def read_body(header: Header, body: bytes | None) -> Content | None:
    """Check a body against its header and give its content; None for a body that is gone or unknown."""
    if body is None:
        return None
    if len(body) != header.body_bytes or sha256(body) != header.body_hash:
        raise RemoteProtocolError(Code.EVENT_INVALID, "a body is not the one its header names")
    if header.kind not in EventKind.__members__.values():
        return None
    content = unpack(BODIES[EventKind(header.kind)], body[limits.SALT_BYTES :], Code.EVENT_INVALID)
    if isinstance(content, Text | Edit) and (
        not content.text.strip() or len(content.text.encode()) > limits.MESSAGE_BYTES
    ):
        raise RemoteProtocolError(Code.EVENT_INVALID, "a message that is empty or too long")
    return content


def peek_header(sealed: bytes) -> Header:
    """Parse a header that was verified when it was stored."""
    return _apart(sealed)[2]


@lru_cache(maxsize=limits.EVENTS_PER_BATCH)
def _apart(sealed: bytes) -> tuple[Signed, EventId, Header]:
    """Take a sealed header apart, verifying nothing; of each that comes this is asked several times."""
    container = open_container(sealed, limits.EVENT_HEADER_BYTES, Code.EVENT_INVALID)
    header = unpack(Header, container.body, Code.EVENT_INVALID)
    return container, EventId(sha256(container.body)), header


def _check_shape(header: Header, event_id: EventId) -> None:
    if (header.seq == 1) is not (header.prev == b"") or len(header.prev) not in (0, 32):
        raise RemoteProtocolError(Code.EVENT_INVALID, "prev does not fit seq")
    if len(set(header.parents)) != len(header.parents) or event_id in header.parents:
        raise RemoteProtocolError(Code.PARENTS_LIMIT, "a parent stands twice")
