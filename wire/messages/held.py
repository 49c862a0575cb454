"""Messages by which a person is told everything that the tracker holds of the account.

The state has its own (`AskState`). Lists are paged: each page names where the next one goes on.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import (
    AccountNameField,
    AuthKeyField,
    Counter,
    DeviceIdField,
    IdentityKeyField,
    LinkKeyField,
    Millis,
    RequestIdField,
    SizeBytes,
)
from wire.messages.accounts import Salt, SignedCertificate, SignedDeviceList, Vault
from wire.messages.reach import SignedAddresses
from wire.messages.registry import Message, Purpose, message

SignedWords = Annotated[bytes, Meta(max_length=limits.FRIEND_REQUEST_BYTES)]


class Tie(enum.IntEnum):
    """What the tracker knows of two people."""

    FRIEND = 1
    ASKED_BY_ME = 2  # my friend request waits
    ASKED_ME = 3  # theirs waits; also one that is kept from me because I blocked its author
    ANSWERED_BY_ME = 4  # my answer waits to be taken
    ANSWERED_ME = 5
    BLOCKED = 6  # by me


@message(0x0022, Purpose.TRACKER)
class AskAccount(Message, frozen=True):
    """Ask for everything the tracker holds of this account itself."""

    request: RequestIdField


@message(0x0023, Purpose.TRACKER)
class Account(Message, frozen=True):
    """Answer AskAccount."""

    request: RequestIdField
    name: AccountNameField
    identity: IdentityKeyField
    role: Annotated[str, Meta(max_length=16)]  # what it may do to others: user, moderator, admin
    registered: Millis  # when the account was made
    last_seen: Millis  # when friends last saw it go offline; 0: never
    salt: Salt  # of the client; the whole salt is derived from it (section 3)
    memory_kib: Annotated[int, Meta(ge=1, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=1, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=1, le=limits.KDF_LANES_MOST)]
    has_recovery_key: bool  # the password opens nothing without it
    auth_key: AuthKeyField  # verifies a login
    vault: Vault  # sealed by the password
    vault_counter: Counter
    vault_changed: Millis  # when it was last put
    device_list: SignedDeviceList
    list_counter: Counter  # of that list
    state_version: Counter  # 0: nothing was ever put
    state_bytes: SizeBytes  # of the sealed state; AskState gives it


class HeldDevice(Message, frozen=True):
    """One device in HeldDevices."""

    device: DeviceIdField
    link_key: LinkKeyField  # how it is known again
    certificate: SignedCertificate
    addresses: SignedAddresses  # empty: none published
    is_signed_off: bool  # logged out: it may not enter
    revoked: Millis  # when the list revoked it; 0: it did not
    added: Millis  # when it came
    last_seen: Millis  # when it last entered; 0: never
    mail_items: Counter = 0  # items of sealed mail that wait for it
    mail_bytes: SizeBytes = 0  # of them, as sealed
    prekeys: Counter = 0  # one-time prekeys that are left
    mail_left: Counter = 0  # one more than the items of sealed mail that it ever left for others


@message(0x0024, Purpose.TRACKER)
class AskHeldDevices(Message, frozen=True):
    """Ask for one page of the account's devices, revoked and logged out ones included, by id."""

    request: RequestIdField
    after: Annotated[bytes, Meta(max_length=16)] = b""  # the last id of the page before


@message(0x0025, Purpose.TRACKER)
class HeldDevices(Message, frozen=True):
    """Answer AskHeldDevices."""

    request: RequestIdField
    devices: Annotated[tuple[HeldDevice, ...], Meta(max_length=limits.HELD_DEVICES)]  # by id
    is_last: bool


class HeldPerson(Message, frozen=True):
    """One person in HeldPeople."""

    name: AccountNameField
    identity: IdentityKeyField
    at: Millis  # since when, or when it came
    signed: SignedWords  # the request or answer; empty for friends and blocked people


@message(0x0026, Purpose.TRACKER)
class AskHeldPeople(Message, frozen=True):
    """Ask for one page of the people whom one kind of tie binds to the account, by name."""

    request: RequestIdField
    tie: Tie  # which kind
    after: Annotated[str, Meta(max_length=32)] = ""  # the last name of the page before


@message(0x0027, Purpose.TRACKER)
class HeldPeople(Message, frozen=True):
    """Answer AskHeldPeople."""

    request: RequestIdField
    people: Annotated[tuple[HeldPerson, ...], Meta(max_length=limits.HELD_NAMES)]  # by name
    is_last: bool
