"""The part of the model store about mail, as lists."""

from __future__ import annotations

from tracker.storage.port import Account, Device
from tracker.storage.port_mail import AccountId, Item, Load, MailRow
from wire.ids import DeviceId
from wire.machine import UnixMillis


class ModelMail:
    """Prekeys and items; `accounts` and `devices` are the other parts'."""

    accounts: dict[AccountId, Account]
    devices: dict[DeviceId, Device]

    def __init__(self) -> None:
        self.one_time: dict[tuple[DeviceId, int], bytes] = {}
        self.weekly: dict[DeviceId, bytes] = {}
        self.gifts: list[tuple[DeviceId, AccountId, UnixMillis]] = []
        self.mail: dict[int, tuple[Item, UnixMillis]] = {}
        self.mail_given = 0
        self.left: dict[DeviceId, int] = {}

    def forget_mail_of(self, account: AccountId, devices: set[DeviceId]) -> None:
        """What goes with an account and its devices."""
        for device in devices:
            self.drop_mailbox(device)
        self.gifts = [g for g in self.gifts if g[0] not in devices and g[1] != account]
        self.mail = {n: row for n, row in self.mail.items() if row[0].sender != account}

    def put_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        self.one_time.setdefault((device, number), signed)

    def put_weekly_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        self.weekly[device] = signed

    def drop_prekeys(self, device: DeviceId) -> None:
        self.one_time = {key: row for key, row in self.one_time.items() if key[0] != device}

    def count_prekeys(self, device: DeviceId) -> int:
        return sum(key[0] == device for key in self.one_time)

    def weekly_prekey(self, device: DeviceId) -> bytes | None:
        return self.weekly.get(device)

    def take_prekey(self, device: DeviceId, asker: AccountId, now: UnixMillis) -> bytes | None:
        numbers = sorted(number for of, number in self.one_time if of == device)
        if not numbers:
            return None
        self.gifts.append((device, asker, now))
        return self.one_time.pop((device, numbers[0]))

    def count_prekeys_given(self, device: DeviceId, asker: AccountId, since: UnixMillis) -> int:
        return sum(g[:2] == (device, asker) and g[2] >= since for g in self.gifts)

    def put_mail(self, mail: Item, now: UnixMillis) -> bool:
        if self.has_mail(mail.device, mail.sender_device, mail.item):
            return False
        self.mail_given += 1
        self.left[mail.sender_device] = self.left.get(mail.sender_device, 0) + 1
        self.mail[self.mail_given] = (mail, now)
        return True

    def has_mail(self, device: DeviceId, sender_device: DeviceId, item: bytes) -> bool:
        return any(
            (m.device, m.sender_device, m.item) == (device, sender_device, item)
            for m, _ in self.mail.values()
        )

    def mail_load(self, device: DeviceId, sender: AccountId | None) -> Load:
        sizes = [
            len(m.sealed)
            for m, _ in self.mail.values()
            if m.device == device and sender in (None, m.sender)
        ]
        return Load(len(sizes), sum(sizes))

    def mail_left(self, device: DeviceId) -> int:
        return self.left.get(device, 0) + 1 if device in self.devices else 0

    def mail_for(self, device: DeviceId, after: int, limit: int) -> list[MailRow]:
        rows = [
            MailRow(
                number,
                self.accounts[m.sender].name,
                m.sender_device,
                m.item,
                m.prekey,
                m.sealed,
                at,
            )
            for number, (m, at) in sorted(self.mail.items())
            if m.device == device and number > after
        ]
        return rows[:limit]

    def drop_mail(self, device: DeviceId, numbers: tuple[int, ...]) -> None:
        for number in numbers:
            if number in self.mail and self.mail[number][0].device == device:
                del self.mail[number]

    def drop_mail_between(self, one: AccountId, other: AccountId) -> None:
        pairs = {(one, other), (other, one)}
        self.mail = {
            number: row
            for number, row in self.mail.items()
            if (row[0].sender, self.devices[row[0].device].account) not in pairs
        }

    def drop_mailbox(self, device: DeviceId) -> None:
        self.mail = {n: row for n, row in self.mail.items() if row[0].device != device}
        self.one_time = {key: s for key, s in self.one_time.items() if key[0] != device}
        self.weekly.pop(device, None)

    def expire_mail(self, before: UnixMillis, gifts_before: UnixMillis) -> int:
        self.gifts = [gift for gift in self.gifts if gift[2] >= gifts_before]
        gone = [number for number, (_, at) in self.mail.items() if at < before]
        for number in gone:
            del self.mail[number]
        return len(gone)
