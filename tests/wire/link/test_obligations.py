"""A link owes what every machine owes: here for each role and purpose."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import strategies
from tests.harness import obligations
from tests.harness.obligations import Subject
from tests.harness.pair import pieces
from tests.wire.link.sides import LinkEnd, LinkPair, admitting, an_open_pair, replayed
from tests.wire.link.test_link import TALK
from wire import limits
from wire.link import Link, LinkClosed, LinkEvent, MessageReceived, Role
from wire.messages import Message, Purpose
from wire.messages.transfer import Pack, Piece

PURPOSES = (Purpose.TRACKER, Purpose.PEER, Purpose.DATA)
LinkSubject: TypeAlias = Subject[Link, LinkEvent]
SIDES = [(role, purpose) for role in Role for purpose in PURPOSES]
every_side = pytest.mark.parametrize(("role", "purpose"), SIDES)
HANDSHAKES = settings(max_examples=settings().max_examples // 5)


@cache
def _subject(role: Role, purpose: Purpose, *, ends: bool = True) -> LinkSubject:
    """A link of one side whose other side opens it, talks, pings and (`ends`) closes."""

    def talk(pair: LinkPair) -> None:
        for end in (pair.left, pair.right):
            end.machine.send(TALK[purpose], now=pair.clock.now)
            end.machine.ping(now=pair.clock.now)
            end.machine.send(TALK[purpose], now=pair.clock.now)
        pair.run()
        if ends:
            (pair.right if role is Role.INITIATOR else pair.left).machine.close()

    flights, make = replayed(role, purpose, talk)
    record = limits.DATA_RECORD_BYTES if purpose is Purpose.DATA else limits.CONTROL_RECORD_BYTES
    return Subject(
        name=f"{role.name.lower()} {purpose.name.lower()}",
        make=make,
        on_event=None if role is Role.INITIATOR else admitting(purpose),
        flights=flights,
        is_terminal=lambda event: isinstance(event, LinkClosed),
        held_bytes=lambda link: link._stream.incoming.buffered_bytes,
        bound_bytes=record + limits.TAG_BYTES + limits.LENGTH_BYTES,
    )


@every_side
@HANDSHAKES
@given(data=st.data())
def test_any_bytes_in_any_cuts_never_raise_and_stay_under_the_bound(
    role: Role, purpose: Purpose, data: st.DataObject
) -> None:
    subject = _subject(role, purpose)
    prefix = data.draw(st.integers(0, len(subject.script)), label="prefix")
    noise = data.draw(st.lists(_noise(subject), max_size=6), label="noise")
    waits = data.draw(st.lists(st.sampled_from([0.0, 0.1, 9.0, 25.0]), max_size=3), label="waits")
    obligations.survives(subject, prefix, noise, waits)


def _noise(subject: LinkSubject) -> st.SearchStrategy[bytes]:
    """Bytes of any kind, lengths that could be real, and parts of a real stream out of place."""
    lengths = st.integers(0, 2**18).map(lambda length: length.to_bytes(4, "big"))
    parts = st.tuples(st.integers(0, len(subject.script)), st.integers(0, 3000)).map(
        lambda part: subject.script[part[0] : part[0] + part[1]]
    )
    return st.one_of(st.binary(max_size=400), lengths, parts)


@every_side
@HANDSHAKES
@given(sizes=st.lists(st.integers(1, 300), min_size=1, max_size=8))
def test_cuts_do_not_matter(role: Role, purpose: Purpose, sizes: list[int]) -> None:
    obligations.is_deaf_to_cuts(_subject(role, purpose), pieces(sizes))


@every_side
@HANDSHAKES
@given(data=st.data())
def test_deadlines_are_honest(role: Role, purpose: Purpose, data: st.DataObject) -> None:
    subject = _subject(role, purpose, ends=False)
    prefix = data.draw(st.integers(0, len(subject.script)), label="prefix")
    obligations.has_honest_deadlines(subject, prefix)


@every_side
@HANDSHAKES
@given(bit=st.integers(0, 2**20))
def test_one_flipped_bit_anywhere_fails_closed(role: Role, purpose: Purpose, bit: int) -> None:
    obligations.fails_closed(_subject(role, purpose), bit)


def _heard(end: LinkEnd) -> list[Message]:
    return [event.message for event in end.told if isinstance(event, MessageReceived)]


@pytest.mark.parametrize("purpose", PURPOSES)
@HANDSHAKES
@given(data=st.data())
def test_two_ends_agree_after_any_interleaving(purpose: Purpose, data: st.DataObject) -> None:
    # A Piece or Pack would need its bytes next: the transfer's own tests interleave those.
    messages = strategies.spoken(purpose).filter(lambda said: not isinstance(said, Piece | Pack))
    step: st.SearchStrategy[Any] = st.tuples(
        st.booleans(), st.one_of(messages, st.integers(1, 500))
    )
    plan = data.draw(st.lists(step, max_size=20), label="plan")
    pair = an_open_pair(purpose)

    def speak(link: Link, message: Message) -> None:
        link.send(message, now=pair.clock.now)

    obligations.agrees(pair, speak, _heard, plan)
