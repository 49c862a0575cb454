"""What a friend's log may contain: each bad event is refused alone, counted, told once, and keeps nothing up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from peer.history import transcript
from peer.log import syncing
from peer.log.sessions import Session
from peer.people import befriending
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import (
    conversation_of,
    events_of,
    give,
    lines,
    messages,
    open_link,
    pass_on,
    receipt_of,
    say,
    tick,
    told,
)
from wire import limits
from wire.channel.primitives import sha256
from wire.errors import WireError
from wire.identity.devices import DeviceKeys
from wire.identity.packing import pack
from wire.identity.sign import SignPurpose, issue
from wire.ids import DeviceId, Epoch, EventId
from wire.log.event import Chain, Text, peek_header, write_event
from wire.messages.conversation import (
    AskEvents,
    Devices,
    Digests,
    Events,
    Fork,
    Receipt,
    SealedEvent,
    Unavailable,
    Vector,
    VectorEntry,
)

Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> Pair:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def forge(
    alice: SimPeer,
    bob: SimPeer,
    *,
    keys: DeviceKeys | None = None,
    text: str = "forged",
    **fields: Any,
) -> SealedEvent:
    """Sign, as alice's device, an event that her program would not have written."""
    keys = keys or alice.keys
    chain = Chain(conversation_of(alice, bob), keys.device, Epoch(b"forger.."))
    event = write_event(
        chain,
        Text(text),
        signing_seed=keys.signing_seed,
        parents=(),
        known_clock=0,
        list_counter=1,
        now=alice.world.wall(),
        entropy=alice.entropy,
    )
    header = replace(event.header, **fields)
    signed = issue(keys.signing_seed, SignPurpose.EVENT, header)
    return SealedEvent(signed, event.sealed.body)


def batch(alice: SimPeer, bob: SimPeer, *events: Any) -> Events:
    return Events(conversation_of(alice, bob), events)


def rejected(bob: SimPeer) -> Any:
    return bob.database.connection.execute("SELECT sum(rejected) FROM conversations").fetchone()[0]


def test_a_bad_event_is_refused_alone_and_what_stands_around_it_is_taken(pair: Pair) -> None:
    alice, bob = pair
    first = events_of(alice, [say(alice, "bob", "before"), say(alice, "bob", "after")]).events
    broken = SealedEvent(forge(alice, bob).header, b"another body")
    effects = give(batch(alice, bob, first[0], broken, first[1]), alice, bob)
    [notice] = told(effects, "notice")
    assert str(notice["message"]).startswith("1 message rejected")
    assert notice["friend"] == "alice"
    assert bob.texts("alice") == ["before", "after"]
    assert [kind for kind, _ in lines(bob, "alice")] == ["message", "notice", "message"]
    give(receipt_of(bob, "alice"), bob, alice)
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}


def test_one_that_comes_again_with_every_link_is_counted_and_told_once(pair: Pair) -> None:
    alice, bob = pair
    bad = forge(alice, bob, clock=2**52)
    assert told(give(batch(alice, bob, bad), alice, bob), "notice")
    for _ in range(3):
        assert told(give(batch(alice, bob, bad), alice, bob), "notice") == []
    assert rejected(bob) == 1


def test_many_are_counted_and_told_ever_more_rarely_and_remembered_in_bounds(pair: Pair) -> None:
    alice, bob = pair
    notices = []
    for number in range(limits.REJECTIONS + 50):
        bad = forge(alice, bob, text=f"bad {number}", clock=2**52)
        notices += told(give(batch(alice, bob, bad), alice, bob), "notice")
    assert [str(notice["message"]).split(" ")[0] for notice in notices] == ["1", "10", "100"]
    assert rejected(bob) == limits.REJECTIONS + 50
    (kept,) = bob.database.connection.execute("SELECT count(*) FROM rejections").fetchone()
    assert kept == limits.REJECTIONS
    assert [kind for kind, _ in lines(bob, "alice")] == ["notice"]


BAD = {
    "clock far ahead": {"clock": limits.CLOCK_AHEAD + 1},
    "prev at the first place": {"prev": b"p" * 32},
    "no prev at the second": {"seq": 2},
    "short prev": {"seq": 2, "prev": b"p"},
    "a parent twice": {"parents": (EventId(b"p" * 32),) * 2},
    "another conversation": {"conversation": b"c" * 32},
}


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_what_breaks_the_rules_of_a_log_is_refused_by_all(
    pair: Pair,
    fields: dict[str, bytes | int]
    | dict[str, bytes]
    | dict[str, int]
    | dict[str, tuple[bytes, bytes]],
) -> None:
    alice, bob = pair
    give(batch(alice, bob, forge(alice, bob, **fields)), alice, bob)
    assert rejected(bob) == 1
    assert bob.texts("alice") == []


def test_a_clock_that_is_not_after_what_the_event_names_is_refused(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "first")
    pass_on(alice, bob, said)
    parent = EventId(bytes.fromhex(said))
    give(batch(alice, bob, forge(alice, bob, parents=(parent,), clock=1)), alice, bob)
    assert rejected(bob) == 1


def test_unknown_parents_and_places_far_ahead_are_held_and_shown_with_a_gap(pair: Pair) -> None:
    alice, bob = pair
    strange = tuple(EventId(bytes([n]) * 32) for n in range(limits.PARENTS))
    give(batch(alice, bob, forge(alice, bob, parents=strange)), alice, bob)
    far = forge(alice, bob, text="far", seq=2**53, prev=b"p" * 32, epoch=Epoch(b"another."))
    give(batch(alice, bob, far), alice, bob)
    assert lines(bob, "alice") == []
    tick(bob, 2000)
    assert sorted(lines(bob, "alice")) == [
        ("gap", ""), ("gap", ""), ("message", "far"), ("message", "forged")
    ]  # fmt: skip
    assert rejected(bob) == 0
    alice.say("bob", "and life goes on")
    Cable(alice.world, alice, bob)
    alice.world.run(10_000)
    assert "and life goes on" in bob.texts("alice")
    [said] = [one for one in messages(alice, "bob") if one.text == "and life goes on"]
    assert said.state == "delivered"


def test_a_place_beyond_all_numbers_does_not_even_parse(pair: Pair) -> None:
    alice, bob = pair
    event = forge(alice, bob)
    header = pack(replace(peek_header(event.header), seq=2**53))
    for place in (2**53, -1):
        raw = header.replace(pack_int(2**53), pack_int(place + 1 if place > 0 else place))
        signed = issue_raw(alice, raw)
        give(batch(alice, bob, SealedEvent(signed, event.body)), alice, bob)
    assert rejected(bob) == 2


def pack_int(value: int) -> bytes:
    import msgspec

    return msgspec.msgpack.encode(value)


def issue_raw(alice: SimPeer, body: bytes) -> bytes:
    import msgspec

    from wire.identity.sign import sign

    return msgspec.msgpack.encode([body, sign(alice.keys.signing_seed, SignPurpose.EVENT, body)])


def test_a_signature_of_another_member_or_a_stranger_is_refused(
    pair: Pair, world: Simulation
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(carol, bob)
    befriend(carol, alice)
    of_alice = peek_header(forge(alice, bob).header)
    stolen = issue(bob.keys.signing_seed, SignPurpose.EVENT, of_alice)
    give(batch(alice, bob, SealedEvent(stolen, None)), alice, bob)
    assert rejected(bob) == 1
    give(batch(alice, bob, forge(alice, bob, keys=carol.keys, text="carol")), alice, bob)
    assert rejected(bob) == 2
    unknown = SimPeer.make(Simulation(9), "mallory")
    give(batch(alice, bob, forge(alice, bob, keys=unknown.keys)), alice, bob)
    assert rejected(bob) == 2  # a device of which we may still hear
    assert bob.texts("alice") == []


def test_the_sixty_fifth_run_of_a_device_is_refused_and_the_others_go_on(pair: Pair) -> None:
    alice, bob = pair
    for number in range(limits.EPOCHS + 1):
        epoch = Epoch(number.to_bytes(8, "big"))
        give(batch(alice, bob, forge(alice, bob, text=str(number), epoch=epoch)), alice, bob)
    assert rejected(bob) == 1
    assert len(bob.texts("alice")) == limits.EPOCHS
    answer = say(bob, "alice", "still here")
    pass_on(bob, alice, answer)
    tick(alice, 2000)
    assert alice.texts("bob") == ["still here"]


def test_a_receipt_stays_within_its_bound_however_many_chains_there_are(
    pair: Pair, world: Simulation
) -> None:
    alice, bob = pair
    for device in range(7):
        keys = alice.keys if device == 0 else alice.log_in(f"alice-{device}").keys
        newest = alice.database.connection.execute("SELECT device_list FROM own").fetchone()[0]
        give(Devices(newest, (keys.certificate,)), alice, bob)
        events = [
            forge(alice, bob, keys=keys, epoch=Epoch(number.to_bytes(8, "big")))
            for number in range(limits.EPOCHS)
        ]
        give(batch(alice, bob, *events), alice, bob)
    assert rejected(bob) == 0
    assert len(receipt_of(bob, "alice").signed) <= limits.RECEIPT_BYTES


def test_reading_stays_possible_in_a_log_full_of_holes(pair: Pair) -> None:
    alice, bob = pair
    for number in range(40):
        parents = tuple(EventId(sha256(bytes([number, n]))) for n in range(limits.PARENTS))
        epoch = Epoch((number + 1).to_bytes(8, "big"))
        bad = forge(alice, bob, text=str(number), epoch=epoch, parents=parents, clock=number + 1)
        give(batch(alice, bob, bad), alice, bob)
    tick(bob, 3000)
    assert len(bob.database.read(transcript.messages, "alice", limit=10)) == 10
    assert len([m for m in lines(bob, "alice") if m[0] == "gap"]) == 40


def test_a_stranger_is_not_listened_to(pair: Pair, world: Simulation) -> None:
    alice, bob = pair
    mallory = SimPeer.make(world, "mallory")
    came = events_of(alice, [say(alice, "bob", "x")])
    for message in (came, Devices(mallory.keys.device_list, ())):
        with pytest.raises(WireError):
            bob.database.write(
                syncing.store, bob.keys, mallory.keys.device, mallory.keys.identity, message,
                world.wall(), bob.entropy,
            )  # fmt: skip


def test_a_vector_said_over_and_over_is_answered_once(pair: Pair) -> None:
    alice, bob = pair
    open_link(alice, bob)
    say(bob, "alice", "x" * 1000)
    session = Session(alice.keys.device, alice.keys.identity)
    vector = Vector(conversation_of(alice, bob), (), is_last=True)
    assert bob.database.read(syncing.compare, session, vector)
    assert bob.database.read(syncing.next_batch, session)
    for _ in range(3):
        assert bob.database.read(syncing.compare, session, vector) == []
        bob.database.read(syncing.next_batch, session)
        assert bob.database.read(syncing.next_batch, session) == []


def test_a_vector_without_end_fills_no_memory(pair: Pair) -> None:
    alice, bob = pair
    open_link(alice, bob)
    session = Session(alice.keys.device, alice.keys.identity)
    entries = tuple(
        VectorEntry(DeviceId(bytes(16)), Epoch(number.to_bytes(8, "big")), 0, 1, b"i" * 32)
        for number in range(limits.VECTOR_ENTRIES_PER_PAGE)
    )
    page = Vector(conversation_of(alice, bob), entries, is_last=False)
    for _ in range(50):
        assert bob.database.read(syncing.compare, session, page) == []
    assert sum(map(len, session.pages.values())) == limits.VECTOR_ENTRIES


def test_asking_for_everything_at_once_gives_one_batch(pair: Pair) -> None:
    alice, bob = pair
    open_link(alice, bob)
    ids = [say(bob, "alice", "x" * 20_000) for _ in range(10)]
    session = Session(alice.keys.device, alice.keys.identity)
    asked = AskEvents(
        conversation_of(alice, bob), tuple(EventId(bytes.fromhex(one)) for one in ids)
    )
    effects: list[Any] = bob.database.read(syncing.compare, session, asked)
    answers = [e.message for e in effects]
    [events] = [message for message in answers if isinstance(message, Events)]
    assert len(events.events) == 3
    for nothing in ((), (EventId(b"n" * 32),)):
        asked = AskEvents(conversation_of(alice, bob), nothing)
        assert bob.database.read(syncing.compare, session, asked) == []


anything = st.binary(min_size=1, max_size=200)
hostile = st.one_of(
    st.builds(
        lambda events: ("events", events),
        st.lists(st.tuples(anything, st.none() | anything), min_size=1, max_size=3),
    ),
    st.builds(lambda signed: ("receipt", signed), anything),
    st.builds(lambda a, b: ("fork", a, b), anything, anything),
    st.builds(lambda a, b: ("devices", a, b), anything, anything),
    st.builds(lambda n, m: ("never", n, m), st.integers(1, 2**53), st.integers(1, 2**53)),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(st.lists(hostile, max_size=6))
def test_nothing_well_formed_ends_a_link_or_stops_the_talk(pair: Pair, things: list[Any]) -> None:
    alice, bob = pair
    conversation = conversation_of(alice, bob)
    for kind, *what in things:
        if kind == "events":
            message: Any = Events(conversation, tuple(SealedEvent(*one) for one in what[0]))
        elif kind == "receipt":
            message = Receipt(what[0])
        elif kind == "fork":
            message = Fork(conversation, *what)
        elif kind == "devices":
            message = Devices(what[0], (what[1],))
        else:
            message = Unavailable(conversation, alice.keys.device, Epoch(b"forger.."), *what)
        give(message, alice, bob)
    session = Session(alice.keys.device, alice.keys.identity)
    for message in (Digests((), is_last=True), Vector(conversation, (), is_last=True)):
        bob.database.read(syncing.compare, session, message)
    said = say(alice, "bob", "after all that")
    pass_on(alice, bob, said)
    assert bob.texts("alice")[-1] == "after all that"


def test_a_friendship_that_ends_under_an_open_link_sends_nothing_more(pair: Pair) -> None:
    alice, bob = pair
    open_link(alice, bob)
    session = Session(alice.keys.device, alice.keys.identity)
    bob.database.read(
        syncing.compare, session, Vector(conversation_of(alice, bob), (), is_last=True)
    )
    say(bob, "alice", "too late")
    session.touch(conversation_of(alice, bob))
    bob.database.write(befriending.remove, "alice", bob.world.wall())
    assert bob.database.read(syncing.next_batch, session) == []


def test_claims_about_our_chains_fill_no_disk(pair: Pair) -> None:
    alice, bob = pair
    say(bob, "alice", "x")
    [(epoch,)] = bob.database.connection.execute("SELECT epoch FROM chains").fetchall()
    for number in range(100):
        entry = VectorEntry(bob.keys.device, Epoch(epoch), 0, 1, sha256(bytes([number])))
        give(Vector(conversation_of(alice, bob), (entry,) * 2, is_last=False), alice, bob)
        entries = tuple(
            VectorEntry(bob.keys.device, Epoch(epoch), 0, 1, sha256(bytes([number, n])))
            for n in range(limits.VECTOR_ENTRIES_PER_PAGE)
        )
        give(Vector(conversation_of(alice, bob), entries, is_last=False), alice, bob)
    (count,) = bob.database.connection.execute("SELECT count(*) FROM doubts").fetchone()
    assert count <= limits.FORK_PROOFS
