"""Messages about reaching a friend: signed device records and addresses, for friends only."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import AccountNameField, DeviceIdField, IdentityKeyField, RequestIdField
from wire.messages.accounts import SignedCertificate, SignedDeviceList
from wire.messages.registry import Message, Purpose, message

Ticket = Annotated[bytes, Meta(min_length=limits.TICKET_BYTES, max_length=limits.TICKET_BYTES)]
LinkPurpose = Annotated[int, Meta(ge=int(Purpose.PEER), le=int(Purpose.DATA))]
SignedAddresses = Annotated[bytes, Meta(max_length=limits.ADDRESS_RECORD_BYTES)]


@message(0x0050, Purpose.TRACKER)
class PutAddresses(Message, frozen=True):
    """Publish where this device can be dialled; answered by Done. Friends that are online are told."""

    request: RequestIdField
    signed: SignedAddresses  # purpose `addresses`


@message(0x0051, Purpose.TRACKER)
class AskDirectory(Message, frozen=True):
    """Ask for a friend's devices; answered by Directory, for strangers by Refused(NOT_FRIENDS)."""

    request: RequestIdField
    name: AccountNameField


class DeviceRecord(Message, frozen=True):
    """One device in Directory."""

    certificate: SignedCertificate
    addresses: SignedAddresses  # empty: none published
    is_online: bool  # entered and seen


@message(0x0052, Purpose.TRACKER)
class Directory(Message, frozen=True):
    """Answer AskDirectory."""

    request: RequestIdField
    name: AccountNameField
    identity: IdentityKeyField
    device_list: SignedDeviceList
    devices: Annotated[
        tuple[DeviceRecord, ...], Meta(max_length=limits.LISTED_DEVICES)
    ]  # those that ever came here


@message(0x0053, Purpose.TRACKER, critical=False)
class AddressesChanged(Message, frozen=True):
    """Tell friends that are online where a device can be dialled now; also at its coming online."""

    name: AccountNameField
    device: DeviceIdField
    certificate: SignedCertificate
    signed: SignedAddresses  # purpose `addresses`


@message(0x0054, Purpose.PEER)
class AskDial(Message, frozen=True):
    """Ask the other device to dial me a data link: my own dial failed, or what I paused goes on."""

    signed: SignedAddresses  # where I can be dialled


@message(0x006D, Purpose.PEER, critical=False)
class AddressKey(Message, frozen=True):
    """Give a friend, or an own device, what my address records open with: as a link opens, or by mail.

    It counts until another one comes.
    """

    key: Annotated[
        bytes, Meta(min_length=limits.ADDRESS_KEY_BYTES, max_length=limits.ADDRESS_KEY_BYTES)
    ]  # secret

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return "AddressKey(...)"


@message(0x0055, Purpose.TRACKER)
class AskRelay(Message, frozen=True):
    """Ask to be joined with a device that cannot be dialled; answered by Relay.

    Refused with NOT_FRIENDS, NOT_ONLINE, RELAY_OFF or RELAY_LIMIT.
    """

    request: RequestIdField
    name: AccountNameField  # a friend's account, or one's own
    device: DeviceIdField
    purpose: LinkPurpose  # of the link to be: 2 talk, 3 files


@message(0x0056, Purpose.TRACKER)
class Relay(Message, frozen=True):
    """Answer AskRelay: dial the tracker for a relay and show this ticket."""

    request: RequestIdField
    ticket: Ticket  # this side's own, valid once


@message(0x0057, Purpose.TRACKER, critical=False)
class RelayOffered(Message, frozen=True):
    """Tell a device that another one waits for it at the relay."""

    name: AccountNameField  # whose device asked
    device: DeviceIdField
    purpose: LinkPurpose  # of the link to be: 2 talk, 3 files
    ticket: Ticket  # this side's own


@message(0x0058, Purpose.TRACKER)
class AskPunch(Message, frozen=True):
    """Ask to be introduced to a device for a simultaneous open; answered by Punch.

    Refused with NOT_FRIENDS, NOT_ONLINE or TOO_MANY_REQUESTS.
    """

    request: RequestIdField
    name: AccountNameField  # a friend's account, or one's own
    device: DeviceIdField
    purpose: LinkPurpose  # of the link to be: 2 talk, 3 files


@message(0x0059, Purpose.TRACKER)
class Punch(Message, frozen=True):
    """Answer AskPunch: probe the tracker from one fresh port, its second port first."""

    request: RequestIdField
    ticket: Ticket  # this side's own
    second_port: Annotated[
        int, Meta(ge=0, le=65535)
    ]  # of the tracker's same address; 0: it has none


@message(0x005A, Purpose.TRACKER, critical=False)
class PunchOffered(Message, frozen=True):
    """Tell a device that another one wants to meet it so; it probes likewise."""

    name: AccountNameField  # whose device asked
    device: DeviceIdField
    purpose: LinkPurpose  # of the link to be: 2 talk, 3 files
    ticket: Ticket  # this side's own
    second_port: Annotated[int, Meta(ge=0, le=65535)]  # as in Punch


@message(0x005B, Purpose.TRACKER, critical=False)
class PunchGo(Message, frozen=True):
    """Tell both sides at once that each was seen: dial the other now, from the probed port."""

    ticket: Ticket  # which introduction, by this side's ticket
    host: Annotated[
        str, Meta(max_length=64)
    ]  # where the other was seen; empty: a router is in the way
    port: Annotated[int, Meta(ge=0, le=65535)]  # the same; 0 with an empty host


@message(0x005C, Purpose.TRACKER)
class AskProbe(Message, frozen=True):
    """Ask how this device's connections are seen; answered by Probe, and by PunchGo with its own place."""

    request: RequestIdField


@message(0x005D, Purpose.TRACKER)
class Probe(Message, frozen=True):
    """Answer AskProbe: probe the tracker from one fresh port, its second port first."""

    request: RequestIdField
    ticket: Ticket  # valid once at each port
    second_port: Annotated[int, Meta(ge=0, le=65535)]  # as in Punch


@message(0x005E, Purpose.TRACKER)
class AskDialBack(Message, frozen=True):
    """Ask whether this device's listener can be reached; answered by DialledBack, refused with FLOOD."""

    request: RequestIdField
    port: Annotated[int, Meta(ge=1, le=65535)]  # of the address that this link comes from
    nonce: Ticket  # which the tracker shows there, as a probe shows its ticket


@message(0x005F, Purpose.TRACKER)
class DialledBack(Message, frozen=True):
    """Answer AskDialBack."""

    request: RequestIdField
    is_reached: (
        bool  # something took the connection; that it was the asker's listener, the nonce shows
    )
