"""Pages of a conversation: together they are the whole of it, whatever stands in it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from peer.errors import PeerError
from peer.history import transcript
from peer.history.transcript import Wanted
from peer.log.membership import find
from peer.log.notices import reject
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import conversation_of, events_of, give, pass_on, say, tick
from wire.codes import Code


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def full(world: Simulation) -> SimPeer:
    """Somebody whose conversation with bob has messages of both, gaps and notices."""
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    for number in range(12):
        pass_on(bob, alice, say(bob, "alice", f"from bob {number}"))
        world.now += 1000
        say(alice, "bob", f"from alice {number}")
        if number % 4 == 1:
            say(bob, "alice", "never arrives")
            late = say(bob, "alice", f"after a hole {number}")
            give(events_of(bob, [late]), bob, alice)
            conversation = alice.database.read(find, conversation_of(alice, bob))
            assert conversation is not None
            alice.database.write(
                reject,
                conversation,
                bytes([number]) * 32,
                Code.CLOCK_INVALID,
                world.wall(),
                sender=bob.keys.device,
            )
            tick(alice, 5000)
    return alice


def ids(one: SimPeer, wanted: Wanted) -> list[tuple[str, str]]:
    return [
        (line.message.kind, line.message.id) for line in one.database.read(transcript.page, wanted)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("to", ["bob", None])
def test_pages_in_both_directions_are_the_whole(full: SimPeer, size: int, to: str | None) -> None:
    whole = ids(full, Wanted(to))
    assert {kind for kind, _ in whole} == {"message", "gap", "notice"}
    assert len(set(whole)) == len(whole)
    forward: list[tuple[str, str]] = []
    wanted = Wanted(to, limit=size, is_from_start=True)
    while lines := full.database.read(transcript.page, wanted):
        forward += [(line.message.kind, line.message.id) for line in lines]
        wanted = replace(wanted, after=lines[-1].key)
    assert forward == whole
    backward: list[tuple[str, str]] = []
    before = None
    while page := full.database.read(transcript.messages, to, limit=size, before=before):
        backward[:0] = [(one.kind, one.id) for one in page]
        before = page[0].id
    assert backward == whole


def test_a_date_bounds_by_when_something_was_said(full: SimPeer) -> None:
    everything = full.database.read(transcript.messages, "bob")
    middle = everything[len(everything) // 2].at
    before = full.database.read(transcript.messages, "bob", before=middle)
    assert before == [one for one in everything if one.at < middle] != []
    assert full.database.read(transcript.messages, "bob", before="1999-12-31") == []


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"limit": -1}, Code.CONFIG_INVALID),
        ({"before": "2026-13-40"}, Code.DATE_INVALID),
        ({"before": "9999-12-31T23:59:59-23:59"}, Code.DATE_INVALID),
        ({"before": "yester-day"}, Code.DATE_INVALID),
        ({"before": "12:99"}, Code.DATE_INVALID),
        ({"before": "-" * 10_000}, Code.DATE_INVALID),
        ({"before": "((a+)+)+$" * 1000}, Code.UNKNOWN_MESSAGE),
        ({"before": "f" * 64}, Code.UNKNOWN_MESSAGE),
        ({"before": "99999"}, Code.UNKNOWN_MESSAGE),
        ({"before": "9" * 63}, Code.UNKNOWN_MESSAGE),
        ({"before": ""}, Code.UNKNOWN_MESSAGE),
    ],
)
def test_a_page_that_cannot_be_is_refused_by_name(
    full: SimPeer, how: dict[str, object], code: Code
) -> None:
    with pytest.raises(PeerError) as caught:
        full.database.read(transcript.messages, "bob", **how)  # type: ignore[arg-type]
    assert caught.value.code is code


def test_a_limit_beyond_everything_gives_everything(full: SimPeer) -> None:
    everything = full.database.read(transcript.messages, "bob")
    assert full.database.read(transcript.messages, "bob", limit=2**31) == everything
    assert full.database.read(transcript.messages, "bob", limit=0) == []
