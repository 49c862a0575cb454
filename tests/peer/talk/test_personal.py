"""Mutes, drafts, notices of writing, mentions: small things about one friend, and about one text."""

from __future__ import annotations

import pytest

from peer import api
from peer.accounts import account_state
from peer.effects import NoteTyping, SendOnLink
from peer.errors import PeerError
from peer.log import syncing
from peer.log.sessions import Session
from peer.people import keeping
from peer.settings import preferences
from peer.talk import drafts, mutes
from peer.talk.mentions import mentions
from peer.talk.typing_notices import HEARD_S, TypingNotices, notices
from tests.harness.acting import line
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import conversation_of, pass_on, say, told
from tests.peer.accounts.test_account_state import BOB, CAROL, devices
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId
from wire.machine import UnixMillis
from wire.messages.conversation import Typing

Pair = tuple[SimPeer, SimPeer]
HOUR = 3600_000


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


# --- mutes


def test_a_muted_friend_is_heard_counted_and_marked_until_the_time_is_over(pair: Pair) -> None:
    alice, bob = pair
    now = bob.world.wall()
    asked = api.MuteFriend("alice", is_muted=True, for_s=3600.0)
    muted = bob.database.write(keeping.carry_out, asked, now)
    assert isinstance(muted, api.Muted)
    assert (muted.friend, muted.muted) == ("alice", True)
    assert muted.until is not None
    [message] = told(pass_on(alice, bob, say(alice, "bob", "psst")), "message")
    assert message["muted"] is True
    assert not bob.database.read(mutes.is_muted, "alice", UnixMillis(now + HOUR))
    bob.database.write(keeping.carry_out, api.MuteFriend("alice", is_muted=False), now)
    [message] = told(pass_on(alice, bob, say(alice, "bob", "hello")), "message")
    assert message["muted"] is False


def test_mutes_and_drafts_travel_and_are_not_inherited_by_another_of_that_name() -> None:
    desk, laptop = devices()
    for one in (desk, laptop):
        one.befriend("bob", BOB)
    desk.database.write(keeping.carry_out, api.MuteFriend("bob"), UnixMillis(1))
    desk.database.write(drafts.draft, "bob", "not yet")
    desk.sync()
    laptop.fetch()
    assert laptop.database.read(mutes.is_muted, "bob", UnixMillis(1))
    assert laptop.database.read(drafts.draft, "bob", None).text == "not yet"
    laptop.befriend("bob", CAROL)
    assert not laptop.database.read(mutes.is_muted, "bob", UnixMillis(1))
    assert laptop.database.read(drafts.draft, "bob", None).text == ""
    assert laptop.database.write(account_state.due, UnixMillis(2)) is not None


@pytest.mark.parametrize("for_s", [0.0, -1.0, 1e12])
def test_a_mute_of_no_time_or_of_for_ever_and_a_day_is_refused(pair: Pair, for_s: float) -> None:
    _, bob = pair
    with pytest.raises(PeerError) as refused:
        bob.database.write(keeping.carry_out, api.MuteFriend("alice", for_s=for_s), UnixMillis(1))
    assert refused.value.code is Code.USAGE


def test_nobody_mutes_strangers(pair: Pair) -> None:
    _, bob = pair
    with pytest.raises(PeerError) as refused:
        bob.database.write(keeping.carry_out, api.MuteFriend("carol"), UnixMillis(1))
    assert refused.value.code is Code.NO_SUCH_FRIEND
    assert not bob.database.read(mutes.is_muted, "carol", UnixMillis(1))


# --- drafts


def test_a_draft_stays_until_its_very_words_are_said_or_it_is_cleared(pair: Pair) -> None:
    alice, _ = pair

    def kept(text: str | None = None) -> str:
        drafted = alice.database.write(keeping.carry_out, api.KeepDraft("bob", text), UnixMillis(1))
        assert isinstance(drafted, api.Draft)
        return drafted.text

    assert kept() == ""
    assert kept("dear bob") == "dear bob"
    say(alice, "bob", "something else")
    assert kept() == "dear bob"
    say(alice, "bob", "dear bob")
    assert kept() == ""
    kept("again")
    assert kept("") == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [("x" * (limits.DRAFT_BYTES + 1), Code.MESSAGE_TOO_LONG), ("\ud800", Code.TEXT_INVALID)],
)
def test_a_draft_that_cannot_travel_is_refused(pair: Pair, text: str, code: Code) -> None:
    alice, _ = pair
    with pytest.raises(PeerError) as refused:
        alice.database.write(drafts.draft, "bob", text)
    assert refused.value.code is code
    assert alice.database.write(drafts.draft, "bob", "x" * limits.DRAFT_BYTES).text


# --- writing


class Room:
    """A node's notices with a clock of their own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.told: list[object] = []
        self.notices = TypingNotices(
            lambda event: self.told.append(event.body["typing"]), lambda: self.now
        )

    def due(self, after_s: float, *, is_typing: bool) -> bool:
        self.now += after_s
        return self.notices.is_due("bob", is_typing=is_typing)

    def heard(self, after_s: float, *, is_typing: bool) -> None:
        self.now += after_s
        self.notices.heard(NoteTyping("bob", DeviceId(bytes(16)), is_typing))


def test_writing_is_said_at_a_pace_and_its_end_once() -> None:
    room = Room()
    assert not room.due(0, is_typing=False)
    assert room.due(0, is_typing=True)
    assert [room.due(0.1, is_typing=True) for _ in range(10)] == [False] * 10
    assert room.due(limits.TYPING_AGAIN_S, is_typing=True)
    assert room.due(0.1, is_typing=False)
    assert not room.due(0.1, is_typing=False)
    assert not room.due(0.1, is_typing=True)
    assert room.due(limits.TYPING_AGAIN_S, is_typing=True)
    assert not room.due(limits.TYPING_LASTS_S, is_typing=False)  # it ended by itself


def test_a_friend_who_floods_with_notices_is_told_of_at_a_bounded_pace() -> None:
    room = Room()
    for number in range(1000):
        room.heard(0.001, is_typing=number % 2 == 0)
    assert len(room.told) == 1
    room.heard(HEARD_S, is_typing=False)
    assert room.told == [True, False]


def test_writing_is_told_to_linked_devices_of_friends_who_may_know(pair: Pair) -> None:
    alice, bob = pair
    linked = {bob.keys.device}
    effects = alice.database.write(notices, "bob", linked, is_typing=True)
    said = Typing(conversation_of(alice, bob), True)
    assert effects == [SendOnLink(bob.keys.device, said)]
    assert alice.database.write(notices, "bob", set(), is_typing=True) == []
    key = preferences.KEYS["typing"]
    alice.database.write(preferences.put, key, "off", "bob")
    assert alice.database.write(notices, "bob", linked, is_typing=True) == []


def test_writing_counts_in_the_conversation_of_whoever_says_so_alone(pair: Pair) -> None:
    alice, bob = pair
    carol = SimPeer.make(alice.world, "carol")
    befriend(bob, carol)
    say(bob, "alice", "hello")
    say(bob, "carol", "hello")
    said = Typing(conversation_of(alice, bob), True)

    def heard(session: Session) -> list[object]:
        return list(bob.database.read(syncing.compare, session, said))

    alices = Session(alice.keys.device, alice.keys.identity)
    assert heard(alices) == [NoteTyping("alice", alice.keys.device, True)]
    assert heard(Session(carol.keys.device, carol.keys.identity)) == []
    assert heard(Session(bob.keys.device, bob.keys.identity)) == []


# --- mentions


@pytest.mark.parametrize(
    "text", ["@bob", "hey @bob!", "(@bob)", "@Bob.", "@bob...", "@BOB, look", "x\n@bob", "@bob-"]
)
def test_a_text_that_names_somebody_mentions_them(text: str) -> None:
    assert mentions(text, "bob")


@pytest.mark.parametrize(
    "text", ["bob", "@bobby", "me@bob.org", "@bo", "@@bob", "@bob.smith", "@b", "", "@", "@boB2"]
)
def test_a_text_that_names_somebody_else_does_not(text: str) -> None:
    assert not mentions(text, "bob")


def test_a_mention_stands_with_the_message_at_whoever_is_named(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "ask @bob or @alice")
    pass_on(alice, bob, said)
    assert line(bob, "alice", said).mentions_me
    assert not line(alice, "bob", said).mentions_me


def test_hostile_texts_are_searched_for_names_in_no_time() -> None:
    assert not mentions("@" * 65536, "bob")
    assert not mentions("@b" * 32768, "bob")
