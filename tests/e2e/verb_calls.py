"""What a row of the table of verbs is made of: calls of a verb, by whom, and how each has to end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.verb_world import Scene
from tests.harness.actors import Peer

Who = Callable[[Scene], Peer]
Words = Callable[[Scene, Peer], tuple[str, ...]]
FINE = ""
NONE, ONE, SOME = range(1), range(1, 2), range(1, 1000)
OUTCOMES = ("fine", "refused", "away")


def person(scene: Scene) -> Peer:
    """Whoever the scene is about."""
    return scene.person


def fresh(scene: Scene) -> Peer:
    """Somebody without an account."""
    return scene.fresh()


def member(scene: Scene) -> Peer:
    """Somebody who registers for this one call, their node up if the scene's is."""
    peer = scene.fresh()
    peer.one("register", peer.name, "--tracker", scene.tracker, "--unsealed")
    if scene.is_up:
        peer.up()
    return peer


@dataclass(frozen=True)
class Call:
    """One call of a verb.

    words: its arguments, of the scene and of whoever calls. code: what it is refused with, FINE if it
    works. who: whose home. goes_on: it runs until it is stopped. has_results: it gives some although it is
    refused.
    """

    words: Words
    code: str = FINE
    who: Who = person
    goes_on: bool = False
    has_results: bool = False


def call(*words: str, code: str = FINE, who: Who = person, goes_on: bool = False) -> Call:
    """Make a call whose words are the same for everybody."""
    return Call(lambda _scene, _who: words, code, who, goes_on)


WRONG = call("these", "are", "too", "many", "words", code="usage")
NOBODY = call(code="not-registered", who=fresh)


@dataclass(frozen=True)
class Row:
    """One verb, or one way to use it: a call that works, and one that does not.

    fields: of each object it gives. lines: how many of them. away: the call without a tracker, None if
    it is the one that works. up_...: the calls with a node up, where they differ.
    """

    verb: str
    fields: str
    fine: Call
    refused: Call
    lines: range = ONE
    away: Call | None = None
    up_fine: Call | None = None
    up_refused: Call | None = None
    up_away: Call | None = None

    def call(self, outcome: str, *, is_up: bool) -> Call:
        """Give the call for an outcome of OUTCOMES."""
        fine = (self.up_fine if is_up else None) or self.fine
        if outcome == "fine":
            return fine
        if outcome == "refused":
            return (self.up_refused if is_up else None) or self.refused
        return (self.up_away if is_up else None) or self.away or fine


ACCOUNT = "account tracker fingerprint"
CHANGED = "id event state"
MESSAGE = "kind id conversation from device at text state edited reply_to"
OFFER = "offer direction conversation from name files bytes state"
TRANSFER = (
    "id offer direction friend name saved_as files files_done skipped place bytes verified_bytes"
    " resent_bytes rate eta state reason path error resumed_at sources"
)
SETTING = "key value default help"
FRIEND = "friend presence text verified devices last_seen"
RUNNING = "already-running"
GONE = "tracker-unreachable"


def registering(*more: str, code: str = FINE, who: Who = fresh) -> Call:
    """Register under the name of the home."""
    return Call(lambda s, p: (p.name, "--tracker", s.tracker, "--unsealed", *more), code, who)


def logging_in(code: str = FINE, who: Who = fresh) -> Call:
    """Log in as the scene's person."""
    return Call(lambda s, _: (s.person.name, "--tracker", s.tracker, "--unsealed"), code, who)


def with_friend(*words: str, code: str = FINE, goes_on: bool = False) -> Call:
    """Name the scene's friend, then these words."""
    return Call(lambda s, _: (s.friend, *words), code, goes_on=goes_on)


def of_said(*words: str, code: str = FINE) -> Call:
    """Name the message that the scene's person said, then these words."""
    return Call(lambda s, _: (s.said, *words), code)


def of_offer(number: int, *words: str, code: str = FINE, goes_on: bool = False) -> Call:
    """Name one of the offers that wait."""
    return Call(lambda s, _: (s.offers[number], *words), code, goes_on=goes_on)


def of_transfer(number: int) -> Call:
    """Name the transfer of one of the scene's own offers."""

    def words(scene: Scene, who: Peer) -> tuple[str, ...]:
        [found] = [t for t in who.do("transfers") if t["offer"] == scene.own[number]]
        return (found["id"],)

    return Call(words)


def changing_to(password: str, code: str = FINE) -> Call:
    """Change the password to this one."""

    def words(scene: Scene, who: Peer) -> tuple[str, ...]:
        file = scene.folder / f"{who.name}.password"
        file.write_text(f"{password}\n")
        return ("--new-password-file", str(file))

    return Call(words, code)


def saving(suffix: str, code: str = FINE) -> Call:
    """Save what the tracker holds to a file of this ending."""
    return Call(lambda s, who: (str(s.folder / f"{who.name}{suffix}"),), code)


UNKNOWN = call("0" * 32, code="unknown-transfer")
TO_NOBODY = "nobody-of-that-name"
