"""Messages about mail: what a tracker keeps, sealed, for devices that are away, and the prekeys it is sealed to.

All but Nack are between a peer and its tracker, which can open none of it: it stores items, counts them, and
forgets them when their recipient says so or when they are too old. Nack is between devices.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import (
    AccountNameField,
    Counter,
    DeviceIdField,
    IdentityKeyField,
    Millis,
    RequestIdField,
)
from wire.messages.accounts import SignedCertificate, SignedDeviceList
from wire.messages.registry import Message, Purpose, message

SignedPrekey = Annotated[bytes, Meta(min_length=1, max_length=limits.PREKEY_BYTES)]
SignedPrekeyOrNone = Annotated[bytes, Meta(max_length=limits.PREKEY_BYTES)]
ItemId = Annotated[bytes, Meta(min_length=16, max_length=16)]  # drawn by the sender
SealedItem = Annotated[bytes, Meta(min_length=1, max_length=limits.MAIL_ITEM_BYTES)]
ItemNumber = Annotated[int, Meta(ge=1, le=2**53)]


@message(0x0070, Purpose.TRACKER)
class PutPrekeys(Message, frozen=True):
    """Publish prekeys of this device; answered by PrekeysHeld.

    The tracker gives each of `one_time` away once; `weekly`, if not empty, replaces the one before. With
    `replaces` it first forgets all one-time ones that it held: after a backup was put back, at either end, some of
    them were used before.
    """

    request: RequestIdField
    one_time: Annotated[
        tuple[SignedPrekey, ...], Meta(max_length=limits.PREKEYS_PER_MESSAGE)
    ]  # purpose `prekey`, each signed to be one-time
    weekly: SignedPrekeyOrNone  # purpose `prekey`, signed not to be; empty: the one before stays
    replaces: bool = False  # true: the one-time ones held before are forgotten


@message(0x0071, Purpose.TRACKER)
class PrekeysHeld(Message, frozen=True):
    """Answer PutPrekeys: how many one-time prekeys of this device are held now."""

    request: RequestIdField
    one_time: Counter  # at most 100


@message(0x0072, Purpose.TRACKER)
class AskPrekeys(Message, frozen=True):
    """Ask for a prekey of each device of a friend, or of the own other devices; answered by Prekeys.

    One-time prekeys are given while there are some and the asker has not had too many; else the weekly one.
    Strangers get Refused(NOT_FRIENDS).
    """

    request: RequestIdField
    name: AccountNameField


class DevicePrekey(Message, frozen=True):
    """One device in Prekeys."""

    certificate: SignedCertificate  # as the device put it
    prekey: SignedPrekeyOrNone  # purpose `prekey`; empty: it has published none


@message(0x0073, Purpose.TRACKER)
class Prekeys(Message, frozen=True):
    """Answer AskPrekeys; who asks verifies every byte of it."""

    request: RequestIdField
    name: AccountNameField
    identity: IdentityKeyField
    device_list: SignedDeviceList
    devices: Annotated[
        tuple[DevicePrekey, ...], Meta(max_length=limits.DEVICES)
    ]  # those that stand and are not logged out, the asking one left out


@message(0x0074, Purpose.TRACKER)
class Deposit(Message, frozen=True):
    """Leave a sealed item for one device; answered by Done after the commit: it is durable then.

    The same id again from the same device is answered the same and stored once. Refused: NOT_FRIENDS,
    DEVICE_UNKNOWN, MAILBOX_FULL.
    """

    request: RequestIdField
    name: AccountNameField
    device: DeviceIdField
    item: ItemId  # drawn by the sender
    prekey: Counter  # number of the prekey it is sealed to
    sealed: SealedItem  # section 4, Mail


@message(0x0075, Purpose.TRACKER, critical=False)
class MailboxState(Message, frozen=True):
    """Tell a device how its mailbox stands: after Enter, when something comes, when prekeys run short."""

    waiting: Counter  # items
    one_time: Counter  # prekeys of this device that are held
    has_weekly: bool  # prekey of this device that is held
    left: Counter = 0  # one more than the items that this device ever left; 0: not told


@message(0x0076, Purpose.TRACKER)
class AskMail(Message, frozen=True):
    """Ask for items above a number; answered by Mail."""

    request: RequestIdField
    after: Counter  # 0: from the oldest on


class MailItem(Message, frozen=True):
    """One item in Mail."""

    number: ItemNumber  # the tracker's own, going up in the order of arrival
    name: AccountNameField  # who left it
    device: DeviceIdField  # and from which device
    item: ItemId  # as it came
    prekey: Counter  # as it came
    at: Millis  # the tracker's clock
    sealed: SealedItem  # as it came


@message(0x0077, Purpose.TRACKER)
class Mail(Message, frozen=True):
    """Answer AskMail: the oldest items above that number, as many as fit; none: there are no more."""

    request: RequestIdField
    items: Annotated[
        tuple[MailItem, ...], Meta(max_length=limits.MAIL_PER_MESSAGE)
    ]  # at most MAIL_MESSAGE_BYTES, or a single one


@message(0x0078, Purpose.TRACKER)
class TakeMail(Message, frozen=True):
    """What these items held is committed here: the tracker forgets them; answered by Done."""

    request: RequestIdField
    items: Annotated[
        tuple[ItemNumber, ...], Meta(max_length=limits.MAIL_PER_MESSAGE)
    ]  # numbers; those of others' mail are passed over


@message(0x0079, Purpose.TRACKER)
class AskKept(Message, frozen=True):
    """Ask which items that this device left for another still wait there; answered by Kept.

    What is not kept and not receipted is left again: it was taken and not stored, or the tracker went back to a
    backup. Strangers get Refused(NOT_FRIENDS).
    """

    request: RequestIdField
    name: AccountNameField
    device: DeviceIdField
    items: Annotated[
        tuple[ItemId, ...], Meta(min_length=1, max_length=limits.MAIL_PER_MESSAGE)
    ]  # ids


@message(0x007A, Purpose.TRACKER)
class Kept(Message, frozen=True):
    """Answer AskKept: those of the items that still wait for that device."""

    request: RequestIdField
    items: Annotated[tuple[ItemId, ...], Meta(max_length=limits.MAIL_PER_MESSAGE)]  # ids


@message(0x0068, Purpose.PEER)
class Nack(Message, frozen=True):
    """An item of yours could not be opened here: seal what was in it again; signed, and in mail only."""

    signed: Annotated[bytes, Meta(min_length=1, max_length=limits.NACK_BYTES)]  # purpose `nack`
