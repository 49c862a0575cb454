"""Who is lent what of an offer that was taken here: members of its conversation, and friends whom it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.transfers import ledger, manager, offerings, sharing, taken
from peer.transfers.sharing import lendable, share_of, sources
from peer.transfers.taken import TakenRecord
from tests.harness.offers import accept, bring, contents, key_of, offer
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.ids import IdentityKey
from wire.transfer import manifest
from wire.transfer.holding import OfferKey
from wire.transfer.states import TransferState


class Group:
    """Alice offers to bob and carol, who are friends; dave is a friend of all and not named."""

    def __init__(self) -> None:
        world = Simulation(1)
        self.alice, self.bob, self.carol, self.dave = (
            SimPeer.make(world, name) for name in ("alice", "bob", "carol", "dave")
        )
        people = [self.alice, self.bob, self.carol, self.dave]
        for number, one in enumerate(people):
            for other in people[number + 1 :]:
                befriend(one, other)
        offered, effects = offer(self.alice, "bob", "carol", what=contents())
        for other in (self.bob, self.carol):
            bring(effects, self.alice, other)
        self.offered = offered
        self.key: OfferKey = key_of(self.alice, offered)

    def may(self, asker: SimPeer, key: OfferKey | None = None) -> bool:
        identity = IdentityKey(asker.keys.identity)
        return self.bob.database.read(lendable, identity, key or self.key) is not None

    def move(self, state: TransferState) -> None:
        (number,) = self.bob.database.connection.execute("SELECT number FROM transfers").fetchone()
        self.bob.database.write(ledger.move, number, state, self.bob.world.wall())
        self.bob.database.commit()


@pytest.fixture
def group() -> Group:
    return Group()


def test_nothing_is_lent_of_what_was_not_taken(group: Group) -> None:
    assert not group.may(group.carol)


def test_friends_whom_the_offer_names_and_members_of_its_conversation_are_lent_it(
    group: Group,
) -> None:
    accept(group.bob, group.offered)
    assert group.may(group.carol)
    assert group.may(group.alice)
    assert group.may(group.bob)  # another device of the account
    assert not group.may(group.dave)
    assert not group.may(
        group.carol, OfferKey(group.alice.keys.device, type(group.key.offer)(bytes(16)))
    )
    group.bob.database.connection.execute(
        "UPDATE contacts SET state = 'removed' WHERE name = 'carol'"
    )
    assert not group.may(group.carol)


@pytest.mark.parametrize(
    "state", [TransferState.PAUSED, TransferState.CANCELLED, TransferState.FAILED]
)
def test_what_is_held_or_given_up_is_not_lent(group: Group, state: TransferState) -> None:
    accept(group.bob, group.offered)
    group.move(state)
    assert not group.may(group.carol)


def test_what_was_withdrawn_is_not_lent(group: Group) -> None:
    accept(group.bob, group.offered)
    row = offerings.find_incoming(group.bob.database.connection, group.offered)
    offerings.raise_to(group.bob.database.connection, row, "withdrawn")
    assert not group.may(group.carol)
    assert group.bob.database.read(sharing.lent) == set()


def test_what_landed_is_lent_from_where_it_stands(group: Group) -> None:
    accept(group.bob, group.offered)
    group.move(TransferState.DONE)
    assert not group.may(group.carol)  # nobody knows where it stands
    group.bob.database.connection.execute("UPDATE transfers SET saved_as = ?", (b"/srv/film",))
    found = group.bob.database.read(lendable, IdentityKey(group.carol.keys.identity), group.key)
    assert found is not None
    assert found.landed == Path("/srv/film")
    assert group.bob.database.read(sharing.lent) == {group.key}


def test_devices_of_friends_whom_the_offer_names_are_sources(group: Group) -> None:
    accept(group.bob, group.offered)
    (due,) = group.bob.database.read(manager.due)
    assert due.share is not None
    found = group.bob.database.read(sources, due.share, due.key)
    assert found == [(group.carol.keys.device, group.carol.keys.identity)]
    assert group.bob.database.read(share_of, b"") is None
    assert 0 <= due.share.start(due.key, 100) < 100


# --- what is noted of it


def test_what_may_be_lent_is_noted_and_found_again(group: Group, tmp_path: Path) -> None:
    folder = tmp_path / "offers" / "taken"
    record = TakenRecord(folder, group.key)
    digest = manifest.digest(b"manifest")
    assert record.load(digest) is None
    record.begin(b"manifest")
    record.add([b"one"])
    record.add([b"one", b"two"])
    assert TakenRecord(folder, group.key).load(digest) == (b"manifest", [b"one", b"two"])
    assert TakenRecord(folder, group.key).load(manifest.digest(b"another")) is None
    again = TakenRecord(folder, group.key)
    again.load(digest)
    again.add([b"one", b"two", b"three"])
    path = taken.path_of(folder, group.key)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(path.read_bytes()[:-1])  # torn
    assert TakenRecord(folder, group.key).load(digest) == (b"manifest", [b"one", b"two"])
    taken.sweep(folder, {group.key})
    assert path.exists()
    taken.sweep(folder, set())
    assert not path.exists()
    taken.sweep(tmp_path / "nothing", set())


def test_a_disk_that_refuses_costs_only_the_note(group: Group, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    record = TakenRecord(tmp_path / "taken", group.key)
    record.begin(b"manifest")
    record.add([b"one"])
    assert record.load(manifest.digest(b"manifest")) is None
