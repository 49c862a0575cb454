"""Every adapter of the storage answers like the model, whatever is asked in whatever order."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.harness.model_store import ModelStore
from tracker.storage.migrate import open_in_memory
from tracker.storage.port import (
    NEVER,
    AccountId,
    Applicant,
    Device,
    KdfChoice,
    Store,
)
from tracker.storage.port_mail import Item
from tracker.storage.sqlite import SqliteStore
from wire.ids import AccountName, AuthKey, DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages.held import Tie

instants = st.integers(1, 50).map(UnixMillis)
counters = st.integers(0, 2**53)
blobs = st.binary(max_size=40)
picks = st.integers(0, 4)


def applicant(number: int) -> Applicant:
    return Applicant(
        name=AccountName(f"{'zyxwv'[number % 5]}.{number}"),
        identity=IdentityKey(bytes([number]) * 32),
        kdf=KdfChoice(bytes([number]) * 16, 65536, 3, 4, bool(number % 2)),
        auth_key=AuthKey(bytes([(100 + number) % 256]) * 32),
        vault=b"vault",
        vault_counter=number,
        device_list=b"list",
        list_counter=1,
    )


class Lockstep(RuleBasedStateMachine):
    """Asks both the same and compares; accounts and devices are picked by number."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = open_in_memory()
        self.stores: tuple[Store, Store] = (SqliteStore(self.connection), ModelStore())
        self.made = 0
        self.devices_made = 0
        self.alive: list[AccountId] = []
        self.devices: list[Device] = []

    def teardown(self) -> None:
        self.connection.close()

    def both(self, question: str, *arguments: object) -> Any:
        sqlite, model = (getattr(store, question)(*arguments) for store in self.stores)
        assert sqlite == model, question
        return sqlite

    def pick(self, number: int) -> AccountId:
        return self.alive[number % len(self.alive)]

    def pick_device(self, number: int) -> DeviceId:
        return self.devices[number % len(self.devices)].id

    @rule(now=instants)
    def an_account_comes(self, now: UnixMillis) -> None:
        if self.made < 8:
            self.alive.append(self.both("add_account", applicant(self.made), now))
            self.made += 1

    @rule(who=picks)
    def an_account_is_deleted(self, who: int) -> None:
        if self.alive:
            gone = self.pick(who)
            self.both("delete_account", gone)
            self.both("delete_account", gone)
            self.alive.remove(gone)
            self.devices = [device for device in self.devices if device.account != gone]

    @rule(who=picks, now=instants, addresses=blobs)
    def a_device_comes(self, who: int, now: UnixMillis, addresses: bytes) -> None:
        if self.alive and self.devices_made < 8:
            key = bytes([self.devices_made])
            device = Device(
                id=DeviceId(key * 16),
                account=self.pick(who),
                link_key=LinkKey(key * 32),
                certificate=b"certificate",
                addresses=addresses,
                is_signed_off=False,
                revoked=NEVER,
                added=now,
                last_seen=NEVER,
            )
            self.both("add_device", device)
            self.devices.append(device)
            self.devices_made += 1

    @rule(who=picks, content=blobs, counter=counters, now=instants)
    def an_account_changes(self, who: int, content: bytes, counter: int, now: UnixMillis) -> None:
        if self.alive:
            self.both("put_device_list", self.pick(who), content, counter)
            self.both("put_vault", self.pick(who + 1), content, counter, now)
            self.both("put_last_seen", self.pick(who + 2), now)

    @rule(who=picks, content=blobs, counter=counters, now=instants, other=st.integers(0, 200))
    def a_password_changes(
        self, who: int, content: bytes, counter: int, now: UnixMillis, other: int
    ) -> None:
        if self.alive:
            chosen = applicant(other)
            key = chosen.auth_key
            self.both("put_password", self.pick(who), chosen.kdf, key, content, counter, now)

    @rule(which=picks, content=blobs, now=instants, act=st.integers(0, 4))
    def a_device_changes(self, which: int, content: bytes, now: UnixMillis, act: int) -> None:
        if self.devices:
            device = self.pick_device(which)
            match act:
                case 0:
                    self.both("put_addresses", device, content)
                case 1:
                    self.both("put_seen", device, now)
                case 2:
                    self.both("sign_off", device)
                case 3:
                    self.both("sign_on", device, content)
                case _:
                    self.both("revoke", device, now)

    @rule(who=picks, content=st.binary(max_size=200), offset=st.integers(0, 250))
    def the_state_is_put(self, who: int, content: bytes, offset: int) -> None:
        if self.alive:
            account = self.pick(who)
            version = self.both("state_version", account)
            self.both("put_state", account, version + 1, content)
            self.both("state_slice", account, offset, 64)
            self.both("put_state_keys", account, content)
            self.both("state_keys", account)

    @rule(
        one=picks,
        other=picks,
        now=instants,
        act=st.integers(0, 9),
        signed=blobs,
        flag=st.booleans(),
    )
    def two_have_to_do_with_each_other(
        self, one: int, other: int, now: UnixMillis, act: int, signed: bytes, flag: bool
    ) -> None:
        if not self.alive or self.pick(one) == self.pick(other):
            return
        a, b = self.pick(one), self.pick(other)
        match act:
            case 0:
                self.both("befriend", a, b, now)
            case 1:
                self.both("part", a, b)
            case 2:
                self.both("put_request", a, b, signed, flag, now)
            case 3:
                self.both("drop_request", a, b)
            case 4:
                self.both("void_request", a, b)
            case 5:
                self.both("put_answer", a, b, flag, signed, now)
            case 6:
                self.both("drop_answer", a, b)
            case 7:
                self.both("block", a, b, now)
            case 8:
                self.both("unblock", a, b)
            case _:
                self.both("expire", now)

    @rule(which=picks, who=picks, number=picks, now=instants, signed=blobs, act=st.integers(0, 4))
    def prekeys_come_and_go(
        self, which: int, who: int, number: int, now: UnixMillis, signed: bytes, act: int
    ) -> None:
        if not self.devices:
            return
        device, asker = self.pick_device(which), self.pick(who)
        match act:
            case 0 | 1:
                self.both("put_prekey", device, number, signed)
            case 2:
                self.both("put_weekly_prekey", device, number, signed)
            case 3:
                self.both("take_prekey", device, asker, now)
            case _:
                self.both("count_prekeys_given", device, asker, now)

    @rule(which=picks, who=picks, item=picks, now=instants, sealed=blobs, act=st.integers(0, 9))
    def mail_comes_and_goes(
        self, which: int, who: int, item: int, now: UnixMillis, sealed: bytes, act: int
    ) -> None:
        if not self.devices:
            return
        device, sender = self.pick_device(which), self.pick(who)
        origin = DeviceId(bytes([200 + who]) * 16)
        match act:
            case 0 | 1 | 2 | 3 | 4:
                mail = Item(device, sender, origin, bytes([item]) * 16, item, sealed)
                self.both("put_mail", mail, now)
                self.both("has_mail", device, origin, mail.item)
            case 5 | 6:
                rows = self.both("mail_for", device, item, 3)
                self.both("drop_mail", device, tuple(row.number for row in rows[:2]))
            case 7:
                self.both("drop_mail", device, (1, 2, 3))
            case 8:
                self.both("drop_mail_between", self.pick(who), self.pick(which))
                self.both("drop_mailbox", self.pick_device(who))
            case _:
                self.both("expire_mail", now, UnixMillis(max(now - 5, 0)))

    @rule(limit=st.integers(1, 6), after=picks)
    def the_list_is_read(self, limit: int, after: int) -> None:
        self.both("users", None, limit)
        self.both("users", applicant(after).name, limit)

    @rule(who=picks, tie=st.sampled_from(Tie), after=picks, limit=st.integers(1, 3))
    def a_page_of_people_is_read(self, who: int, tie: Tie, after: int, limit: int) -> None:
        if self.alive:
            self.both("people_of", self.pick(who), tie, "", 10)
            self.both("people_of", self.pick(who), tie, applicant(after).name, limit)

    @invariant()
    def all_answers_are_the_same(self) -> None:
        for number in range(self.made + 1):
            who = AccountId(number + 1)
            self.both("account", who)
            self.both("account_named", applicant(number).name)
            self.both("account_of", applicant(number).identity)
            for question in ("friends_of", "requests_to", "answers_to", "devices_of"):
                self.both(question, who)
            for question in (
                "count_friends",
                "count_requests_from",
                "count_requests_to",
                "count_blocks",
                "state_version",
            ):
                self.both(question, who)
            self.both("state_slice", who, 0, 10)
            for other in range(1, self.made + 1):
                for question in ("are_friends", "request_of", "has_blocked"):
                    self.both(question, who, AccountId(other))
        for number in range(self.devices_made + 1):
            self.both("device", DeviceId(bytes([number]) * 16))
            self.both("device_with", LinkKey(bytes([number]) * 32))
            self.both("entrant", LinkKey(bytes([number]) * 32))
            device = DeviceId(bytes([number]) * 16)
            self.both("count_prekeys", device)
            self.both("weekly_prekey", device)
            self.both("mail_for", device, 0, 100)
            self.both("mail_load", device, None)
            self.both("mail_left", device)
            for sender in self.alive:
                self.both("mail_load", device, sender)


TestSqliteAnswersLikeTheModel = Lockstep.TestCase
TestSqliteAnswersLikeTheModel.settings = settings(
    max_examples=max(10, settings().max_examples // 4), stateful_step_count=40
)
