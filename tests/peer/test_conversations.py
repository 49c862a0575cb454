import pytest

from peer import conversations, history, syncing
from peer.effects import PushReceipt, Tell
from peer.errors import PeerError
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.machine import UnixMillis
from wire.messages.conversation import ConversationDigest, Digests, Events, SealedEvent, Vector

DAY_MS = 24 * 3_600_000


@pytest.fixture
def world():
    return Simulation(1)


@pytest.fixture
def pair(world):
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def say(one, to, text, reply_to=None):
    said = one.database.write(
        conversations.say, one.keys, to, text, reply_to, one.world.wall(), one.entropy
    )
    one.database.commit()
    return said[0].id


def batch(one, *ids):
    """The events of those ids as they would travel."""
    rows = [
        one.database.connection.execute(
            "SELECT e.header, e.body, v.id FROM events e"
            " JOIN conversations v ON v.number = e.conversation WHERE e.id = ?",
            (bytes.fromhex(event),),
        ).fetchone()
        for event in ids
    ]
    return Events(rows[0][2], tuple(SealedEvent(header, body) for header, body, _ in rows))


def give(came, sender, to):
    return to.database.write(
        conversations.on_events, to.keys, sender.keys.identity, came, to.world.wall()
    )


def receipt_of(effects):
    return next(e.signed for e in effects if isinstance(e, PushReceipt))


def told(effects, kind):
    return [e.event.body for e in effects if isinstance(e, Tell) and e.event.event == kind]


def messages(peer, friend, **how):
    return peer.database.read(history.messages, friend, **how)


def test_a_message_arrives_is_receipted_and_shows_as_delivered(pair):
    alice, bob = pair
    event = say(alice, "bob", "hello")
    assert [m.state for m in messages(alice, "bob")] == ["queued"]
    effects = give(batch(alice, event), alice, bob)
    [shown] = told(effects, "message")
    assert (shown["text"], shown["from"], shown["to"]) == ("hello", "alice", "bob")
    came = alice.database.write(
        conversations.on_receipt, alice.keys, bob.keys.identity, receipt_of(effects),
        alice.world.wall(),
    )  # fmt: skip
    assert told(came, "receipt") == [{"id": event, "state": "delivered", "friend": "bob"}]
    assert alice.database.read(history.state_of, bytes.fromhex(event)) == "delivered"


def test_a_duplicate_is_receipted_again_and_shown_once(pair):
    alice, bob = pair
    came = batch(alice, say(alice, "bob", "once"))
    give(came, alice, bob)
    again = give(came, alice, bob)
    assert told(again, "message") == []
    assert receipt_of(again)
    assert [m.text for m in messages(bob, "alice")] == ["once"]


def test_a_hole_in_a_chain_stores_nothing_of_the_batch(pair):
    alice, bob = pair
    say(alice, "bob", "one")
    with pytest.raises(WireError) as caught:
        give(batch(alice, say(alice, "bob", "two")), alice, bob)
    assert caught.value.code is Code.EVENT_INVALID
    assert messages(bob, "alice") == []


def test_a_flipped_bit_stores_nothing(pair):
    alice, bob = pair
    came = batch(alice, say(alice, "bob", "true"))
    [event] = came.events
    broken = SealedEvent(event.header, event.body[:-1] + bytes((event.body[-1] ^ 1,)))
    with pytest.raises(WireError):
        give(Events(came.conversation, (broken,)), alice, bob)
    assert messages(bob, "alice") == []


def test_an_event_of_another_conversation_is_refused(pair, world):
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(carol, bob)
    befriend(alice, carol)
    came = batch(alice, say(alice, "carol", "for carol"))
    with pytest.raises(WireError) as caught:
        give(came, alice, bob)
    assert caught.value.code is Code.UNKNOWN_CONVERSATION


def test_a_stranger_is_not_listened_to(pair, world):
    alice, _ = pair
    mallory, bob = SimPeer.make(world, "mallory"), pair[1]
    came = batch(alice, say(alice, "bob", "x"))
    with pytest.raises(WireError) as caught:
        give(came, mallory, bob)
    assert caught.value.code is Code.NOT_ADMITTED


def test_a_receipt_of_somebody_else_delivers_nothing(pair, world):
    alice, bob = pair
    event = say(alice, "bob", "hello")
    receipt = receipt_of(give(batch(alice, event), alice, bob))
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    with pytest.raises(WireError):
        alice.database.write(
            conversations.on_receipt, alice.keys, carol.keys.identity, receipt, world.wall()
        )
    assert messages(alice, "bob")[0].state == "queued"


def test_two_events_in_one_place_are_kept_as_proof_and_told(pair):
    alice, bob = pair
    backup = alice.database.image()
    first = batch(alice, say(alice, "bob", "one story"))
    alice.database.restore(backup)
    second = batch(alice, say(alice, "bob", "another"))
    give(first, alice, bob)
    effects = give(second, alice, bob)
    assert told(effects, "notice")[0]["code"] == "forked"
    assert [m.text for m in messages(bob, "alice")] == ["one story"]
    count = bob.database.connection.execute("SELECT count(*) FROM forks").fetchone()
    assert count == (1,)


def test_what_stays_undelivered_fails_and_a_late_receipt_still_counts(pair, world):
    alice, bob = pair
    event = say(alice, "bob", "slow")
    effects = give(batch(alice, event), alice, bob)
    assert alice.database.write(conversations.expire, world.wall()) == []
    later = UnixMillis(world.wall() + 31 * DAY_MS)
    failed = alice.database.write(conversations.expire, later)
    assert told(failed, "receipt") == [{"id": event, "state": "failed", "friend": "bob"}]
    came = alice.database.write(
        conversations.on_receipt, alice.keys, bob.keys.identity, receipt_of(effects), later
    )
    assert told(came, "receipt") == [{"id": event, "state": "delivered", "friend": "bob"}]


def test_a_reply_names_what_it_answers(pair):
    alice, bob = pair
    event = say(alice, "bob", "question")
    give(batch(alice, event), alice, bob)
    say(bob, "alice", "answer", reply_to=event[:8])
    assert messages(bob, "alice")[-1].reply_to == event


@pytest.mark.parametrize("prefix", ["abc", "zzzzzzzz", "0123456", "0" * 64])
def test_an_id_that_names_nothing_is_refused(pair, prefix):
    with pytest.raises(PeerError) as caught:
        pair[0].database.read(history.find_event, prefix)
    assert caught.value.code is Code.UNKNOWN_MESSAGE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MESSAGE_EMPTY),
        (" \n", Code.MESSAGE_EMPTY),
        ("x" * (limits.MESSAGE_BYTES + 1), Code.MESSAGE_TOO_LONG),
        ("é" * (limits.MESSAGE_BYTES // 2 + 1), Code.MESSAGE_TOO_LONG),
        ("\udcff", Code.TEXT_INVALID),
    ],
)
def test_a_message_that_cannot_be_said_is_refused_by_name(pair, text, code):
    with pytest.raises((PeerError, WireError)) as caught:
        say(pair[0], "bob", text)
    assert caught.value.code is code
    assert messages(pair[0], "bob") == []


def test_a_message_at_the_limit_is_taken(pair):
    alice, bob = pair
    give(batch(alice, say(alice, "bob", "x" * limits.MESSAGE_BYTES)), alice, bob)
    assert len(messages(bob, "alice")[0].text) == limits.MESSAGE_BYTES


def test_reading_marks_what_was_given_and_looking_does_not(pair):
    alice, bob = pair
    give(batch(alice, say(alice, "bob", "one"), say(alice, "bob", "two")), alice, bob)
    assert len(messages(bob, "alice", unread_only=True)) == 2
    newest = bob.database.write(history.read, "alice", unread_only=True, limit=1)
    assert [m.text for m in newest] == ["two"]
    assert [m.text for m in messages(bob, None, unread_only=True)] == ["one"]
    for limit, code in ((-1, Code.CONFIG_INVALID), (None, Code.NO_SUCH_FRIEND)):
        with pytest.raises(PeerError) as caught:
            messages(bob, "alice" if limit else "nobody", limit=limit)
        assert caught.value.code is code


def test_one_message_is_found_in_its_own_conversation_only(pair):
    alice, _ = pair
    event = say(alice, "bob", "here")
    assert alice.database.read(history.read_one, event, "bob").text == "here"
    assert alice.database.read(history.read_one, event, "carol") is None


def test_a_clock_far_off_is_marked(pair, world):
    alice, bob = pair
    came = batch(alice, say(alice, "bob", "from the past"))
    world.now += 11 * 60_000
    give(came, alice, bob)
    assert [m.clock_off for m in messages(bob, "alice")] == [True]


def test_a_long_history_goes_in_bounded_pieces_in_order(pair, world):
    alice, bob = pair
    texts = [f"{n} " + "x" * 20_000 for n in range(30)]
    for text in texts:
        say(alice, "bob", text)
    Cable(world, alice, bob)
    world.run(60_000)
    assert bob.texts("alice") == texts
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}


def test_digests_of_a_conversation_we_do_not_share_end_the_link(pair):
    alice, bob = pair
    session = syncing.Session(bob.keys.device, bob.keys.identity)
    for message in (
        Digests((ConversationDigest(b"c" * 32, b"d" * 16),), is_last=True),
        Vector(b"c" * 32, (), is_last=True),
    ):
        with pytest.raises(WireError) as caught:
            alice.database.read(syncing.compare, session, message)
        assert caught.value.code is Code.UNKNOWN_CONVERSATION
