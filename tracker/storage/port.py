"""The questions that the tracker's services ask their storage, and the rows that come back.

What lives here: types. What does not: SQL, threads, transactions. Every question is synchronous and is
asked inside a transaction that the caller of the service opened; an adapter answers each exactly like
the model in the tests, which runs in lockstep with it.
"""

from __future__ import annotations

import enum
from typing import Protocol

from msgspec import Struct

from tracker.storage.port_mail import AccountId as AccountId  # noqa: PLC0414 - said here for all
from tracker.storage.port_mail import MailStore
from wire.ids import AccountName, AuthKey, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages.held import Tie

NEVER = UnixMillis(0)
"""Stands for an instant that has not come."""


class Role(enum.StrEnum):
    """What an account may do to others."""

    ADMIN = "admin"
    MODERATOR = "moderator"
    USER = "user"


class KdfChoice(Struct, frozen=True):
    """How the client of one account makes its keys of the password (Argon2id)."""

    salt: bytes  # 16
    memory_kib: int
    passes: int
    lanes: int
    has_recovery_key: bool


class Applicant(Struct, frozen=True):
    """An account that is about to be made: what Register brought."""

    name: AccountName
    identity: IdentityKey
    kdf: KdfChoice
    auth_key: AuthKey
    vault: bytes
    vault_counter: int
    device_list: bytes
    list_counter: int


class Account(Struct, frozen=True):
    """An account as it is stored, without its state."""

    id: AccountId
    name: AccountName
    identity: IdentityKey
    kdf: KdfChoice
    auth_key: AuthKey
    vault: bytes
    vault_counter: int
    vault_changed: UnixMillis
    device_list: bytes
    list_counter: int
    role: Role
    registered: UnixMillis
    last_seen: UnixMillis  # when friends last saw it go offline; 0: never


class Device(Struct, frozen=True):
    """A device as it is stored."""

    id: DeviceId
    account: AccountId
    link_key: LinkKey
    certificate: bytes
    addresses: bytes  # signed record; empty: none published
    is_signed_off: bool
    revoked: UnixMillis  # 0: not
    added: UnixMillis
    last_seen: UnixMillis


class Entrant(Struct, frozen=True):
    """Whose device has a link key: all that admitting it needs."""

    account: AccountId
    name: AccountName
    identity: IdentityKey
    device: DeviceId
    is_signed_off: bool
    is_revoked: bool


class FriendRow(Struct, frozen=True):
    """One friend of an account."""

    id: AccountId
    name: AccountName
    identity: IdentityKey
    last_seen: UnixMillis


class FriendRequestRow(Struct, frozen=True):
    """A friend request that waits. `name` is the asker's."""

    name: AccountName
    signed: bytes
    is_void: bool
    at: UnixMillis


class FriendAnswerRow(Struct, frozen=True):
    """An answer that waits to be taken. `name` is the answerer's."""

    name: AccountName
    is_yes: bool
    signed: bytes
    at: UnixMillis


class PersonRow(Struct, frozen=True):
    """Somebody whom a tie binds to an account. signed: the request or answer; empty where there is none."""

    name: AccountName
    identity: IdentityKey
    at: UnixMillis
    signed: bytes


class StateSlice(Struct, frozen=True):
    """A piece of the sealed account state; version 0 and size 0 when nothing was ever put."""

    version: int
    size_bytes: int  # of the whole
    content: bytes


class UserRow(Struct, frozen=True):
    """One account in the list for whoever runs the tracker."""

    id: AccountId
    name: AccountName
    role: Role
    devices: int  # neither revoked nor logged out
    registered: UnixMillis
    last_seen: UnixMillis  # the latest of the account's and its devices' instants


class Store(MailStore, Protocol):
    """What the tracker remembers, as typed questions; all within the transaction that is open."""

    # --- accounts

    def add_account(self, applicant: Applicant, now: UnixMillis) -> AccountId:
        """Store a new account; its name and its identity are free, the caller has asked."""
        ...

    def account(self, account: AccountId) -> Account | None:
        """Give the account of that number."""
        ...

    def account_named(self, name: AccountName) -> Account | None:
        """Give the account of that name."""
        ...

    def account_of(self, identity: IdentityKey) -> Account | None:
        """Give the account of that identity."""
        ...

    def put_device_list(self, account: AccountId, device_list: bytes, counter: int) -> None:
        """Replace the signed device list."""
        ...

    def put_vault(self, account: AccountId, vault: bytes, counter: int, now: UnixMillis) -> None:
        """Replace the vault."""
        ...

    def put_password(
        self,
        account: AccountId,
        kdf: KdfChoice,
        auth_key: AuthKey,
        vault: bytes,
        counter: int,
        now: UnixMillis,
    ) -> None:
        """Replace all that hangs on the password: how keys are made of it, what verifies it, the vault."""
        ...

    def delete_account(self, account: AccountId) -> None:
        """Forget an account with everything that is stored of it; its number is never given again."""
        ...

    def people_of(self, account: AccountId, tie: Tie, after: str, limit: int) -> list[PersonRow]:
        """List up to `limit` people of one kind of tie by name, from behind the name `after` on."""
        ...

    def put_last_seen(self, account: AccountId, at: UnixMillis) -> None:
        """Remember when friends last saw the account go offline."""
        ...

    def users(self, after: AccountName | None, limit: int) -> list[UserRow]:
        """List up to `limit` accounts by name, from behind the name `after` on."""
        ...

    # --- devices

    def add_device(self, device: Device) -> None:
        """Store a new device; its id and its link key are free, the caller has asked."""
        ...

    def device(self, device: DeviceId) -> Device | None:
        """Give the device of that id."""
        ...

    def device_with(self, link_key: LinkKey) -> Device | None:
        """Give the device with that link key."""
        ...

    def entrant(self, link_key: LinkKey) -> Entrant | None:
        """Give whose device has that link key, by one look-up: the road of every returning device."""
        ...

    def devices_of(self, account: AccountId) -> list[Device]:
        """List the account's devices in the order of their ids, revoked and logged out ones included."""
        ...

    def put_addresses(self, device: DeviceId, signed: bytes) -> None:
        """Replace where the device can be dialled; empty for nowhere."""
        ...

    def put_seen(self, device: DeviceId, at: UnixMillis) -> None:
        """Remember when the device last entered."""
        ...

    def sign_off(self, device: DeviceId) -> None:
        """Take the device's right to enter and its addresses."""
        ...

    def sign_on(self, device: DeviceId, certificate: bytes) -> None:
        """Give the device the right to enter again, under this certificate."""
        ...

    def revoke(self, device: DeviceId, at: UnixMillis) -> None:
        """Mark the device as revoked by its account's list, and forget its addresses."""
        ...

    # --- account state

    def state_version(self, account: AccountId) -> int:
        """Give the version of the state; 0 when nothing was ever put."""
        ...

    def state_slice(self, account: AccountId, offset: int, length: int) -> StateSlice:
        """Give `length` bytes of the state from `offset` on; fewer at its end."""
        ...

    def put_state(self, account: AccountId, version: int, content: bytes) -> None:
        """Replace the state."""
        ...

    def state_keys(self, account: AccountId) -> bytes:
        """Give the copies of the state key as they were put last; empty when none ever were."""
        ...

    def put_state_keys(self, account: AccountId, copies: bytes) -> None:
        """Replace the copies of the state key."""
        ...

    # --- friends

    def are_friends(self, one: AccountId, other: AccountId) -> bool:
        """Say whether the two are friends."""
        ...

    def befriend(self, one: AccountId, other: AccountId, now: UnixMillis) -> None:
        """Make the two friends; changes nothing if they are."""
        ...

    def part(self, one: AccountId, other: AccountId) -> bool:
        """End the friendship; gives whether there was one."""
        ...

    def friends_of(self, account: AccountId) -> list[FriendRow]:
        """List the account's friends by name."""
        ...

    def count_friends(self, account: AccountId) -> int:
        """Count the account's friends."""
        ...

    def put_request(
        self,
        asker: AccountId,
        target: AccountId,
        signed: bytes,
        is_void: bool,
        now: UnixMillis,
    ) -> None:
        """Store the friend request of `asker` to `target` in place of any earlier one."""
        ...

    def request_of(self, asker: AccountId, target: AccountId) -> FriendRequestRow | None:
        """Give the friend request of `asker` to `target`."""
        ...

    def drop_request(self, asker: AccountId, target: AccountId) -> None:
        """Forget the friend request of `asker` to `target`, if there is one."""
        ...

    def void_request(self, asker: AccountId, target: AccountId) -> None:
        """Hide the friend request of `asker` from `target`, if there is one."""
        ...

    def requests_to(self, target: AccountId) -> list[FriendRequestRow]:
        """List what waits for `target`, void ones excluded, oldest first, then by name."""
        ...

    def count_requests_from(self, asker: AccountId) -> int:
        """Count what `asker` waits for, void ones included: blocked people must not notice."""
        ...

    def count_requests_to(self, target: AccountId) -> int:
        """Count what waits for `target`, void ones excluded."""
        ...

    def put_answer(
        self,
        asker: AccountId,
        answerer: AccountId,
        is_yes: bool,
        signed: bytes,
        now: UnixMillis,
    ) -> None:
        """Keep the answer of `answerer` for `asker` in place of any earlier one."""
        ...

    def drop_answer(self, asker: AccountId, answerer: AccountId) -> None:
        """Forget the answer of `answerer` to `asker`, if there is one."""
        ...

    def answers_to(self, asker: AccountId) -> list[FriendAnswerRow]:
        """List the answers that `asker` has not taken, oldest first, then by name."""
        ...

    def expire(self, before: UnixMillis) -> int:
        """Forget requests and answers from before that instant; gives how many."""
        ...

    # --- blocks

    def block(self, account: AccountId, blocked: AccountId, now: UnixMillis) -> None:
        """Remember that `account` blocks `blocked`; changes nothing if it does."""
        ...

    def unblock(self, account: AccountId, blocked: AccountId) -> None:
        """Forget that `account` blocks `blocked`, if it does."""
        ...

    def has_blocked(self, account: AccountId, blocked: AccountId) -> bool:
        """Say whether `account` blocks `blocked`."""
        ...

    def count_blocks(self, account: AccountId) -> int:
        """Count whom `account` blocks."""
        ...
