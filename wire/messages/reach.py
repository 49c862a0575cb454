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
