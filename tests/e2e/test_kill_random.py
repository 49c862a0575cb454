"""Both nodes and the tracker killed at random while two people talk: each word once, in order, whoever dies."""

from __future__ import annotations

import random
import threading
from pathlib import Path

import pytest

from peer.control import client
from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.copies import befriend
from tests.harness.faults import IS_DEEP
from tests.harness.trackers import WIDE, TrackerProcess

EACH_SAYS = 1000 if IS_DEEP else 100
MESSAGES_PER_KILL = 20
SEED = 20261121


class Talker(threading.Thread):
    """Says numbered words to a friend over the control socket, one after the other, until each is acknowledged.

    What was asked of a node that died is asked again of the next, under the same id, as verbs do.
    """

    def __init__(self, peer: Peer, friend: str, said: Counter) -> None:
        super().__init__(name=f"{peer.name} talks", daemon=True)
        self.acknowledged: list[str] = []
        self.trouble: Exception | None = None
        self.is_up = threading.Event()
        self.is_up.set()
        self._peer = peer
        self._friend = friend
        self._said = said

    def run(self) -> None:
        dice = random.Random(f"{SEED} {self._peer.name}")
        try:
            for number in range(EACH_SAYS):
                text = f"{self._peer.name} {number} {'x' * dice.choice((0, 10, 3000))}"
                self._say(text, dice.randbytes(16).hex())
                self.acknowledged.append(text)
                self._said.add()
        except (AssertionError, client.Failed) as error:
            self.trouble = error
            self._said.add(2 * EACH_SAYS)

    def _say(self, text: str, request_id: str) -> None:
        arguments: dict[str, object] = {"to": self._friend, "text": text}
        while True:
            assert self.is_up.wait(60), "the node did not come back"
            try:
                [item] = client.ask(self._peer.home, "SendText", arguments, request_id)
            except client.NotRunning:
                continue
            except client.Failed as failed:
                if failed.code != "node-vanished":
                    raise
                continue
            assert item["state"] in {"queued", "delivered"}
            return


class Counter:
    """Counts, and lets others wait for a count."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def add(self, more: int = 1) -> None:
        with self._changed:
            self._count += more
            self._changed.notify_all()

    def reach(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._count >= count, 120), self._count


@pytest.mark.timeout(3600 if IS_DEEP else 600)
def test_two_talk_while_their_nodes_and_the_tracker_are_killed_at_random(
    make_peer: MakePeer, tmp_path: Path
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    home = tmp_path / "tracker"
    tracker = TrackerProcess(home, *WIDE)
    listen = tracker.listen
    try:
        befriend(tracker.address, alice, bob, "--unsealed")
        said = Counter()
        talkers = {alice: Talker(alice, "bob", said), bob: Talker(bob, "alice", said)}
        for talker in talkers.values():
            talker.start()
        dice = random.Random(SEED)
        killed = 0
        for count in range(MESSAGES_PER_KILL, 2 * EACH_SAYS, MESSAGES_PER_KILL):
            said.reach(count - dice.randrange(MESSAGES_PER_KILL))
            victims = dice.choice([(alice,), (bob,), (alice, bob), (None,), (None, alice)])
            for victim in victims:
                killed += 1
                if victim is None:
                    tracker.kill()
                else:
                    talkers[victim].is_up.clear()
                    victim.node.kill()
            for victim in victims:
                if victim is None:
                    tracker = TrackerProcess(home, *WIDE, listen=listen)
                else:
                    victim.up()
                    talkers[victim].is_up.set()
        for talker in talkers.values():
            talker.join()
            assert talker.trouble is None, talker.trouble
        for peer, friend in ((alice, bob), (bob, alice)):
            last = peer.one("say", friend.name, "the end", "--wait", "100")
            assert last["state"] == "delivered"
        for peer, friend in ((alice, bob), (bob, alice)):
            expected = [*talkers[peer].acknowledged, "the end"]
            assert len(expected) == EACH_SAYS + 1
            assert friend.texts_from(peer.name) == expected
            history = peer.do("history", friend.name)
            assert [item["text"] for item in history if item["from"] == peer.name] == expected
            assert {item["state"] for item in history if item["from"] == peer.name} == {"delivered"}
            assert not [item for item in history if item["kind"] == "gap" or item["forked"]]
        if IS_DEEP:
            print(f"\n{killed} kills, {2 * EACH_SAYS} messages")
    finally:
        tracker.kill()
