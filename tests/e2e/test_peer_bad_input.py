"""What hostile friends, strangers and trackers get from a node as a real process; the numbers are the rows'."""

from __future__ import annotations

import os
import random
import re
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from peer.identity import read_key_file
from peer.locations import Locations
from tests.conftest import MakeFolder
from tests.e2e.conftest import MakePeer
from tests.fuzz.mutation import mutate_message
from tests.fuzz.seeds import records
from tests.harness.actors import PASSWORD
from tests.harness.doors import Door, doors_of, framed, length
from tests.harness.liars import Answer, LyingTracker
from tests.harness.memory import GROWTH_BYTES, memory_of
from tests.harness.strangers import Scene
from tests.independent import values
from tests.independent.account import Person, Session
from tests.independent.link import Link
from tests.independent.msgpack import Value, pack
from tests.independent.talk import TEXT, link_to
from wire.messages import Purpose

MIB = 1024 * 1024
PING = b"\x80\x05"


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("peer")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


@pytest.fixture(scope="module")
def door(scene: Scene, eve: Person) -> Door:
    return doors_of(scene, eve)[1]


# --- who calls


def test_15_a_call_with_our_own_device_is_a_self_connection(scene: Scene, door: Door) -> None:
    before = door.look()
    own = read_key_file(Locations(scene.bob.home), lambda: PASSWORD).keys
    link = Link.dial(
        scene.place,
        "peer",
        expected=own.identity,
        static=own.link_private,
        remote_static=own.link_key,
    )
    port = link.wire.connection.getsockname()[1]
    with link:
        assert link.until_end().code == "self-connection"
    door.weathered(port, "self-connection", before)


@pytest.mark.deep
def test_37_who_says_nothing_more_on_an_open_link_is_dropped_after_a_minute(door: Door) -> None:
    before = door.look()
    link = door.link()
    link.wire.connection.settimeout(90)
    port = link.wire.connection.getsockname()[1]
    began = time.monotonic()
    with link:
        records = 0
        while (record := link.record())[:2] != b"\x80\x04":
            records += 1
        assert b"link-silent" in record
    assert 59 < time.monotonic() - began < 90
    door.weathered(port, "link-silent", before)


# --- data links


DATA: dict[str, tuple[str, Callable[[Link], list[bytes]]]] = {
    "19 a record that does not verify": ("link-corrupt", lambda _: [framed(b"\xa5" * 40)]),
    "21 a record of nothing": ("frame-empty", lambda _: [length(16) + bytes(16)]),
    "23 a record beyond 1 MiB": ("record-too-large", lambda _: [length(MIB + 17), b"x" * MIB]),
    "22 an unknown message": (
        "unknown-critical",
        lambda link: [framed(link.sealer.seal(b"\xff\xee\x90"))],
    ),
    "25 nested 10,000 deep": (
        "decode-depth",
        lambda link: [framed(link.sealer.seal(PING + b"\x91" * 10_000))],
    ),
    "35 pings": (
        "flood",
        lambda link: [framed(link.sealer.seal(PING + pack([n % 100]))) for n in range(2000)],
    ),
}


@pytest.mark.parametrize("row", DATA)
def test_what_is_wrong_on_a_data_link_ends_it_by_name(
    scene: Scene, eve: Person, door: Door, row: str
) -> None:
    code, build = DATA[row]
    before = door.look()
    with link_to(eve.device, scene.certificate, scene.place, "data") as link:
        for piece in build(link):
            link.wire.send(piece)
        assert link.until_end().code in (code, "eof")  # a reset may swallow the last word
    door.lives_on(before)
    lines = re.findall(r"refused data link with [0-9a-f]{8}: ([a-z-]+)", door.log_since(before))
    assert lines == [code]


# --- a tracker without an end


@pytest.fixture
def liar() -> Iterator[LyingTracker]:
    with LyingTracker() as tracker:
        yield tracker


FRIEND: list[Value] = ["bob", bytes(32), 1, "", 0]
ENDLESS: dict[str, tuple[str, Answer, int]] = {
    "24 pages of friends": ("too-many-pages", ("FriendsPage", [[FRIEND] * 200, False]), 15),
    "24 empty pages of friends": ("flood", ("FriendsPage", [[], False]), 60_000),
    "words": ("flood", ("PresenceChanged", ["bob", 1, "x" * 100, 0]), 60_000),
}


@pytest.mark.parametrize("row", ENDLESS)
def test_a_tracker_that_never_stops_talking_is_left(
    liar: LyingTracker, make_peer: MakePeer, row: str
) -> None:
    code, word, times = ENDLESS[row]
    alice = make_peer("alice")
    alice.register(liar.address)
    node = alice.up()
    node.event("notice", code="tracker-online")

    before = memory_of(node.process.pid)

    def entered(fields: list[Value]) -> list[Answer]:
        told = [word] * times if len(liar.asked("Enter")) == 2 else [("FriendsPage", [[], True])]
        return [liar.truth("Enter", fields), *told]

    liar.lies["Enter"] = entered
    for link in list(liar._links):
        link.wire.shut()
    liar.wait("Enter", 3)
    refused = re.findall(r"refused the tracker at 127\.0\.0\.1:\d+: ([a-z-]+)", node.log)
    assert refused == [code]
    assert memory_of(node.process.pid) - before < 2 * GROWTH_BYTES
    assert alice.one("whoami")["account"] == "alice"


def test_a_tracker_that_says_anything_ends_links_and_never_the_node(
    liar: LyingTracker, make_peer: MakePeer
) -> None:
    dice = random.Random(9)
    pool = [record for record in records(Purpose.TRACKER, 2) if len(record) < 20_000]

    def nonsense() -> list[bytes]:
        chosen = [dice.choice(pool) for _ in range(40)]
        made = [mutate_message(record, dice, dice.choice(pool)) for record in chosen]
        return [record for record in made if 0 < len(record) < 100_000]

    alice = make_peer("alice")
    alice.register(liar.address)
    liar.nonsense = nonsense
    node = alice.up()
    before = memory_of(node.process.pid)
    liar.wait("Enter", 12)
    assert node.process.poll() is None
    assert memory_of(node.process.pid) - before < GROWTH_BYTES
    assert "Traceback" not in node.log
    assert alice.one("whoami")["account"] == "alice"
    assert alice.do("friend", "list") == []


# --- where friends say that they are


def test_55_addresses_are_tried_one_after_another_and_at_most_eight(scene: Scene) -> None:
    """Whoever says that they are in many places makes nobody knock at all of them at once."""
    carol = scene.friend("carol")
    canaries = [socket.create_server(("127.0.0.1", 0)) for _ in range(8)]
    hosts = [canary.getsockname() for canary in canaries]
    with Session(carol) as session:
        began = time.monotonic()
        session.publish(hosts, 2)
        knocks = 0
        waiting = set(canaries)
        while knocks < 5:
            ready, _, _ = select.select(list(waiting), [], [], 90)
            assert ready, "nobody came"
            for canary in ready:
                knock, _ = canary.accept()
                with knock:  # nothing but a handshake's first words
                    said = knock.recv(65536)
                assert not said or (said.startswith(b"HBNB") and len(said) <= 2048), said[:80]
                waiting.discard(canary)
                knocks += 1
        took_s = time.monotonic() - began  # from before the first: we may come to its door late
    for canary in canaries:
        canary.close()
    assert took_s > 1, "more than three dials a second"


def test_55_a_list_of_nine_addresses_is_refused_by_the_tracker(scene: Scene, eve: Person) -> None:
    device = eve.device
    lies: list[list[Value]] = [
        [["127.0.0.1", 1]] * 9,
        [["1.1.1.1", 1]] * 10_000,
        [["127.0.0.1", 0]],
        [["127.0.0.1", 65_536]],
        [["x" * 65, 1]],
    ]
    for hosts in lies:
        body: list[Value] = [device.id, os.urandom(16), 9, hosts]
        signed = values.issue(device.signing_seed, "addresses", body)
        with Session(eve) as session, pytest.raises(Exception, match=r"decode|length-range"):
            session.link.ask("PutAddresses", signed)


# --- what is said


NASTY = {
    "60 escape sequences": "\x1b[2J\x1b]52;c;c2VjcmV0\x07gone",
    "60 a line that poses as another": "one\r\ntwo\nthree",
    "60 a carriage return": "real words\rfalse words",
    "60 controls": "a\x00b\x08c\x9b31md",
    "60 turned around": "\u202egpj.exe\u2066\u200f",
    "60 accents without end": "z" + "\u0301" * 10_000,
    "61 markup": "<img src=x onerror=alert(1)> [click](javascript:alert(1))",
}


def test_60_and_61_what_a_friend_writes_does_nothing_to_a_terminal(
    scene: Scene, eve: Person, door: Door
) -> None:
    before = door.look()
    with scene.talking(eve) as (talk, link):
        for text in NASTY.values():
            talk.say(link, TEXT, [text, b""])
        talk.until(link, lambda: talk.delivered == len(NASTY))
    assert set(NASTY.values()) <= set(scene.bob.texts_from("eve"))  # kept as it is
    shown = scene.bob.plain("history", "eve")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200f\u202e\u2066]", shown)
    assert "<img src=x onerror=alert(1)>" in shown
    assert shown.count("\u0301") < 10
    assert not [line for line in shown.splitlines() if line.startswith(("two", "three", "false"))]
    door.lives_on(before)


def test_63_a_place_that_is_left_out_shows_as_a_gap(scene: Scene, eve: Person, door: Door) -> None:
    before = door.look()
    with scene.talking(eve) as (talk, link):
        late = talk.write(TEXT, ["the third", b""], seq=3, prev=os.urandom(32))
        talk.send(link, late)
        talk.until(link, lambda: talk.receipts)  # it was looked at
        ends = time.monotonic() + 90
        while not [m for m in scene.bob.do("history", "eve") if m["text"] == "the third"]:
            assert time.monotonic() < ends
    shown = scene.bob.do("history", "eve")
    [place] = [at for at, item in enumerate(shown) if item["text"] == "the third"]
    assert shown[place - 1]["kind"] == "gap"
    door.lives_on(before)


@pytest.mark.parametrize(
    ("field", "value"),
    [("seq", 2**53 + 1), ("seq", 2**64 - 1), ("clock", 2**63 - 1), ("at", -1), ("at", 2**63)],
)
def test_63_to_65_numbers_beyond_all_bounds_are_refused_alone(
    scene: Scene, eve: Person, door: Door, field: str, value: int
) -> None:
    before = door.look()
    with scene.talking(eve) as (talk, link):
        lie = talk.write(TEXT, ["never", b""], **{field: value})
        talk.send(link, lie)
        talk.say(link, TEXT, ["ever", b""])
        talk.until(link, lambda: talk.delivered == 1)
    assert scene.why_refused(lie.sealed) == "event-invalid"
    door.lives_on(before)


@pytest.mark.parametrize("at", [0, 253_402_300_799_000])
def test_65_a_clock_that_is_off_changes_no_order(
    scene: Scene, eve: Person, door: Door, at: int
) -> None:
    before = door.look()
    with scene.talking(eve) as (talk, link):
        first = talk.write(TEXT, [f"at {at}", b""], at=at)
        talk.events[first.id] = first
        talk.send(link, first)
        talk.say(link, TEXT, [f"after {at}", b""])
        talk.until(link, lambda: talk.delivered == 2)
    shown = scene.bob.texts_from("eve")
    assert shown.index(f"at {at}") < shown.index(f"after {at}")
    door.lives_on(before)
