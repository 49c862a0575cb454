"""Devices of one account share friends, pins and settings, whatever they change in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peer.accounts import account_state
from peer.effects import CloseLinks, Effect, FriendsChanged, Tell
from peer.people import befriending, contacts, overtures, roster
from peer.store import own, settings
from peer.store.memory import MemoryDatabase
from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.account_state import AccountState, Contact, Entry
from wire.identity import DeviceKeys, add_device, first_device, read_device_list
from wire.identity.packing import pack
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import UnixMillis

NOW = UnixMillis(1_700_000_000_000)
BOB = IdentityKey(b"b" * 32)
CAROL = IdentityKey(b"c" * 32)


@dataclass
class Cloud:
    """What a tracker keeps: one state and its version, replaced by compare-and-swap."""

    version: int = 0
    state: AccountState | None = None


@dataclass
class Device:
    """One device of the account and what its functions told."""

    keys: DeviceKeys
    database: MemoryDatabase
    cloud: Cloud
    effects: list[Effect] = field(default_factory=list)
    now: int = NOW

    def put(self) -> bool:
        """Put what is due; False where somebody else put since."""
        self.now += 1
        snapshot = self.database.write(account_state.due, UnixMillis(self.now))
        if snapshot is None:
            return True
        if snapshot.base_version != self.cloud.version:
            return False
        self.cloud.version += 1
        self.cloud.state = snapshot.state
        self.database.write(account_state.put, snapshot, self.cloud.version)
        return True

    def fetch(self) -> list[Effect]:
        state = self.cloud.state or AccountState(0, 0, self.keys.device, ())
        effects = self.database.write(account_state.merge, state, self.cloud.version)
        self.effects += effects
        return effects

    def sync(self) -> None:
        while not self.put():
            self.fetch()

    def befriend(self, name: str, identity: bytes) -> None:
        self.now += 1
        self.database.connection.execute(
            "INSERT INTO contacts (name, identity, state, since, pinned) VALUES (?, ?, 'friends', ?, 1)"
            " ON CONFLICT (name) DO UPDATE SET identity = excluded.identity, state = 'friends',"
            " since = excluded.since, pinned = 1",
            (name, identity, self.now),
        )

    def verify(self, name: str) -> None:
        self.database.connection.execute(
            "UPDATE contacts SET verified = identity WHERE name = ?", (name,)
        )

    def people(self) -> list[tuple[object, ...]]:
        return self.database.connection.execute(
            "SELECT name, state, identity, verified, is_by_code FROM contacts WHERE number > 0 ORDER BY name"
        ).fetchall()

    def said(self) -> list[str]:
        return [str(one.event.body["state"]) for one in self.effects if isinstance(one, Tell)]


def devices(count: int = 2) -> list[Device]:
    """Make an account with some devices that have not met yet."""
    entropy = SeededEntropy("account state")
    seed = entropy.bytes(32)
    cloud, made = Cloud(), []
    keys = first_device(seed, "d0", now=NOW, entropy=entropy)
    for number in range(count):
        if number:
            listed = read_device_list(keys.device_list, keys.identity)
            keys = add_device(seed, listed, f"d{number}", now=NOW, entropy=entropy)
        database = MemoryDatabase(entropy, NOW)
        database.write(own.remember, keys, AccountName("alice"), None, b"vault", 1, NOW)
        made.append(Device(keys, database, cloud))
    return made


def test_a_friend_made_at_the_desk_is_known_at_the_laptop_with_pin_and_mark() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.verify("bob")
    desk.sync()
    effects = laptop.fetch()
    assert laptop.people() == [("bob", "friends", BOB, BOB, 0)]
    assert FriendsChanged(AccountName("bob")) in effects
    [friend] = laptop.database.read(roster.list_friends, online_only=False)
    assert (friend.friend, friend.verified) == ("bob", True)


def test_nothing_is_put_where_nothing_changed() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    laptop.fetch()
    assert laptop.database.write(account_state.due, NOW) is None
    assert desk.database.write(account_state.due, NOW) is None


def test_what_two_devices_change_at_once_is_kept_of_both() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    laptop.befriend("carol", CAROL)
    desk.database.write(settings.write, "config/receipts", b"off")
    assert desk.put()
    assert not laptop.put()
    laptop.sync()
    desk.fetch()
    both = [("bob", "friends", BOB, None, 0), ("carol", "friends", CAROL, None, 0)]
    assert desk.people() == laptop.people() == both
    assert laptop.database.read(settings.read, "config/receipts") == b"off"


def test_a_block_at_one_device_ends_links_at_the_other() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    laptop.fetch()
    laptop.database.write(befriending.block, AccountName("bob"), True, UnixMillis(NOW + 50))
    laptop.sync()
    effects = desk.fetch()
    assert [one.identity for one in effects if isinstance(one, CloseLinks)] == [BOB]
    assert desk.people() == [("bob", "blocked", BOB, None, 0)]
    assert desk.said() == ["blocked"]


@pytest.mark.parametrize("who_blocks", [0, 1])
def test_a_block_outranks_the_tracker_s_word_that_the_friendship_ended(who_blocks: int) -> None:
    pair = devices()
    one, other = pair[who_blocks], pair[1 - who_blocks]
    one.befriend("bob", BOB)
    one.sync()
    other.fetch()
    one.database.write(befriending.block, AccountName("bob"), True, UnixMillis(NOW + 50))
    other.database.write(overtures.on_removed, "bob", UnixMillis(NOW + 51))
    other.sync()
    one.sync()
    other.fetch()
    assert [row[1] for row in (*one.people(), *other.people())] == ["blocked", "blocked"]


def test_an_accepted_key_replaces_the_pin_and_takes_the_list_of_the_old_one_away() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    laptop.fetch()
    laptop.database.connection.execute(
        "UPDATE contacts SET device_list = x'01', list_counter = 7, claimed = ? WHERE number > 0",
        (CAROL,),
    )
    desk.befriend("bob", CAROL)
    desk.sync()
    effects = laptop.fetch()
    assert [one.identity for one in effects if isinstance(one, CloseLinks)] == [BOB]
    row = laptop.database.connection.execute(
        "SELECT identity, device_list, list_counter, claimed FROM contacts WHERE number > 0"
    ).fetchone()
    assert row == (CAROL, None, 0, None)


@pytest.mark.parametrize("end", ["removed", "friends"])
def test_the_alarm_at_a_changed_key_stays_until_a_person_judged_it(end: str) -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    laptop.fetch()
    laptop.database.connection.execute(
        "UPDATE contacts SET state = ?, claimed = ?, request = x'01' WHERE number > 0", (end, CAROL)
    )
    desk.database.write(overtures.on_removed, "bob", UnixMillis(NOW + 10))
    desk.sync()
    laptop.fetch()
    row = "SELECT state, identity, claimed, request FROM contacts WHERE number > 0"
    assert laptop.database.connection.execute(row).fetchone() == ("removed", BOB, CAROL, b"\x01")
    desk.befriend("bob", CAROL)  # judged there
    desk.sync()
    laptop.fetch()
    assert laptop.database.connection.execute(row).fetchone() == ("friends", CAROL, None, None)


def test_a_newer_device_list_seen_elsewhere_makes_the_known_one_old() -> None:
    desk, laptop = devices()
    for one in (desk, laptop):
        one.befriend("bob", BOB)
        one.database.connection.execute(
            "UPDATE contacts SET device_list = x'01', list_counter = 2 WHERE number > 0"
        )
    desk.database.connection.execute("UPDATE contacts SET list_counter = 5 WHERE number > 0")
    desk.sync()
    laptop.fetch()
    row = laptop.database.connection.execute(
        "SELECT device_list, list_counter FROM contacts WHERE number > 0"
    )
    assert row.fetchone() == (None, 5)


def test_what_concerns_one_machine_stays_there() -> None:
    desk, laptop = devices()
    desk.database.write(settings.write, "here/downloads.folder", b"/srv")
    desk.sync()
    assert desk.cloud.state is None
    forged = AccountState(1, 1, desk.keys.device, (Entry("here/x", b"y", 9, desk.keys.device),))
    laptop.database.write(account_state.merge, forged, 1)
    assert laptop.database.read(settings.read, "here/x") is None


def test_an_older_state_is_told_and_what_is_newer_here_is_put_again() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    old = desk.cloud.state
    desk.befriend("carol", CAROL)
    desk.sync()
    laptop.fetch()
    desk.cloud.state, desk.cloud.version = old, 1  # the tracker's disk went back in time
    [told] = [one.event.body["code"] for one in laptop.fetch() if isinstance(one, Tell)]
    assert told == "state-rollback"
    assert [row[0] for row in laptop.people()] == ["bob", "carol"]
    laptop.sync()
    assert desk.cloud.state is not None
    assert desk.cloud.state.counter > 2
    assert {"contact/bob", "contact/carol"} <= {entry.key for entry in desk.cloud.state.entries}


def test_a_value_without_sense_is_left_alone_and_the_rest_counts() -> None:
    desk, _ = devices()
    other = DeviceId(b"e" * 16)
    state = AccountState(
        1,
        1,
        other,
        (
            Entry("contact/bob", b"\xc1", 1, other),
            Entry("contact/" + "x" * 60, pack(Contact("friends", CAROL, False, True, 1)), 1, other),
            Entry("contact/carol", pack(Contact("friends", CAROL, False, True, 1)), 1, other),
            Entry("verified/carol", b"short", 1, other),
            Entry("from/the/future", b"?", 1, other),
        ),
    )
    desk.database.write(account_state.merge, state, 1)
    assert desk.people() == [("carol", "friends", CAROL, None, 0)]


def test_a_request_of_theirs_that_came_after_the_end_stays() -> None:
    desk, laptop = devices()
    desk.befriend("bob", BOB)
    desk.sync()
    laptop.fetch()
    desk.database.write(befriending.remove, "bob", UnixMillis(NOW + 10))
    desk.sync()
    laptop.database.connection.execute(
        "UPDATE contacts SET state = 'asked_in', request = x'01', since = ? WHERE number > 0",
        (NOW + 20,),
    )
    laptop.fetch()
    assert laptop.people()[0][1] == "asked_in"


def test_a_request_made_at_one_device_is_listed_at_the_other() -> None:
    desk, laptop = devices()
    desk.database.write(
        befriending.ask, desk.keys, AccountName("bob"), "hello", pinned=None, found=BOB,
        now=UnixMillis(NOW), entropy=SeededEntropy("ask"),
    )  # fmt: skip
    desk.sync()
    laptop.fetch()
    [waiting] = laptop.database.read(roster.requests)
    assert (waiting.friend, waiting.direction) == ("bob", "out")


def test_the_longest_ended_friendships_go_when_the_state_would_not_fit() -> None:
    desk, _ = devices()
    desk.database.connection.executemany(
        "INSERT INTO contacts (name, identity, state, since) VALUES (?, ?, 'removed', ?)",
        [(f"gone{number}", BOB, number) for number in range(limits.STATE_ENTRIES + 5)],
    )
    desk.befriend("bob", BOB)
    snapshot = desk.database.write(account_state.due, NOW)
    assert snapshot is not None
    keys = {entry.key for entry in snapshot.state.entries}
    assert "contact/bob" in keys
    assert "contact/gone0" not in keys
    assert f"contact/gone{limits.STATE_ENTRIES + 4}" in keys
    packed = pack(snapshot.state)
    assert len(packed) <= limits.ACCOUNT_STATE_BYTES - 48


NAMES = st.sampled_from(["bob", "carol", "dave"])
WHO = st.integers(0, 2)


class AnyOrder(RuleBasedStateMachine):
    """Three devices change what they like and meet the tracker when they like: in the end all agree."""

    def __init__(self) -> None:
        super().__init__()
        self.devices = devices(3)

    @rule(who=WHO, name=NAMES, identity=st.sampled_from([BOB, CAROL]))
    def befriend(self, who: int, name: str, identity: bytes) -> None:
        self.devices[who].befriend(name, identity)

    @rule(who=WHO, name=NAMES)
    def remove(self, who: int, name: str) -> None:
        one = self.devices[who]
        one.now += 1
        found = one.database.read(contacts.find, name)
        if found is not None and found.state == "friends":
            one.database.write(befriending.remove, name, UnixMillis(one.now))

    @rule(who=WHO, name=NAMES, is_blocked=st.booleans())
    def block(self, who: int, name: str, is_blocked: bool) -> None:
        one = self.devices[who]
        one.now += 1
        one.database.write(befriending.block, AccountName(name), is_blocked, UnixMillis(one.now))

    @rule(who=WHO, name=NAMES)
    def verify(self, who: int, name: str) -> None:
        self.devices[who].verify(name)

    @rule(who=WHO, value=st.binary(max_size=3))
    def configure(self, who: int, value: bytes) -> None:
        self.devices[who].database.write(settings.write, "config/x", value)

    @rule(who=WHO)
    def put(self, who: int) -> None:
        self.devices[who].put()

    @rule(who=WHO)
    def fetch(self, who: int) -> None:
        self.devices[who].fetch()

    @invariant()
    def versions_only_go_up(self) -> None:
        state = self.devices[0].cloud.state
        assert state is None or state.counter >= 1

    def teardown(self) -> None:
        for one in (*self.devices, *self.devices):
            one.fetch()
            one.sync()
        for one in self.devices:
            one.fetch()
            assert one.database.write(account_state.due, NOW) is None
        first, *rest = self.devices
        for one in rest:
            assert one.people() == first.people()
            assert one.database.read(settings.under, "config/") == first.database.read(
                settings.under, "config/"
            )


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = profile(
    max_examples=60, stateful_step_count=30, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


def test_a_request_of_theirs_is_no_entry() -> None:
    desk, _ = devices()
    desk.database.connection.execute(
        "INSERT INTO contacts (name, identity, state, since) VALUES ('bob', ?, 'asked_in', 1)",
        (BOB,),
    )
    assert desk.database.write(account_state.due, NOW) is None
