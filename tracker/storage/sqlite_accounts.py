"""SQLite's answers about accounts, their devices and their sealed state."""

from __future__ import annotations

from tracker.storage.port import (
    Account,
    AccountId,
    Applicant,
    Device,
    Entrant,
    KdfChoice,
    Role,
    StateSlice,
    UserRow,
)
from tracker.storage.sqlite_rows import Asking, Row
from wire.ids import AccountName, AuthKey, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis

_ACCOUNT = (
    "SELECT id, name, identity, salt, memory_kib, passes, lanes, has_recovery_key, auth_key, vault,"
    " vault_counter, vault_changed, device_list, list_counter, role, registered, last_seen"
    " FROM accounts WHERE "
)
_DEVICE = (
    "SELECT id, account, link_key, certificate, addresses, is_signed_off, revoked, added, last_seen"
    " FROM devices WHERE "
)


def _account(row: Row) -> Account:
    return Account(
        id=AccountId(row[0]),
        name=AccountName(row[1]),
        identity=IdentityKey(row[2]),
        kdf=KdfChoice(
            salt=row[3],
            memory_kib=row[4],
            passes=row[5],
            lanes=row[6],
            has_recovery_key=bool(row[7]),
        ),
        auth_key=AuthKey(row[8]),
        vault=row[9],
        vault_counter=row[10],
        vault_changed=UnixMillis(row[11]),
        device_list=row[12],
        list_counter=row[13],
        role=Role(row[14]),
        registered=UnixMillis(row[15]),
        last_seen=UnixMillis(row[16]),
    )


def _device(row: Row) -> Device:
    return Device(
        id=DeviceId(row[0]),
        account=AccountId(row[1]),
        link_key=LinkKey(row[2]),
        certificate=row[3],
        addresses=row[4],
        is_signed_off=bool(row[5]),
        revoked=UnixMillis(row[6]),
        added=UnixMillis(row[7]),
        last_seen=UnixMillis(row[8]),
    )


class SqliteAccounts(Asking):
    """The part of `SqliteStore` about accounts, devices and account state."""

    __slots__ = ()

    # --- accounts

    def add_account(self, applicant: Applicant, now: UnixMillis) -> AccountId:
        """See the port."""
        kdf = applicant.kdf
        cursor = self._db.execute(
            "INSERT INTO accounts (id, name, identity, salt, memory_kib, passes, lanes, has_recovery_key,"
            " auth_key, vault, vault_counter, vault_changed, device_list, list_counter, registered,"
            " last_seen) VALUES (1 + max((SELECT coalesce(max(id), 0) FROM accounts),"
            " (SELECT highest FROM deleted)), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)",
            (
                applicant.name,
                applicant.identity,
                kdf.salt,
                kdf.memory_kib,
                kdf.passes,
                kdf.lanes,
                kdf.has_recovery_key,
                applicant.auth_key,
                applicant.vault,
                applicant.vault_counter,
                now,
                applicant.device_list,
                applicant.list_counter,
                now,
            ),
        )
        return AccountId(cursor.lastrowid or 0)

    def account(self, account: AccountId) -> Account | None:
        """See the port."""
        row = self._one(_ACCOUNT + "id = ?", account)
        return _account(row) if row else None

    def account_named(self, name: AccountName) -> Account | None:
        """See the port."""
        row = self._one(_ACCOUNT + "name = ?", name)
        return _account(row) if row else None

    def account_of(self, identity: IdentityKey) -> Account | None:
        """See the port."""
        row = self._one(_ACCOUNT + "identity = ?", identity)
        return _account(row) if row else None

    def put_device_list(self, account: AccountId, device_list: bytes, counter: int) -> None:
        """See the port."""
        self._do(
            "UPDATE accounts SET device_list = ?, list_counter = ? WHERE id = ?",
            device_list,
            counter,
            account,
        )

    def put_vault(self, account: AccountId, vault: bytes, counter: int, now: UnixMillis) -> None:
        """See the port."""
        self._do(
            "UPDATE accounts SET vault = ?, vault_counter = ?, vault_changed = ? WHERE id = ?",
            vault,
            counter,
            now,
            account,
        )

    def put_password(
        self,
        account: AccountId,
        kdf: KdfChoice,
        auth_key: AuthKey,
        vault: bytes,
        counter: int,
        now: UnixMillis,
    ) -> None:
        """See the port."""
        self._do(
            "UPDATE accounts SET salt = ?, memory_kib = ?, passes = ?, lanes = ?,"
            " has_recovery_key = ?, auth_key = ?, vault = ?, vault_counter = ?, vault_changed = ?"
            " WHERE id = ?",
            kdf.salt,
            kdf.memory_kib,
            kdf.passes,
            kdf.lanes,
            kdf.has_recovery_key,
            auth_key,
            vault,
            counter,
            now,
            account,
        )

    def delete_account(self, account: AccountId) -> None:
        """See the port; what hangs on the row goes by its references."""
        if self._do("DELETE FROM accounts WHERE id = ?", account):
            self._do("UPDATE deleted SET highest = max(highest, ?)", account)

    def put_last_seen(self, account: AccountId, at: UnixMillis) -> None:
        """See the port."""
        self._do("UPDATE accounts SET last_seen = ? WHERE id = ?", at, account)

    def users(self, after: AccountName | None, limit: int) -> list[UserRow]:
        """See the port."""
        rows = self._all(
            "SELECT a.id, a.name, a.role,"
            " (SELECT count(*) FROM devices d WHERE d.account = a.id AND d.revoked = 0"
            "  AND d.is_signed_off = 0),"
            " a.registered, max(a.last_seen,"
            "  (SELECT coalesce(max(d.last_seen), 0) FROM devices d WHERE d.account = a.id))"
            " FROM accounts a WHERE a.name > ? ORDER BY a.name LIMIT ?",
            after or "",
            limit,
        )
        return [
            UserRow(
                id=AccountId(row[0]),
                name=AccountName(row[1]),
                role=Role(row[2]),
                devices=row[3],
                registered=UnixMillis(row[4]),
                last_seen=UnixMillis(row[5]),
            )
            for row in rows
        ]

    # --- devices

    def add_device(self, device: Device) -> None:
        """See the port."""
        self._do(
            "INSERT INTO devices (id, account, link_key, certificate, addresses, is_signed_off,"
            " revoked, added, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            device.id,
            device.account,
            device.link_key,
            device.certificate,
            device.addresses,
            device.is_signed_off,
            device.revoked,
            device.added,
            device.last_seen,
        )

    def device(self, device: DeviceId) -> Device | None:
        """See the port."""
        row = self._one(_DEVICE + "id = ?", device)
        return _device(row) if row else None

    def device_with(self, link_key: LinkKey) -> Device | None:
        """See the port."""
        row = self._one(_DEVICE + "link_key = ?", link_key)
        return _device(row) if row else None

    def entrant(self, link_key: LinkKey) -> Entrant | None:
        """See the port."""
        row = self._one(
            "SELECT a.id, a.name, a.identity, d.id, d.is_signed_off, d.revoked FROM devices d"
            " JOIN accounts a ON a.id = d.account WHERE d.link_key = ?",
            link_key,
        )
        if row is None:
            return None
        return Entrant(
            account=AccountId(row[0]),
            name=AccountName(row[1]),
            identity=IdentityKey(row[2]),
            device=DeviceId(row[3]),
            is_signed_off=bool(row[4]),
            is_revoked=bool(row[5]),
        )

    def devices_of(self, account: AccountId) -> list[Device]:
        """See the port."""
        rows = self._all(_DEVICE + "account = ? ORDER BY id", account)
        return [_device(row) for row in rows]

    def put_addresses(self, device: DeviceId, signed: bytes) -> None:
        """See the port."""
        self._do("UPDATE devices SET addresses = ? WHERE id = ?", signed, device)

    def put_seen(self, device: DeviceId, at: UnixMillis) -> None:
        """See the port."""
        self._do("UPDATE devices SET last_seen = ? WHERE id = ?", at, device)

    def sign_off(self, device: DeviceId) -> None:
        """See the port."""
        self._do("UPDATE devices SET is_signed_off = 1, addresses = x'' WHERE id = ?", device)

    def sign_on(self, device: DeviceId, certificate: bytes) -> None:
        """See the port."""
        self._do(
            "UPDATE devices SET is_signed_off = 0, certificate = ? WHERE id = ?",
            certificate,
            device,
        )

    def revoke(self, device: DeviceId, at: UnixMillis) -> None:
        """See the port."""
        self._do("UPDATE devices SET revoked = ?, addresses = x'' WHERE id = ?", at, device)

    # --- account state

    def state_version(self, account: AccountId) -> int:
        """See the port."""
        return self._number("SELECT version FROM states WHERE account = ?", account)

    def state_slice(self, account: AccountId, offset: int, length: int) -> StateSlice:
        """See the port."""
        row = self._one(
            "SELECT version, length(content), coalesce(substr(content, ?, ?), x'') FROM states WHERE account = ?",
            offset + 1,
            length,
            account,
        )
        return StateSlice(row[0], row[1], row[2]) if row else StateSlice(0, 0, b"")

    def put_state(self, account: AccountId, version: int, content: bytes) -> None:
        """See the port."""
        self._do(
            "INSERT INTO states (account, version, content) VALUES (?, ?, ?) ON CONFLICT (account)"
            " DO UPDATE SET version = excluded.version, content = excluded.content",
            account,
            version,
            content,
        )

    def state_keys(self, account: AccountId) -> bytes:
        """See the port."""
        row = self._one("SELECT state_keys FROM accounts WHERE id = ?", account)
        return bytes(row[0]) if row else b""

    def put_state_keys(self, account: AccountId, copies: bytes) -> None:
        """See the port."""
        self._do("UPDATE accounts SET state_keys = ? WHERE id = ?", copies, account)
