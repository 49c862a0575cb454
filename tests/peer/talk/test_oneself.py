"""Talk with oneself: notes that all machines of one account have, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peer import conversations
from peer.errors import PeerError
from peer.log import sharing, syncing
from peer.log.sessions import Session
from peer.people import befriending, contacts, overtures, roster, strangers
from peer.store import own
from peer.talk import acts, following, seen
from tests.harness.acting import act, line, pen_of
from tests.harness.post import town
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import events_of, give, messages, open_link, say, sent, tick, told
from wire.codes import Code
from wire.errors import WireError
from wire.identity import (
    FriendRequest,
    direct_conversation,
    issue_friend_request,
    read_device_list,
    revoke_device,
)
from wire.ids import AccountName, EventId, IdentityKey
from wire.messages import friends
from wire.messages.conversation import AskEvents, Digests, Events

MARK = "\N{ROCKET}"


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


def settle(world: Simulation, *pairs: Any, ms: int = 20_000) -> None:
    """Link these devices for a while."""
    cables = [Cable(world, one, other) for one, other in pairs]
    world.run(world.now + ms)
    for cable in cables:
        cable.cut()


def states(one: SimPeer) -> list[Any]:
    return [m.state for m in messages(one, one.account)]


def test_a_note_on_the_only_machine_is_where_it_is_to_be(world: Simulation) -> None:
    alice = SimPeer.make(world, "alice")
    said, effects = alice.database.write(
        conversations.say, alice.keys, "alice", "buy milk", None, world.wall(), alice.entropy
    )
    assert said.state == "delivered"
    assert told(effects, "message")[0]["state"] == "delivered"
    [note] = messages(alice, "alice")
    assert (note.text, note.sender, note.to, note.state) == (
        "buy milk", "alice", "alice", "delivered",
    )  # fmt: skip
    assert alice.database.read(following.unread) == {}


def test_a_note_is_delivered_once_another_machine_has_it_and_unread_nowhere(
    world: Simulation,
) -> None:
    alice = SimPeer.make(world, "alice")
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    alice.say("alice", "from the desk")
    world.run(world.now + 1_000)
    assert states(alice) == ["queued"]
    settle(world, (alice, laptop))
    assert states(alice) == states(laptop) == ["delivered"]
    laptop.say("alice", "from the laptop")
    settle(world, (alice, laptop))
    assert alice.texts("alice") == laptop.texts("alice") == ["from the desk", "from the laptop"]
    for one in (alice, laptop):
        assert states(one) == ["delivered", "delivered"]
        assert one.database.read(following.unread) == {}
        assert one.database.write(seen.read, "alice", True, None) == []
        assert one.lies == []
        assert one.faults == []


def test_a_machine_that_comes_later_gets_all_notes(world: Simulation) -> None:
    alice = SimPeer.make(world, "alice")
    say(alice, "alice", "long ago")
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    assert laptop.texts("alice") == ["long ago"]
    assert states(laptop) == ["delivered"]


def test_a_note_goes_by_mail_to_a_machine_that_is_never_there_at_the_same_hour() -> None:
    world, post, alice, _ = town()
    laptop = alice.log_in("alice-2")
    post.publish(laptop)
    settle(world, (alice, laptop))
    say(alice, "alice", "for later")
    assert states(alice) == ["queued"]
    world.run(world.now + 60_000)
    post.leave(alice)
    assert states(alice) == ["sent"]
    post.settle(alice, laptop)
    assert laptop.texts("alice") == ["for later"]
    assert states(alice) == states(laptop) == ["delivered"]


def test_when_the_last_other_machine_is_taken_off_nothing_waits_for_it(world: Simulation) -> None:
    alice = SimPeer.make(world, "alice")
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    event = say(alice, "alice", "nobody else will ever have it")
    assert states(alice) == ["queued"]
    assert tick(alice) == []
    mine = alice.database.read(own.need_account).device_list
    listed = read_device_list(mine, alice.keys.identity)
    alice.learn_list(revoke_device(alice.seed, listed, laptop.keys.device, now=world.wall()))
    assert told(tick(alice), "receipt") == [{"id": event, "state": "delivered", "friend": "alice"}]
    assert tick(alice) == []


def test_notes_can_be_edited_marked_pinned_answered_passed_on_searched_and_deleted(
    world: Simulation,
) -> None:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    note, second = say(alice, "alice", "buy milk"), say(alice, "alice", "gone soon")
    act(alice, acts.edit, note, "buy oat milk")
    act(alice, acts.react, note, MARK)
    act(alice, acts.pin, note, is_pinned=True)
    act(alice, acts.delete, second)
    say(alice, "alice", "done", reply_to=note)
    forwarded, _ = alice.database.write(acts.forward, pen_of(alice), note, "bob")
    settle(world, (alice, laptop))
    for one in (alice, laptop):
        found = line(one, "alice", note)
        assert (found.text, found.edited, found.pinned) == ("buy oat milk", True, True)
        assert [given["mark"] for given in found.reactions] == [MARK]
        assert [m.text for m in messages(one, "alice")] == ["buy oat milk", "", "done"]
    assert line(alice, "bob", forwarded.id).forwarded_from == "alice"


def test_no_friend_hears_of_notes_or_is_given_one(world: Simulation) -> None:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    note = say(alice, "alice", "a secret")
    id_ = direct_conversation(alice.keys.identity, alice.keys.identity)
    effects = open_link(bob, alice)
    assert id_ not in {
        row.conversation for digests in sent(effects, bob, Digests) for row in digests.rows
    }
    settle(world, (alice, bob))
    assert not bob.has(bytes.fromhex(note))
    assert alice.faults == bob.faults == []


def test_what_a_friend_says_in_my_conversation_with_myself_is_dropped(world: Simulation) -> None:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    mine = say(alice, "alice", "mine")
    note = say(bob, "bob", "as if it were yours")
    id_ = direct_conversation(alice.keys.identity, alice.keys.identity)
    forged = events_of(bob, [note])
    assert give(Events(id_, forged.events), bob, alice) == []
    assert give(forged, bob, alice) == []
    assert alice.texts("alice") == ["mine"]
    session = Session(bob.keys.device, bob.keys.identity)
    asked = AskEvents(id_, (EventId(bytes.fromhex(mine)),))
    assert alice.database.read(syncing.compare, session, asked) == []


def test_this_account_is_no_friend(world: Simulation) -> None:
    alice = SimPeer.make(world, "alice")
    read, write = alice.database.read, alice.database.write
    assert read(roster.list_friends, online_only=False) == []
    assert read(contacts.find_partner, "alice").number == contacts.OWN
    attempts: list[tuple[Code, Callable[[], object]]] = [
        (Code.FRIEND_SELF, lambda: write(befriending.block, AccountName("alice"), True, world.wall())),
        (Code.NO_SUCH_FRIEND, lambda: write(befriending.remove, "alice", world.wall())),
        (Code.NO_SUCH_FRIEND, lambda: read(contacts.find_friend, "alice")),
        (Code.NO_SUCH_FRIEND, lambda: write(sharing.share, "alice", world.wall())),
        (Code.FRIEND_REQUEST_UNKNOWN, lambda: write(
            befriending.answer, alice.keys, "alice", accept=True, now=world.wall()
        )),
    ]  # fmt: skip
    for code, attempt in attempts:
        with pytest.raises(PeerError) as caught:
            attempt()
        assert caught.value.code is code
    assert read(contacts.find_partner, "alice").state == "own"


def test_nobody_is_believed_to_be_this_account_under_another_key(world: Simulation) -> None:
    """A tracker that names somebody else by my name changes nothing here, nor does somebody met on the LAN."""
    alice, other = SimPeer.make(world, "alice"), SimPeer.make(world, "mallory")
    other_key = IdentityKey(other.keys.identity)
    signed = request(other, "alice", "alice")
    asked = friends.FriendAsked(AccountName("alice"), signed, world.wall())
    for effects in (
        alice.database.write(overtures.on_found, "alice", other_key, world.wall()),
        alice.database.write(overtures.on_asked, alice.keys, asked, world.wall()),
        alice.database.write(overtures.on_removed, "alice", world.wall()),
    ):
        assert effects == []
    with pytest.raises(WireError) as caught:
        alice.database.write(strangers.asked, alice.keys, other_key, signed, world.wall())
    assert caught.value.code is Code.NAME_TAKEN
    me = alice.database.read(contacts.find_partner, "alice")
    assert (me.identity, me.claimed, me.state) == (alice.keys.identity, None, "own")


def request(one: SimPeer, asker: str, target: str) -> bytes:
    """Sign a friend request under any names."""
    return issue_friend_request(
        one.keys,
        FriendRequest(
            asker_name=AccountName(asker),
            target_name=AccountName(target),
            asker=one.keys.identity,
            target=b"",
            nonce=bytes(16),
            note="",
            created=one.world.wall(),
            certificate=one.keys.certificate,
            device_list=one.database.read(own.need_account).device_list,
        ),
    )


def test_an_account_that_takes_another_name_keeps_its_notes(world: Simulation) -> None:
    alice = SimPeer.make(world, "alice")
    say(alice, "alice", "kept")
    alice.database.write(
        own.remember, alice.keys, AccountName("alicia"), None, b"vault", 2, world.wall()
    )
    assert alice.texts("alicia") == ["kept"]


def test_a_friend_who_has_the_name_that_this_account_takes_keeps_it(world: Simulation) -> None:
    """Met on the LAN, where no tracker says whose a name is."""
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    say(alice, "bob", "to bob")
    alice.database.write(
        own.remember, alice.keys, AccountName("bob"), None, b"vault", 2, world.wall()
    )
    assert alice.texts("bob") == ["to bob"]
    assert alice.database.read(contacts.find_friend, "bob").identity == bob.keys.identity
