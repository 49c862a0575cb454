"""The questions about prekeys and mail: a part of `tracker.storage.port`, under the same rules."""

from __future__ import annotations

from typing import NewType, Protocol

from msgspec import Struct

from wire.ids import AccountName, DeviceId
from wire.machine import UnixMillis

AccountId = NewType("AccountId", int)
"""A small number of the tracker's own; it never crosses the wire."""


class Item(Struct, frozen=True):
    """An item that comes."""

    device: DeviceId  # for whom
    sender: AccountId
    sender_device: DeviceId
    item: bytes  # 16, drawn by the sender
    prekey: int
    sealed: bytes


class MailRow(Struct, frozen=True):
    """An item that waits. `name` is the sender's."""

    number: int
    name: AccountName
    sender_device: DeviceId
    item: bytes
    prekey: int
    sealed: bytes
    at: UnixMillis


class Load(Struct, frozen=True):
    """How much waits for a device."""

    items: int
    size_bytes: int


class MailStore(Protocol):
    """What the tracker remembers about mail."""

    def put_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        """Keep a one-time prekey; one of that number that is here stays."""
        ...

    def put_weekly_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        """Replace the prekey that may be given to many."""
        ...

    def drop_prekeys(self, device: DeviceId) -> None:
        """Forget the one-time prekeys of a device."""
        ...

    def count_prekeys(self, device: DeviceId) -> int:
        """Count the one-time prekeys of a device."""
        ...

    def weekly_prekey(self, device: DeviceId) -> bytes | None:
        """Give the prekey that may be given to many."""
        ...

    def take_prekey(self, device: DeviceId, asker: AccountId, now: UnixMillis) -> bytes | None:
        """Give the one-time prekey with the lowest number, forget it, and remember who got one."""
        ...

    def count_prekeys_given(self, device: DeviceId, asker: AccountId, since: UnixMillis) -> int:
        """Count the one-time prekeys of a device that `asker` got from that instant on."""
        ...

    def put_mail(self, mail: Item, now: UnixMillis) -> bool:
        """Keep an item; False if this very one of that device is here."""
        ...

    def has_mail(self, device: DeviceId, sender_device: DeviceId, item: bytes) -> bool:
        """Say whether an item of a device waits for another."""
        ...

    def mail_load(self, device: DeviceId, sender: AccountId | None) -> Load:
        """Give how much waits for a device, of one sender or of all."""
        ...

    def mail_left(self, device: DeviceId) -> int:
        """Give one more than how many items a device ever left for others; 0 for one that nobody has."""
        ...

    def mail_for(self, device: DeviceId, after: int, limit: int) -> list[MailRow]:
        """List the items for a device above a number, oldest first, at most `limit`."""
        ...

    def drop_mail(self, device: DeviceId, numbers: tuple[int, ...]) -> None:
        """Forget those of these items that are for this device."""
        ...

    def drop_mail_between(self, one: AccountId, other: AccountId) -> None:
        """Forget what either left for the other's devices."""
        ...

    def drop_mailbox(self, device: DeviceId) -> None:
        """Forget the mail for a device, and its prekeys."""
        ...

    def expire_mail(self, before: UnixMillis, gifts_before: UnixMillis) -> int:
        """Forget items from before an instant, and who got prekeys before another; gives how many items."""
        ...
