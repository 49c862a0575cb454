"""What the tracker's services want done: values they return, which the server carries out.

Services are plain functions over a store; they cannot reach anybody. They return an answer and these,
and the server carries them out, in order, after the commit of the very transaction that decided them.
With several nodes they are also what one node tells the others.
"""

from __future__ import annotations

from msgspec import Struct

from tracker.storage.port import NEVER, AccountId
from wire.codes import Code
from wire.ids import AccountName, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages import Message


class Caller(Struct, frozen=True):
    """Which device asks, as the tracker's own records have it."""

    account: AccountId
    name: AccountName
    identity: IdentityKey
    device: DeviceId


class Channel(Struct, frozen=True):
    """What a signature over a login is bound to."""

    tracker_key: LinkKey
    remote_static: LinkKey
    handshake_hash: bytes  # 32


class Party(Struct, frozen=True):
    """One side of a friendship."""

    account: AccountId
    name: AccountName
    identity: IdentityKey
    last_seen: UnixMillis = NEVER


class Effect(Struct, frozen=True):
    """Something to be done after the commit; the subclasses are the closed list."""


class Tell(Effect, frozen=True):
    """Send a message to all devices of an account that are here."""

    account: AccountId
    message: Message
    except_device: DeviceId | None = None


class TellDevice(Effect, frozen=True):
    """Send a message to one device, if it is here."""

    account: AccountId
    device: DeviceId
    message: Message


class TellAll(Effect, frozen=True):
    """Send a message to all devices of these accounts that are here."""

    accounts: tuple[AccountId, ...]
    message: Message


class Befriended(Effect, frozen=True):
    """Two became friends: each side's devices learn it with the other's presence and addresses."""

    one: Party
    other: Party


class Parted(Effect, frozen=True):
    """Two are friends no more: neither learns anything about the other from now on."""

    one: AccountId
    other: AccountId


class AddressesPut(Effect, frozen=True):
    """A device said where it can be dialled; friends who may see it are told."""

    caller: Caller
    certificate: bytes
    signed: bytes


class CloseDevice(Effect, frozen=True):
    """End the session of a device, if it is here."""

    account: AccountId
    device: DeviceId
    code: Code


class EndLogins(Effect, frozen=True):
    """End every session that proved an account's password and is no device's: that password counts no more."""

    account: AccountId


class Outcome(Struct, frozen=True):
    """What a service gives back: the answer to the asker, and what else is to be done."""

    answer: Message
    effects: tuple[Effect, ...] = ()
