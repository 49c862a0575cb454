"""What the tracker's services want done: values they return, which the server carries out.

Services are plain functions over a store; they cannot reach anybody. They return an answer and these,
and the server carries them out, in order, after the commit of the very transaction that decided them.
With several nodes they are also what one node tells the others.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.storage.port import NEVER, AccountId
from wire.codes import Code
from wire.ids import AccountName, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages import Message


@dataclass(frozen=True, slots=True)
class Caller:
    """Which device asks, as the tracker's own records have it."""

    account: AccountId
    name: AccountName
    identity: IdentityKey
    device: DeviceId


@dataclass(frozen=True, slots=True)
class Channel:
    """What a signature over a login is bound to."""

    tracker_key: LinkKey
    remote_static: LinkKey
    handshake_hash: bytes  # 32


@dataclass(frozen=True, slots=True)
class Party:
    """One side of a friendship."""

    account: AccountId
    name: AccountName
    identity: IdentityKey
    last_seen: UnixMillis = NEVER


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to be done after the commit; the subclasses are the closed list."""


@dataclass(frozen=True, slots=True)
class Tell(Effect):
    """Send a message to all devices of an account that are here."""

    account: AccountId
    message: Message
    except_device: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class TellDevice(Effect):
    """Send a message to one device, if it is here."""

    account: AccountId
    device: DeviceId
    message: Message


@dataclass(frozen=True, slots=True)
class TellAll(Effect):
    """Send a message to all devices of these accounts that are here."""

    accounts: tuple[AccountId, ...]
    message: Message


@dataclass(frozen=True, slots=True)
class Befriended(Effect):
    """Two became friends: each side's devices learn it with the other's presence and addresses."""

    one: Party
    other: Party


@dataclass(frozen=True, slots=True)
class Parted(Effect):
    """Two are friends no more: neither learns anything about the other from now on."""

    one: AccountId
    other: AccountId


@dataclass(frozen=True, slots=True)
class AddressesPut(Effect):
    """A device said where it can be dialled; friends who may see it are told."""

    caller: Caller
    certificate: bytes
    signed: bytes


@dataclass(frozen=True, slots=True)
class CloseDevice(Effect):
    """End the session of a device, if it is here."""

    account: AccountId
    device: DeviceId
    code: Code


@dataclass(frozen=True, slots=True)
class EndLogins(Effect):
    """End every session that proved an account's password and is no device's: that password counts no more."""

    account: AccountId


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a service gives back: the answer to the asker, and what else is to be done."""

    answer: Message
    effects: tuple[Effect, ...] = ()
