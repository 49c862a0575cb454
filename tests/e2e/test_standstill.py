"""Programs that are stopped for a while and go on: no word is lost, none comes twice, links mend themselves."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from tests.harness.faults import IS_DEEP
from tests.harness.trackers import TrackerProcess
from wire import limits

STOPPED_S = limits.DEAD_AFTER_S + 10 if IS_DEEP else 3.0
"""Longer than the patience of a link under the profile `deep`; a moment else."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("who", ["sender", "receiver", "tracker"])
def test_who_stood_still_goes_on_and_nothing_is_lost(
    friends: Any, tracker: TrackerProcess, who: Any
) -> None:
    alice, bob = friends
    assert alice.one("say", "bob", "before", "--wait", "100")["state"] == "delivered"
    stopped = {"sender": alice.node, "receiver": bob.node, "tracker": tracker}[who]
    stopped.process.send_signal(signal.SIGSTOP)
    said = ["before"]
    if who != "sender":
        for number in range(10):
            said.append(f"meanwhile {number}")
            alice.one("say", "bob", said[-1])
    else:
        bob.one("say", "alice", "are you there?")
    threading.Event().wait(STOPPED_S)
    stopped.process.send_signal(signal.SIGCONT)
    said.append("after")
    assert alice.one("say", "bob", "after", "--wait", "100")["state"] == "delivered"
    assert bob.one("say", "alice", "so you are", "--wait", "100")["state"] == "delivered"
    assert bob.texts_from("alice") == said
    expected = ["are you there?"] if who == "sender" else []
    assert alice.texts_from("bob") == [*expected, "so you are"]
