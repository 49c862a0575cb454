"""The tracker's storage as dictionaries: what every adapter must answer, said as plainly as possible."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from tests.harness.model_mail import ModelMail
from tracker.storage.port import (
    NEVER,
    Account,
    AccountId,
    Applicant,
    Device,
    Entrant,
    FriendAnswerRow,
    FriendRequestRow,
    FriendRow,
    KdfChoice,
    PersonRow,
    Role,
    StateSlice,
    UserRow,
)
from wire.ids import AccountName, AuthKey, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages.held import Tie

Pair = tuple[AccountId, AccountId]


class ModelStore(ModelMail):
    """Implements `tracker.storage.port.Store` without a database."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[AccountId, Account] = {}
        self.devices: dict[DeviceId, Device] = {}
        self.states: dict[AccountId, tuple[int, bytes]] = {}
        self.keys: dict[AccountId, bytes] = {}  # copies of the state key
        self.friendships: dict[Pair, UnixMillis] = {}
        self.requests: dict[Pair, tuple[bytes, bool, UnixMillis]] = {}
        self.answers: dict[Pair, tuple[bool, bytes, UnixMillis]] = {}
        self.blocks: dict[Pair, UnixMillis] = {}
        self.given = 0

    def add_account(self, applicant: Applicant, now: UnixMillis) -> AccountId:
        self.given += 1
        number = AccountId(self.given)
        self.accounts[number] = Account(
            id=number,
            name=applicant.name,
            identity=applicant.identity,
            kdf=applicant.kdf,
            auth_key=applicant.auth_key,
            vault=applicant.vault,
            vault_counter=applicant.vault_counter,
            vault_changed=now,
            device_list=applicant.device_list,
            list_counter=applicant.list_counter,
            role=Role.USER,
            registered=now,
            last_seen=NEVER,
        )
        return number

    def account(self, account: AccountId) -> Account | None:
        return self.accounts.get(account)

    def account_named(self, name: AccountName) -> Account | None:
        return next((a for a in self.accounts.values() if a.name == name), None)

    def account_of(self, identity: IdentityKey) -> Account | None:
        return next((a for a in self.accounts.values() if a.identity == identity), None)

    def put_device_list(self, account: AccountId, device_list: bytes, counter: int) -> None:
        self.accounts[account] = replace(
            self.accounts[account], device_list=device_list, list_counter=counter
        )

    def put_vault(self, account: AccountId, vault: bytes, counter: int, now: UnixMillis) -> None:
        self.accounts[account] = replace(
            self.accounts[account], vault=vault, vault_counter=counter, vault_changed=now
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
        self.accounts[account] = replace(self.accounts[account], kdf=kdf, auth_key=auth_key)
        self.put_vault(account, vault, counter, now)

    def delete_account(self, account: AccountId) -> None:
        self.accounts.pop(account, None)
        self.states.pop(account, None)
        self.keys.pop(account, None)
        devices = {device.id for device in self.devices_of(account)}
        self.forget_mail_of(account, devices)
        for device in devices:
            del self.devices[device]
        tables: tuple[dict[Pair, Any], ...]
        tables = (self.friendships, self.blocks, self.requests, self.answers)
        for table in tables:
            for pair in [pair for pair in table if account in pair]:
                del table[pair]

    def people_of(self, account: AccountId, tie: Tie, after: str, limit: int) -> list[PersonRow]:
        ties = {
            Tie.FRIEND: [(b, at, b"") for (a, b), at in self.friendships.items() if a == account],
            Tie.ASKED_BY_ME: [(b, r[2], r[0]) for (a, b), r in self.requests.items() if a == account],
            Tie.ASKED_ME: [(a, r[2], r[0]) for (a, b), r in self.requests.items() if b == account],
            Tie.ANSWERED_BY_ME: [(a, r[2], r[1]) for (a, b), r in self.answers.items() if b == account],
            Tie.ANSWERED_ME: [(b, r[2], r[1]) for (a, b), r in self.answers.items() if a == account],
            Tie.BLOCKED: [(b, at, b"") for (a, b), at in self.blocks.items() if a == account],
        }  # fmt: skip
        rows = [
            PersonRow(self.accounts[who].name, self.accounts[who].identity, at, signed)
            for who, at, signed in ties[tie]
        ]
        rows = [row for row in rows if row.name > after]
        return sorted(rows, key=lambda row: row.name)[:limit]

    def put_last_seen(self, account: AccountId, at: UnixMillis) -> None:
        self.accounts[account] = replace(self.accounts[account], last_seen=at)

    def users(self, after: AccountName | None, limit: int) -> list[UserRow]:
        rows = []
        for account in sorted(self.accounts.values(), key=lambda a: a.name):
            if account.name <= (after or ""):
                continue
            devices = self.devices_of(account.id)
            rows.append(
                UserRow(
                    id=account.id,
                    name=account.name,
                    role=account.role,
                    devices=sum(not d.revoked and not d.is_signed_off for d in devices),
                    registered=account.registered,
                    last_seen=max([account.last_seen, *(d.last_seen for d in devices)]),
                )
            )
        return rows[:limit]

    def add_device(self, device: Device) -> None:
        self.devices[device.id] = device

    def device(self, device: DeviceId) -> Device | None:
        return self.devices.get(device)

    def device_with(self, link_key: LinkKey) -> Device | None:
        return next((d for d in self.devices.values() if d.link_key == link_key), None)

    def entrant(self, link_key: LinkKey) -> Entrant | None:
        device = self.device_with(link_key)
        if device is None:
            return None
        owner = self.accounts[device.account]
        return Entrant(
            account=owner.id,
            name=owner.name,
            identity=owner.identity,
            device=device.id,
            is_signed_off=device.is_signed_off,
            is_revoked=bool(device.revoked),
        )

    def devices_of(self, account: AccountId) -> list[Device]:
        own = (d for d in self.devices.values() if d.account == account)
        return sorted(own, key=lambda d: d.id)

    def put_addresses(self, device: DeviceId, signed: bytes) -> None:
        self.devices[device] = replace(self.devices[device], addresses=signed)

    def put_seen(self, device: DeviceId, at: UnixMillis) -> None:
        self.devices[device] = replace(self.devices[device], last_seen=at)

    def sign_off(self, device: DeviceId) -> None:
        self.devices[device] = replace(self.devices[device], is_signed_off=True, addresses=b"")

    def sign_on(self, device: DeviceId, certificate: bytes) -> None:
        self.devices[device] = replace(
            self.devices[device], is_signed_off=False, certificate=certificate
        )

    def revoke(self, device: DeviceId, at: UnixMillis) -> None:
        self.devices[device] = replace(self.devices[device], revoked=at, addresses=b"")

    def state_version(self, account: AccountId) -> int:
        return self.states.get(account, (0, b""))[0]

    def state_slice(self, account: AccountId, offset: int, length: int) -> StateSlice:
        version, content = self.states.get(account, (0, b""))
        return StateSlice(version, len(content), content[offset : offset + length])

    def put_state(self, account: AccountId, version: int, content: bytes) -> None:
        self.states[account] = (version, content)

    def state_keys(self, account: AccountId) -> bytes:
        return self.keys.get(account, b"")

    def put_state_keys(self, account: AccountId, copies: bytes) -> None:
        if account in self.accounts:
            self.keys[account] = copies

    def are_friends(self, one: AccountId, other: AccountId) -> bool:
        return (one, other) in self.friendships

    def befriend(self, one: AccountId, other: AccountId, now: UnixMillis) -> None:
        self.friendships = {(one, other): now, (other, one): now, **self.friendships}

    def part(self, one: AccountId, other: AccountId) -> bool:
        were_friends = self.are_friends(one, other)
        self.friendships.pop((one, other), None)
        self.friendships.pop((other, one), None)
        return were_friends

    def friends_of(self, account: AccountId) -> list[FriendRow]:
        friends = (self.accounts[b] for a, b in self.friendships if a == account)
        return [
            FriendRow(a.id, a.name, a.identity, a.last_seen)
            for a in sorted(friends, key=lambda a: a.name)
        ]

    def count_friends(self, account: AccountId) -> int:
        return len(self.friends_of(account))

    def put_request(
        self,
        asker: AccountId,
        target: AccountId,
        signed: bytes,
        is_void: bool,
        now: UnixMillis,
    ) -> None:
        self.requests[asker, target] = (signed, is_void, now)

    def request_of(self, asker: AccountId, target: AccountId) -> FriendRequestRow | None:
        row = self.requests.get((asker, target))
        return FriendRequestRow(self.accounts[asker].name, *row) if row else None

    def drop_request(self, asker: AccountId, target: AccountId) -> None:
        self.requests.pop((asker, target), None)

    def void_request(self, asker: AccountId, target: AccountId) -> None:
        if row := self.requests.get((asker, target)):
            self.requests[asker, target] = (row[0], True, row[2])

    def requests_to(self, target: AccountId) -> list[FriendRequestRow]:
        rows = [
            FriendRequestRow(self.accounts[a].name, *row)
            for (a, t), row in self.requests.items()
            if t == target and not row[1]
        ]
        return sorted(rows, key=lambda row: (row.at, row.name))

    def count_requests_from(self, asker: AccountId) -> int:
        return sum(a == asker for a, _ in self.requests)

    def count_requests_to(self, target: AccountId) -> int:
        return len(self.requests_to(target))

    def put_answer(
        self,
        asker: AccountId,
        answerer: AccountId,
        is_yes: bool,
        signed: bytes,
        now: UnixMillis,
    ) -> None:
        self.answers[asker, answerer] = (is_yes, signed, now)

    def drop_answer(self, asker: AccountId, answerer: AccountId) -> None:
        self.answers.pop((asker, answerer), None)

    def answers_to(self, asker: AccountId) -> list[FriendAnswerRow]:
        rows = [
            FriendAnswerRow(self.accounts[b].name, *row)
            for (a, b), row in self.answers.items()
            if a == asker
        ]
        return sorted(rows, key=lambda row: (row.at, row.name))

    def expire(self, before: UnixMillis) -> int:
        requests = {pair for pair, row in self.requests.items() if row[2] < before}
        answers = {pair for pair, row in self.answers.items() if row[2] < before}
        for pair in requests:
            del self.requests[pair]
        for pair in answers:
            del self.answers[pair]
        return len(requests) + len(answers)

    def block(self, account: AccountId, blocked: AccountId, now: UnixMillis) -> None:
        self.blocks.setdefault((account, blocked), now)

    def unblock(self, account: AccountId, blocked: AccountId) -> None:
        self.blocks.pop((account, blocked), None)

    def has_blocked(self, account: AccountId, blocked: AccountId) -> bool:
        return (account, blocked) in self.blocks

    def count_blocks(self, account: AccountId) -> int:
        return sum(a == account for a, _ in self.blocks)
