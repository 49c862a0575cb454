"""A tracker that lies: it can keep things back, and every lie about keys, passwords and friends is noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.liars import THEN, Answer, Lie, LyingTracker
from tests.harness.memory import bounded
from tests.independent import values
from tests.independent.account import addresses
from tests.independent.link import Link, octets
from tests.independent.msgpack import Value
from tests.independent.values import Device


@pytest.fixture
def liar() -> Iterator[LyingTracker]:
    with LyingTracker() as tracker:
        yield tracker


def answer_of(who: Device, asked: bytes, asker: bytes, *, is_yes: bool = True) -> bytes:
    """Sign the answer to a friend request."""
    body: list[Value] = [hashlib.sha256(asked).digest(), asker, who.identity, is_yes, THEN]
    return values.issue(
        who.signing_seed, "friend-answer", [*body, who.certificate, who.device_list]
    )


def request_of(who: Device, name: str, target: str) -> bytes:
    """Sign a friend request."""
    body: list[Value] = [name, target, who.identity, b"", os.urandom(16), "hello", values.now_ms()]
    return values.issue(
        who.signing_seed, "friend-request", [*body, who.certificate, who.device_list]
    )


def device_of(liar: LyingTracker) -> bytes:
    """Give the link key of the device that registered."""
    return octets(values.peek(octets(liar.account, 10)), 2)


def answering(name: str, *content: Value) -> Lie:
    """Answer every request of a kind alike."""
    return lambda fields: [(name, [fields[0], *content])]


def friend_code(liar: LyingTracker, name: str, identity: bytes) -> str:
    """Give a friend code of somebody at this tracker."""
    place, _, _ = liar.address.partition("#")
    return values.friend_code(name, place, liar.key, identity)


# --- passwords


def test_weak_parameters_are_refused_before_the_password_is_used(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    make_peer("alice").register(liar.address)
    for weak in ([8192, 3, 4], [65_536, 1, 4]):
        liar.lies["AskKdf"] = answering("Kdf", bytes(16), *weak, False)
        outcome = make_peer("laptop").try_to("login", "alice", "--tracker", liar.address)
        assert (outcome.code, outcome.error["code"]) == (1, "kdf-too-weak")
    assert liar.asked("LogIn") == []


def test_a_vault_that_is_not_the_accounts_opens_nothing(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    make_peer("alice").register(liar.address)
    vault = liar.account[8]
    assert isinstance(vault, bytes)
    other = values.make_device(os.urandom(32))

    def logged_in(**lie: Value) -> None:
        truth: dict[str, Value] = {
            "identity": liar.account[2],
            "vault": vault,
            "counter": 1,
            "changed": THEN,
            "list": liar.account[11],
            "state": 0,
        }
        liar.lies["LogIn"] = answering("LoggedIn", *(truth | lie).values())

    lies: list[tuple[dict[str, Value], str]] = [
        ({"vault": vault[:-1] + bytes([vault[-1] ^ 1])}, "vault-invalid"),
        ({"counter": 2}, "vault-rollback"),
        ({"identity": other.identity}, "key-mismatch"),
        ({"list": other.device_list}, "identity-mismatch"),
    ]
    laptop = make_peer("laptop")
    for lie, code in lies:
        logged_in(**lie)
        outcome = laptop.try_to("login", "alice", "--tracker", liar.address)
        assert outcome.code == 1, lie
        assert outcome.error["code"] == code, lie
        assert laptop.try_to("whoami").code == 1
    assert liar.asked("AddDevice") == []
    logged_in()
    assert laptop.one("login", "alice", "--tracker", liar.address)["account"] == "alice"


def test_a_tracker_with_another_key_gets_no_word(liar: LyingTracker, make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    with LyingTracker() as other:
        place, _, _ = liar.address.partition("#")
        _, _, key = other.address.partition("#")
        outcome = alice.try_to("register", "alice", "--tracker", f"{place}#{key}")
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-key-mismatch")
    assert liar.heard == []


# --- friends


def test_nobody_becomes_a_friend_by_the_trackers_word(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(liar.address)
    mallory, carol = values.make_device(os.urandom(32)), values.make_device(os.urandom(32))
    friend: list[Value] = ["mallory", mallory.identity, 1, "", 0]
    record = addresses(mallory, [("127.0.0.1", 9)], 1)
    liar.unasked = [
        ("FriendsPage", [[friend], True]),
        ("FriendAdded", [friend]),
        ("FriendAnswered", ["mallory", True, answer_of(mallory, b"", liar.identity), THEN]),
        ("PresenceChanged", ["mallory", 1, "hello", 0]),
        ("AddressesChanged", ["mallory", mallory.id, mallory.certificate, record]),
        ("DevicesChanged", ["mallory", mallory.device_list]),
        ("DevicesChanged", ["alice", mallory.device_list]),
        ("DeviceAdded", [mallory.id, mallory.device_list, THEN]),
        ("FriendAsked", ["mallory", os.urandom(50), THEN]),
        ("FriendAsked", ["mallory", request_of(carol, "carol", "alice"), THEN]),
        ("FriendAsked", ["carol", request_of(mallory, "carol", "dave"), THEN]),
        ("FriendAsked", ["carol", request_of(carol, "carol", "alice"), THEN]),
    ]
    node = alice.up()
    node.event("friend-request", friend="carol", fingerprint=carol.identity.hex())
    assert [item["friend"] for item in alice.do("friend", "requests")] == ["carol"]
    assert alice.do("friend", "list") == []
    assert alice.try_to("say", "mallory", "hi").error["code"] == "no-such-friend"
    host, _, port = node.address.rpartition(":")
    link = Link.dial(
        (host, int(port)),
        "peer",
        expected=liar.identity,
        static=mallory.link_private,
        remote_static=device_of(liar),
    )
    link.say_hello(mallory)
    assert link.until_end().code == "not-admitted"
    link.wire.close()
    told = [item["event"] for item in node.seen]
    assert "friend" not in told
    assert "presence" not in told


def test_another_key_than_the_friend_codes_is_an_alarm_and_pins_nothing(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(liar.address)
    node = alice.up()
    bob, mallory = values.make_device(os.urandom(32)), values.make_device(os.urandom(32))
    code = friend_code(liar, "bob", bob.identity)

    def by_mallory(fields: list[Value]) -> list[Answer]:
        asked = octets(fields, 2)
        forged = answer_of(mallory, asked, liar.identity)
        for_another = answer_of(bob, b"another request", liar.identity)
        return [
            ("Done", [fields[0]]),
            ("FriendAnswered", ["bob", True, for_another, THEN]),
            ("FriendAnswered", ["bob", True, forged, THEN]),
        ]

    liar.lies["AskUser"] = answering("User", "bob", bob.identity)
    liar.lies["AskFriend"] = by_mallory
    assert alice.one("friend", "add", code)["state"] == "asked"
    node.event("notice", code="key-changed", friend="bob")
    assert alice.do("friend", "list") == []
    assert alice.try_to("say", "bob", "hi").code == 1
    alarms = alice.one("status")["alarms"]
    assert [alarm["code"] for alarm in alarms] == ["key-changed"]


def test_a_name_with_another_identity_than_the_code_says_is_not_even_asked(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(liar.address)
    alice.up().event("notice", code="tracker-online")
    liar.lies["AskUser"] = answering("User", "bob", os.urandom(32))
    liar.lies["AskFriend"] = answering("Refused", "key-mismatch", "", 0)
    outcome = alice.try_to("friend", "add", friend_code(liar, "bob", os.urandom(32)))
    assert (outcome.code, outcome.error["code"]) == (1, "key-mismatch")
    assert alice.do("friend", "list") == []


# --- nonsense


def test_words_that_no_tracker_says_end_the_link_and_nothing_else(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(liar.address)
    friend: list[Value] = ["BOB", bytes(32), 1, "", 0]
    nonsense: list[list[Answer]] = [
        [("Events", [bytes(32), [[b"header", b"body"]]])],
        [("FriendsPage", [[friend], True])],
        [("Announced", ["x" * 201])],
        [("HelloTracker", [bytes(16), 0, 0])],
        [("Ping", [number]) for number in range(11)],
    ]

    def entered(fields: list[Value]) -> list[Answer]:
        times = len(liar.asked("Enter"))
        told = nonsense[times - 1] if times <= len(nonsense) else []
        return [liar.truth("Enter", fields), *told]

    liar.lies["Enter"] = entered
    node = alice.up()
    node.event("notice", code="tracker-online")
    liar.wait("Enter", len(nonsense) + 1)
    assert node.process.poll() is None
    assert alice.one("whoami")["account"] == "alice"
    assert alice.do("friend", "list") == []


def test_answers_to_what_nobody_asked_change_nothing(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(liar.address, "--unsealed")
    mallory = values.make_device(os.urandom(32))
    liar.unasked = [
        ("Done", [4242]),
        ("Refused", [4243, "account-deleted", "", 0]),
        ("User", [4244, "bob", mallory.identity]),
        *([("Done", [number]) for number in range(5000, 5500)]),
    ]
    node = alice.up()
    with bounded(node.process.pid):
        node.event("notice", code="tracker-online")
        assert alice.one("status")["tracker"]["state"] == "online"
        assert alice.do("friend", "list") == []
    assert len(liar.asked("Enter")) == 1
