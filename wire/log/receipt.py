"""Receipts: a device says, signed, what it has committed; nothing else ever shows as delivered.

Not an event and never acknowledged: the newest counter of a device replaces what it said before.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity.packing import Packed, unpack
from wire.identity.sign import SignPurpose, issue, open_container, read
from wire.ids import ConversationIdField, Counter, DeviceId, DeviceIdField, EpochField, SigningKey


class Reach(Packed, frozen=True):
    """All events of one chain up to `high` are here, but for those below its floor."""

    device: DeviceIdField
    epoch: EpochField
    high: Counter


class ReceiptBody(Packed, frozen=True):
    """What one device has of one conversation. seen: what a person saw, None if that is not told."""

    conversation: ConversationIdField
    device: DeviceIdField  # who signs
    has: Annotated[tuple[Reach, ...], Meta(max_length=limits.DEVICES * limits.EPOCHS)]
    seen: Annotated[tuple[Reach, ...], Meta(max_length=limits.DEVICES * limits.EPOCHS)] | None
    counter: Counter  # of the signing device; the newest counts
    list_counter: Counter  # of its account's device list, as it knows it


def issue_receipt(signing_seed: bytes, body: ReceiptBody) -> bytes:
    """Sign a receipt; gives at most RECEIPT_BYTES."""
    return issue(signing_seed, SignPurpose.RECEIPT, body)


def peek_receipt(signed: bytes) -> ReceiptBody:
    """Parse a receipt WITHOUT verifying it, to find out whose it claims to be."""
    return unpack(ReceiptBody, open_container(signed, limits.RECEIPT_BYTES).body)


def read_receipt(signed: bytes, device: DeviceId, signing_key: SigningKey) -> ReceiptBody:
    """Verify a receipt of one device; raises RemoteProtocolError(SIGNATURE_INVALID) or DECODE."""
    container = open_container(signed, limits.RECEIPT_BYTES)
    body = read(container, ReceiptBody, SignPurpose.RECEIPT, signing_key)
    if body.device != device:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "a receipt names another device")
    return body
