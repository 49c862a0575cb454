"""One world for the table of verbs: people with a node up and without, by text and by JSON, with a tracker and not.

Eight people do every verb: each combination of (node up, alone) x (text, JSON) x (the tracker answers, it is
gone). The others are whom they do it with. What a verb needs to find (requests, offers, messages) is made
while every node is up, because that is quick.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from threading import Timer

from peer.control import client
from tests.harness import short
from tests.harness.actors import WAIT_S, Item, Node, Peer
from tests.harness.trackers import FOLDER, PYTHON, WIDE, TrackerProcess
from wire.codes import Code

FORMS = ("text", "json")
OFFERS = 6  # that wait for each person's answer: one for each verb that ends one
ERROR_LINE = re.compile(r"error: ([a-z0-9-]+): (\S.*); (\S.*)\n")
MISUSES = frozenset({"usage", "port-invalid", "address-invalid", "config-invalid"})
CODES = frozenset(code.value for code in Code)
PLACES = tuple(product(range(3), range(3)))


@dataclass(frozen=True)
class Ran:
    """One call of a program: how it ended and what it printed."""

    line: Sequence[str]
    code: int
    out: str
    err: str

    def items(self) -> list[Item]:
        """The objects on stdout, one a line."""
        found = [json.loads(line) for line in self.out.splitlines()]
        assert all(isinstance(item, dict) for item in found), self
        return found


def placed(
    verb: str, words: Sequence[str], options: Sequence[Sequence[str]], place: int
) -> list[str]:
    """Put common options before, between or after: `place` chooses one of the nine ways for two of them."""
    head, *tail = [*verb.split(), *words]
    gaps: list[list[str]] = [[], [], []]
    for option, gap in zip(options, PLACES[place % len(PLACES)], strict=False):
        gaps[gap] += option
    return [*gaps[0], head, *gaps[1], *tail, *gaps[2]]


def run(module: str, line: Sequence[str], environment: dict[str, str], stdin: bytes = b"") -> Ran:
    """Run a program to its end."""
    done = short.run(
        [PYTHON, "-m", module, *line],
        environment=environment,
        timeout_s=WAIT_S,
        stdin=stdin,
        folder=FOLDER,
    )
    return Ran(line, done.returncode, done.stdout.decode(), done.stderr.decode())


def run_until_first_result(module: str, line: Sequence[str], environment: dict[str, str]) -> Ran:
    """Run a program that goes on: end it by SIGTERM when it printed its first line."""
    with subprocess.Popen(
        [PYTHON, "-m", module, *line],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=FOLDER,
        env=environment,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        overdue = Timer(WAIT_S, process.kill)
        overdue.start()
        try:
            first = process.stdout.readline()
            process.terminate()
            out, err = first + process.stdout.read(), process.stderr.read()
        finally:
            process.kill()
            overdue.cancel()
    return Ran(line, process.returncode, out.decode(), err.decode())


def check_fine(ran: Ran, form: str, fields: str, *, lines: range, first_only: bool = False) -> None:
    """A verb that worked: results on stdout and nothing else there, exit code 0.

    fields: what every object has at least, or the first only. lines: how many of them there may be.
    """
    assert ran.code == 0, ran
    assert "\x1b" not in ran.out + ran.err, ran
    assert "\r" not in ran.out + ran.err, ran
    assert "Traceback" not in ran.err, ran
    if form == "json":
        items = ran.items()
        assert len(items) in lines, ran
        for item in items[:1] if first_only else items:
            assert set(fields.split()) <= item.keys(), ran
        assert ran.err == "", ran
    else:
        assert not ran.out.startswith("{"), ran
        assert bool(ran.out) is (lines != range(1)), ran
        assert "error:" not in ran.err, ran


def check_refused(
    ran: Ran, form: str, code: str, *, has_results: bool = False, is_misuse: bool | None = None
) -> None:
    """A verb that did not work: one line on stderr as promised, the exit code of its kind.

    has_results: results on stdout all the same. is_misuse: wrong usage, where the code does not tell.
    """
    if is_misuse is None:
        is_misuse = code in MISUSES
    assert ran.code == (2 if is_misuse else 1), ran
    assert bool(ran.out) is has_results, ran
    assert ran.err.count("\n") == 1, ran
    assert "\x1b" not in ran.err, ran
    if form == "json":
        ran.items()
        told = json.loads(ran.err)
        assert list(told) == ["error"], ran
        error = told["error"]
        assert set(error) == {"code", "message", "remedy"}, ran
        assert all(error.values()), ran
        named = error["code"]
    else:
        match = ERROR_LINE.fullmatch(ran.err)
        assert match, ran
        named = match[1]
    assert named in CODES, ran
    assert named == code, ran


@dataclass
class Scene:
    """One person in one situation, and what they find.

    friend: somebody they are friends with, here only while the tracker answers, at friends_place. asker, suitor: whose
    requests wait. removable: another friend. stranger: a name at the tracker. offers: ids of what was offered to them. own: ids of
    what they offered. said: the id of a message of theirs.
    """

    person: Peer
    is_up: bool
    form: str
    has_tracker: bool
    tracker: str
    folder: Path
    friend: str = ""
    friends_place: str = ""
    asker: str = ""
    suitor: str = ""
    removable: str = ""
    stranger: str = "zed"
    offers: list[str] = field(default_factory=list)
    own: list[str] = field(default_factory=list)
    said: str = ""
    made: int = 0

    @property
    def path(self) -> str:
        """A file of theirs."""
        path = self.folder / f"{self.person.name}.txt"
        path.write_text("content\n")
        return str(path)

    def fresh(self) -> Peer:
        """Somebody whose home holds no account yet."""
        self.made += 1
        return Peer(self.folder, f"{self.person.name}.{self.made}")

    def run(self, verb: str, words: Sequence[str], place: int, *, who: Peer, goes_on: bool) -> Ran:
        """Run a verb in this scene's form, its common options put at `place`."""
        options = [("--home", str(who.home)), ("--json",) if self.form == "json" else ()]
        line = placed(verb, words, options, place)
        if goes_on:
            return run_until_first_result("peer", line, who.environment)
        return run("peer", line, who.environment)


class World:
    """The people of the table. scenes: by (node up, form, the tracker answers)."""

    def __init__(self) -> None:
        self.scenes: dict[tuple[bool, str, bool], Scene] = {}

    def pair(self, *, is_up: bool, has_tracker: bool) -> list[Scene]:
        """The two of a situation, by text and by JSON."""
        return [self.scenes[is_up, form, has_tracker] for form in FORMS]


@contextmanager
def make_world(folder: Path) -> Iterator[World]:
    """Set everything up; at its end every process is gone."""
    with ExitStack() as stack:
        world = World()
        here = stack.enter_context(TrackerProcess(folder / "tracker", *WIDE))
        with TrackerProcess(folder / "gone", *WIDE) as gone, ThreadPoolExecutor(2) as pool:
            towns = [
                _Town(stack, folder, here, has_tracker=True),
                _Town(stack, folder, gone, has_tracker=False),
            ]
            for _ in pool.map(lambda step: step(), [s for town in towns for s in town.arrivals()]):
                pass
            for scenes in pool.map(_Town.live, towns):
                world.scenes.update(scenes)
        yield world


def told(peer: Peer, command: str, **words: object) -> Item:
    """Have somebody's node carry out a command, as a verb does but without its start; gives the one result."""
    [item] = client.ask(peer.home, command, words)
    return item


def offered(peer: Peer, to: list[str], path: str) -> str:
    """Offer a file; gives the offer's id."""
    return str(told(peer, "OfferFiles", to=to, paths=[path])["offer"])


class _Town:
    """One tracker's people while everything is prepared."""

    def __init__(
        self, stack: ExitStack, folder: Path, tracker: TrackerProcess, *, has_tracker: bool
    ) -> None:
        self.tracker = tracker
        self.has_tracker = has_tracker
        self.folder = folder

        def peer(name: str) -> Peer:
            return stack.enter_context(closing(Peer(folder, name)))

        suffix = "" if has_tracker else "-lost"
        self.friend, self.asker, self.suitor, self.removable = (
            peer(f"{name}{suffix}") for name in ("bob", "ann", "ben", "cid")
        )
        self.stranger = peer(f"zed{suffix}")
        self.doers = {
            (is_up, form): peer(f"{'up' if is_up else 'alone'}-{form}{suffix}")
            for is_up in (True, False)
            for form in FORMS
        }

    def _others(self) -> tuple[Peer, ...]:
        """Whoever is up with them at first."""
        return self.friend, self.asker, self.suitor, self.removable

    def arrivals(self) -> list[Callable[[], object]]:
        """One step for each: register, and bring the node up; the stranger only registers."""

        def arrive(peer: Peer) -> object:
            peer.one("register", peer.name, "--tracker", self.tracker.address, "--unsealed")
            return peer is self.stranger or peer.up()

        everybody = [*self._others(), self.stranger, *self.doers.values()]
        return [lambda peer=peer: arrive(peer) for peer in everybody]  # type: ignore[misc]

    def live(self) -> dict[tuple[bool, str, bool], Scene]:
        """Befriend, ask, offer; then leave those up who are to be."""
        code = told(self.friend, "GetFriendCode")["code"]
        names = [doer.name for doer in self.doers.values()]
        for doer in self.doers.values():
            told(doer, "AddFriend", who=code)
            self.node(self.friend).event("friend-request", friend=doer.name)
            told(self.friend, "AnswerFriend", name=doer.name, accept=True)
            self.node(doer).event("friend", friend=self.friend.name, state="friends")
            for person in (self.asker, self.suitor, self.removable):
                told(person, "AddFriend", who=doer.name)
                self.node(doer).event("friend-request", friend=person.name)
            told(doer, "AnswerFriend", name=self.removable.name, accept=True)
        path = self.folder / f"for {self.friend.name}.txt"
        path.write_text("offered\n")
        offers = [offered(self.friend, names, str(path)) for _ in range(OFFERS)]
        scenes = {}
        for (is_up, form), doer in self.doers.items():
            self.node(doer).event("offer", offer=offers[-1])
            scene = Scene(
                doer,
                is_up,
                form,
                self.has_tracker,
                self.tracker.address,
                self.folder,
                friend=self.friend.name,
                friends_place=self.node(self.friend).address,
                asker=self.asker.name,
                suitor=self.suitor.name,
                removable=self.removable.name,
                stranger=self.stranger.name,
                offers=list(offers),
            )
            scene.own = [offered(doer, [scene.friend], scene.path) for _ in range(3)]
            scene.said = told(doer, "SendText", to=scene.friend, text="a first word")["id"]
            told(doer, "SendText", to=scene.friend, text="a word that stays")
            scenes[is_up, form, self.has_tracker] = scene
        staying = {self.friend} if self.has_tracker else set()
        staying |= {doer for (is_up, _), doer in self.doers.items() if is_up}
        for peer in (*self._others(), *self.doers.values()):
            if peer not in staying:
                self.node(peer).stop()
        return scenes

    def node(self, peer: Peer) -> Node:
        """Give the node of somebody who is up."""
        return peer.node
