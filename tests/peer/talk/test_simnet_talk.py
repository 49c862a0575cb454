"""People who edit, delete, react, pin and read in a world full of trouble: in the end all devices show the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from peer import api
from peer.effects import Effect
from peer.errors import PeerError
from peer.history import transcript
from peer.store.memory import Connection
from peer.talk import acts, following, seen
from tests.harness.acting import pen_of
from tests.harness.simnet import SimPeer
from tests.peer.test_simnet import AGE_MS, ONE, World, check_order, entries

SEEDS = int(os.environ.get("SIMNET_SEEDS", "60"))
MARKS = ("\N{THUMBS UP SIGN}", "\N{ROCKET}", "\N{HEAVY BLACK HEART}")
FURTHER = ("queued", "sent", "failed", "delivered", "read")


@dataclass
class Talker(SimPeer):
    """A device whose person does more than talk. further: how far each own message was told to have come.

    It is `queued` again only if its tracker lost what it kept, or if its place has several events.
    """

    further: dict[str, str] = field(default_factory=dict)
    looking: set[str] = field(default_factory=set)  # seen, and not committed yet
    looked: dict[str, set[str]] = field(default_factory=dict)  # account -> ids; one for all peers

    def do(self, act: Callable[..., Any], event: str, *args: object, **how: object) -> None:
        """Do something with a message; what cannot be done (it was deleted) is not."""
        try:
            self.database.submit(self._done, act, pen_of(self), event, *args, **how)
        except PeerError:
            return
        self._commit_soon()

    def look(self, friend: str, limit: int | None = None) -> None:
        """Read what a friend said."""
        asked = api.ReadMessages(friend, limit=limit)

        def read(connection: Connection) -> tuple[None, list[Effect]]:
            lines, effects = seen.read_and_tell(connection, self.keys, asked, (), self.world.wall())
            self.looking.update(line.id for line in lines)
            return None, effects

        self.database.submit(self._done, read)
        self._commit_soon()

    def commit(self) -> None:
        self.looked.setdefault(self.account, set()).update(self.looking)
        self.looking.clear()
        super().commit()

    def crash(self) -> None:
        super().crash()
        self.looking.clear()
        self.further.clear()  # what was not synced may be forgotten

    def _done(self, done: tuple[object, list[Effect]]) -> None:
        self.carry_out(done[1])

    def _check_told(self, kind: str, body: dict[str, object]) -> None:
        super()._check_told(kind, body)
        if kind != "receipt":
            return
        event, state = str(body["id"]), str(body["state"])
        before = self.further.get(event, "queued")
        is_gone = state == "queued" and (before == "sent" or self._is_forked(event))
        if FURTHER.index(state) < FURTHER.index(before) and not is_gone:
            self.lies.append(f"{self.name}: {event} was {before} and is {state}")
        self.further[event] = state
        is_line = self.database.connection.execute(
            "SELECT 1 FROM events WHERE id = ? AND kind = 1", (bytes.fromhex(event),)
        ).fetchone()
        was_seen = event in self.looked.get(str(body["friend"]), set())
        if state == "read" and is_line and not was_seen:
            self.lies.append(f"{self.name}: {event} shows as read, nobody saw it")

    def _is_forked(self, event: str) -> bool:
        row = self.database.connection.execute(
            "SELECT 1 FROM events e JOIN chains h ON h.number = e.chain WHERE e.id = ?"
            " AND h.forked_at BETWEEN 1 AND e.seq",
            (bytes.fromhex(event),),
        ).fetchone()
        return row is not None


class TalkWorld(World):
    """A world whose people do everything that can be done with messages."""

    acts = 30, 90

    def __init__(self, seed: int) -> None:
        self.looked: dict[str, set[str]] = {}
        super().__init__(seed)

    def born(self, name: str) -> SimPeer:
        made = Talker.make(self.sim, name, age_ms=AGE_MS)
        made.looked = self.looked
        return made

    def log_in(self, one: SimPeer) -> None:
        super().log_in(one)
        made = self.peers[-1]
        assert isinstance(made, Talker)
        made.looked = self.looked

    def say(self, number: int) -> None:
        kind, one = self.dice.random(), self.dice.choice(self.peers)
        assert isinstance(one, Talker)
        friend = self.dice.choice(self.partners(one))
        lines = [m for m in one.database.read(transcript.messages, friend) if m.kind == "message"]
        if kind < 0.35 or not lines:
            one.say(friend, f"{one.name} {number}")
        elif kind < 0.5:
            one.look(friend, self.dice.choice((None, None, 1)))
        else:
            event = self.dice.choice(lines).id
            mine = [line.id for line in lines if line.sender == one.account] or [event]
            if kind < 0.65:
                one.do(acts.edit, self.dice.choice(mine), f"edit {number}")
            elif kind < 0.72:
                one.do(acts.delete, self.dice.choice(mine))
            elif kind < 0.9:
                one.do(acts.react, event, self.dice.choice(MARKS))
            else:
                one.do(acts.pin, event, is_pinned=self.dice.random() < 0.7)


def shown(one: SimPeer, friend: str) -> list[tuple[object, ...]]:
    """Give what a person sees of a conversation, but for how far own messages came."""
    return [
        (m.id, m.text, m.edited, m.gone, m.pinned, m.forked, m.quote,
         [(given["mark"], given["from"]) for given in m.reactions],
         [said["text"] for said in m.versions or []])
        for m in one.database.read(transcript.messages, friend, with_versions=True)
        if m.kind == "message"
    ]  # fmt: skip


def check_alike(world: TalkWorld) -> None:
    for one in world.peers:
        assert [str(fault) for fault in one.faults] == []
        assert one.lies == []
        told = [event for kind, event in one.shown if kind == "message"]
        assert len(set(told)) == len(told)  # D4
        for friend in world.partners(one):
            check_order(world, one, friend)
            for other in world.peers:
                if other is one or other.account not in (one.account, friend):
                    continue
                theirs = one.account if other.account == friend else friend
                assert shown(one, friend) == shown(other, theirs)
                assert entries(one, other, friend) == entries(other, one, theirs)
    for one in world.peers:  # deleted words are nowhere
        (kept,) = one.database.connection.execute(
            "SELECT count(*) FROM abouts d JOIN events e ON e.id = d.target JOIN chains h"
            " ON h.number = e.chain WHERE d.kind = 3 AND d.author = h.author AND e.body IS NOT NULL"
        ).fetchone()
        assert kept == 0


def check_read(world: TalkWorld) -> None:
    """Everybody reads all; then it shows as read everywhere, and nothing is unread anywhere."""
    for one in world.peers:
        assert isinstance(one, Talker)
        for friend in world.partners(one):
            one.look(friend)
    world.sim.run(world.sim.now + world.calm_ms)
    for one in world.peers:
        assert one.lies == []
        assert one.database.read(following.unread) == {}
        if world.tampered or world.lost:
            continue  # what a receipt of such a chain means may be open
        for friend in world.partners(one):
            lines = one.database.read(transcript.messages, friend)
            states = {m.state for m in lines if m.sender == one.account}
            assert states <= {"delivered" if friend == one.account else "read", None}


@pytest.mark.parametrize("seed", [int(ONE)] if ONE else range(SEEDS))
def test_all_devices_show_the_same_whatever_happened_on_the_way(seed: int) -> None:
    world = TalkWorld(seed)
    try:
        check_alike(world)
        check_read(world)
    except AssertionError as error:
        error.add_note(
            f"replay: SIMNET_SEED={seed} python -m pytest {__name__.replace('.', '/')}.py"
        )
        raise
