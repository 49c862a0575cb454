"""Messages about conversations: what each side has, events and receipts; on links between devices."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import (
    ConversationIdField,
    Counter,
    DeviceIdField,
    EpochField,
    EventIdField,
    Seq,
)
from wire.messages.accounts import SignedCertificate, SignedDeviceList
from wire.messages.registry import Message, Purpose, message

Digest16 = Annotated[bytes, Meta(min_length=16, max_length=16)]
SignedHeader = Annotated[bytes, Meta(min_length=1, max_length=limits.EVENT_HEADER_BYTES)]
EventBody = Annotated[bytes, Meta(max_length=limits.EVENT_BODY_BYTES)]


class ConversationDigest(Message, frozen=True):
    """One row of Digests."""

    conversation: ConversationIdField
    digest: Digest16  # of the vector here


@message(0x0060, Purpose.PEER)
class Digests(Message, frozen=True):
    """What I have, per conversation we share, in 16 bytes each; the first thing on a new link."""

    rows: Annotated[
        tuple[ConversationDigest, ...], Meta(max_length=512)
    ]  # one for each conversation the two share
    is_last: bool


class VectorEntry(Message, frozen=True):
    """One chain in a vector: below `floor` nothing is missing, up to `high` all is here."""

    device: DeviceIdField
    epoch: EpochField
    floor: Counter  # 0: nothing is missing from the first on
    high: Counter  # the last place without a hole before it
    high_id: Annotated[bytes, Meta(max_length=32)]  # id of the event at high; empty when high is 0


@message(0x0061, Purpose.PEER)
class Vector(Message, frozen=True):
    """What I have of one conversation whose digests differ; the other sends what I lack."""

    conversation: ConversationIdField
    entries: Annotated[
        tuple[VectorEntry, ...], Meta(max_length=limits.VECTOR_ENTRIES_PER_PAGE)
    ]  # one for each chain that has events here
    is_last: bool


class SealedEvent(Message, frozen=True):
    """One event as it travels and rests: the header's bytes with its signature, and the body or none."""

    header: SignedHeader  # signed, purpose `event`
    body: EventBody | None  # None: body gone


@message(0x0062, Purpose.PEER)
class Events(Message, frozen=True):
    """Events of one conversation, each chain in order; the record's size bounds how many."""

    conversation: ConversationIdField
    events: Annotated[
        tuple[SealedEvent, ...], Meta(min_length=1, max_length=limits.EVENTS_PER_BATCH)
    ]  # causes before effects


@message(0x0063, Purpose.PEER)
class Receipt(Message, frozen=True):
    """A signed receipt; the same bytes on links, in mail and between own devices."""

    signed: Annotated[
        bytes, Meta(min_length=1, max_length=limits.RECEIPT_BYTES)
    ]  # purpose `receipt`


@message(0x0064, Purpose.PEER)
class Unavailable(Message, frozen=True):
    """These events of one chain I shall never have: your gap is final as far as I am concerned."""

    conversation: ConversationIdField
    device: DeviceIdField
    epoch: EpochField
    first: Seq  # the first place of the gap
    last: Seq  # the last one


@message(0x0065, Purpose.PEER)
class Devices(Message, frozen=True):
    """An account's list and the certificates of its devices, so that their events verify."""

    device_list: SignedDeviceList
    certificates: Annotated[
        tuple[SignedCertificate, ...], Meta(max_length=limits.LISTED_DEVICES)
    ]  # of devices on that list, revoked ones included


@message(0x0066, Purpose.PEER)
class Fork(Message, frozen=True):
    """Proof that one device signed two events for one place."""

    conversation: ConversationIdField
    first: SignedHeader  # signed header
    second: SignedHeader  # another one for the same place


@message(0x0067, Purpose.PEER)
class AskEvents(Message, frozen=True):
    """Ask for single events by id: those of a forked chain, or parents that are unknown here."""

    conversation: ConversationIdField
    ids: Annotated[
        tuple[EventIdField, ...], Meta(max_length=limits.EVENTS_PER_BATCH)
    ]  # what is not known is left out of the answer


@message(0x0069, Purpose.PEER, critical=False)
class Typing(Message, frozen=True):
    """A person writes, or stopped writing, in a conversation; live only, never kept and never owed.

    It ends by itself after some seconds, and with the next event of that device.
    """

    conversation: ConversationIdField
    is_typing: bool  # false: stopped
