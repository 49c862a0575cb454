"""SQLite's answers about prekeys and the mail that waits for devices."""

from __future__ import annotations

from tracker.storage.port_mail import AccountId, Item, Load, MailRow
from tracker.storage.sqlite_rows import Asking
from wire.ids import AccountName, DeviceId
from wire.machine import UnixMillis


class SqliteMail(Asking):
    """The part of `SqliteStore` about mail."""

    __slots__ = ()

    # --- prekeys

    def put_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        """See the port."""
        self._do(
            "INSERT INTO prekeys (device, is_one_time, number, signed) VALUES (?, 1, ?, ?)"
            " ON CONFLICT DO NOTHING",
            device,
            number,
            signed,
        )

    def put_weekly_prekey(self, device: DeviceId, number: int, signed: bytes) -> None:
        """See the port."""
        self._do("DELETE FROM prekeys WHERE device = ? AND is_one_time = 0", device)
        self._do(
            "INSERT INTO prekeys (device, is_one_time, number, signed) VALUES (?, 0, ?, ?)",
            device,
            number,
            signed,
        )

    def drop_prekeys(self, device: DeviceId) -> None:
        """See the port."""
        self._do("DELETE FROM prekeys WHERE device = ? AND is_one_time = 1", device)

    def count_prekeys(self, device: DeviceId) -> int:
        """See the port."""
        return self._number(
            "SELECT count(*) FROM prekeys WHERE device = ? AND is_one_time = 1", device
        )

    def weekly_prekey(self, device: DeviceId) -> bytes | None:
        """See the port."""
        row = self._one("SELECT signed FROM prekeys WHERE device = ? AND is_one_time = 0", device)
        return None if row is None else bytes(row[0])

    def take_prekey(self, device: DeviceId, asker: AccountId, now: UnixMillis) -> bytes | None:
        """See the port."""
        row = self._one(
            "SELECT number, signed FROM prekeys WHERE device = ? AND is_one_time = 1"
            " ORDER BY number LIMIT 1",
            device,
        )
        if row is None:
            return None
        self._do(
            "DELETE FROM prekeys WHERE device = ? AND is_one_time = 1 AND number = ?",
            device,
            row[0],
        )
        self._do(
            "INSERT INTO prekey_gifts (device, account, at) VALUES (?, ?, ?)", device, asker, now
        )
        return bytes(row[1])

    def count_prekeys_given(self, device: DeviceId, asker: AccountId, since: UnixMillis) -> int:
        """See the port."""
        return self._number(
            "SELECT count(*) FROM prekey_gifts WHERE device = ? AND account = ? AND at >= ?",
            device,
            asker,
            since,
        )

    # --- items

    def put_mail(self, mail: Item, now: UnixMillis) -> bool:
        """See the port."""
        return bool(
            self._do(
                "INSERT INTO mail (device, sender, sender_device, item, prekey, sealed, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                mail.device,
                mail.sender,
                mail.sender_device,
                mail.item,
                mail.prekey,
                mail.sealed,
                now,
            )
        )

    def has_mail(self, device: DeviceId, sender_device: DeviceId, item: bytes) -> bool:
        """See the port."""
        sql = "SELECT 1 FROM mail WHERE device = ? AND sender_device = ? AND item = ?"
        return self._one(sql, device, sender_device, item) is not None

    def mail_load(self, device: DeviceId, sender: AccountId | None) -> Load:
        """See the port."""
        row = self._one(
            "SELECT coalesce(sum(items), 0), coalesce(sum(size), 0) FROM mail_loads"
            " WHERE device = ?1 AND (?2 IS NULL OR sender = ?2)",
            device,
            sender,
        )
        assert row is not None
        return Load(row[0], row[1])

    def mail_left(self, device: DeviceId) -> int:
        """See the port."""
        row = self._one("SELECT mail_left FROM devices WHERE id = ?", device)
        return 0 if row is None else int(row[0])

    def mail_for(self, device: DeviceId, after: int, limit: int) -> list[MailRow]:
        """See the port."""
        rows = self._all(
            "SELECT m.number, a.name, m.sender_device, m.item, m.prekey, m.sealed, m.at FROM mail m"
            " JOIN accounts a ON a.id = m.sender WHERE m.device = ? AND m.number > ?"
            " ORDER BY m.number LIMIT ?",
            device,
            after,
            limit,
        )
        return [
            MailRow(
                number, AccountName(name), DeviceId(sender), item, prekey, sealed, UnixMillis(at)
            )
            for number, name, sender, item, prekey, sealed, at in rows
        ]

    def drop_mail(self, device: DeviceId, numbers: tuple[int, ...]) -> None:
        """See the port."""
        for number in numbers:
            self._do("DELETE FROM mail WHERE number = ? AND device = ?", number, device)

    def drop_mail_between(self, one: AccountId, other: AccountId) -> None:
        """See the port."""
        for sender, recipient in ((one, other), (other, one)):
            self._do(
                "DELETE FROM mail WHERE sender = ? AND device IN"
                " (SELECT id FROM devices WHERE account = ?)",
                sender,
                recipient,
            )

    def drop_mailbox(self, device: DeviceId) -> None:
        """See the port."""
        self._do("DELETE FROM mail WHERE device = ?", device)
        self._do("DELETE FROM prekeys WHERE device = ?", device)

    def expire_mail(self, before: UnixMillis, gifts_before: UnixMillis) -> int:
        """See the port."""
        self._do("DELETE FROM prekey_gifts WHERE at < ?", gifts_before)
        return self._do("DELETE FROM mail WHERE at < ?", before)
