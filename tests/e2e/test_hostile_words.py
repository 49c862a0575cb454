"""Words of others on a terminal: whoever they come from, they move no cursor, ring no bell and turn no text."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness import short
from tests.harness.actors import PASSWORD, Peer
from tests.harness.liars import Answer, LyingTracker
from tests.harness.strangers import Scene
from tests.harness.trackers import FOLDER, PYTHON, WAIT_S
from tests.independent import account
from tests.independent.account import Session
from tests.independent.msgpack import Value
from tests.independent.talk import TEXT

NASTY = "\x1b[2J\x1b]52;c;aGk=\x07\u202e\x9b31m\r\x08"
HARMFUL = set(NASTY) - set("[2J]52;caGk=31m")


def printed(peer: Peer, *words: str) -> str:
    """Run a verb as a person does, and give what it prints."""
    done = short.run(
        [PYTHON, "-m", "peer", "--home", str(peer.home), *words],
        environment=peer.environment,
        timeout_s=WAIT_S,
        folder=FOLDER,
    )
    return done.stdout.decode() + done.stderr.decode()


def test_what_friends_and_strangers_say_is_shown_as_plain_characters(tmp_path: Path) -> None:
    with Scene(tmp_path) as scene:
        eve = scene.friend("eve")
        mallory = account.register(scene.tracker.address, "mallory", PASSWORD)
        with Session(mallory) as session:
            session.befriend(scene.bob.one("friend", "code")["code"], f"note{NASTY}")
        with Session(eve) as session:
            session.link.ask("SetPresence", 1, f"mood{NASTY}", 0)
            scene.node.event("friend-request", friend="mallory")
            with scene.talking(eve) as (talk, link):
                talk.say(link, TEXT, [f"text{NASTY}", b""])
                talk.until(link, lambda: talk.delivered == 1)
            for word, verb in {
                "mood": ("friend", "list"),
                "note": ("friend", "requests"),
                "text": ("read", "eve"),
                "eve": ("status",),
            }.items():
                shown = printed(scene.bob, *verb)
                assert word in shown
                assert HARMFUL & set(shown) == set(), verb


def test_what_a_tracker_says_is_shown_as_plain_characters(make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    lies: list[tuple[str, list[Value]]] = [
        ("Refused", ["flood", f"no{NASTY}", 3]),
        ("Refused", [f"no{NASTY}", "", 0]),
        ("Close", ["flood", f"no{NASTY}"]),
        ("Close", [f"no{NASTY}", ""]),
    ]
    with LyingTracker() as liar:
        for name, content in lies:

            def answer(
                fields: list[Value], name: str = name, said: list[Value] = content
            ) -> list[Answer]:
                return [(name, [fields[0], *said] if name == "Refused" else said)]

            liar.lies["Register"] = answer
            shown = printed(alice, "register", "alice", "--tracker", liar.address)
            assert shown.startswith("error: ")
            assert shown.count("\n") == 1
            assert HARMFUL & set(shown) == set(), shown
