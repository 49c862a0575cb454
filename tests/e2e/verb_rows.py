"""The table of verbs: for each what works, what is refused, and what an unreachable tracker does to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.e2e.verb_world import Scene
from tests.harness.actors import PASSWORD, Peer

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
MESSAGE = "kind id conversation from device at text state edited reply_to"
OFFER = "offer direction conversation from name files bytes state"
TRANSFER = (
    "id offer direction friend name saved_as files files_done skipped place bytes verified_bytes"
    " resent_bytes rate eta state reason path error"
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

ROWS = (
    Row(
        "register",
        ACCOUNT,
        registering(),
        refused=Call(lambda s, _: (s.friend, "--tracker", s.tracker), "name-taken", fresh),
        away=registering(code=GONE),
        up_fine=registering(code=RUNNING, who=person),
        up_refused=call(code="usage"),
        up_away=registering(code=RUNNING, who=person),
    ),
    Row(
        "login",
        ACCOUNT,
        logging_in(),
        refused=Call(lambda s, _: (TO_NOBODY, "--tracker", s.tracker), "no-such-user", fresh),
        away=logging_in(code=GONE),
        up_fine=logging_in(code=RUNNING, who=person),
        up_refused=call(TO_NOBODY, code="usage"),
        up_away=logging_in(code=RUNNING, who=person),
    ),
    Row(
        "logout",
        "",
        call(who=member),
        refused=NOBODY,
        up_refused=WRONG,
        away=call(code=GONE),
    ),
    Row(
        "passwd",
        "",
        changing_to(PASSWORD),
        refused=changing_to("short", "password-weak"),
        away=changing_to(PASSWORD, GONE),
    ),
    Row(
        "account data",
        "file bytes",
        saving(".data"),
        refused=saving("", "file-exists"),  # the home itself
        away=saving(".data", GONE),
    ),
    Row(
        "account delete",
        "",
        call("--yes", who=member),
        refused=call(code="usage"),
        away=call("--yes", code=GONE),
    ),
    Row("whoami", f"{ACCOUNT} code devices", call(), refused=NOBODY, up_refused=WRONG),
    Row(
        "up",
        "event account listen web pid",
        call("--listen", "127.0.0.1:0", goes_on=True),
        refused=call("--listen", "127.0.0.1:65536", code="port-invalid"),
        lines=SOME,
        up_fine=call(code=RUNNING),
        up_away=WRONG,  # the refusal of a second node takes ten seconds and no tracker
    ),
    Row("status", "tracker links transfers", call(), refused=WRONG),
    Row("friend code", "code", call(), refused=NOBODY, up_refused=WRONG),
    Row(
        "friend add",
        "friend state",
        Call(lambda s, _: (s.stranger, "--note", "it is me")),
        refused=call(TO_NOBODY, code="no-such-user"),
        away=Call(lambda s, _: (s.stranger,), GONE),
    ),
    Row(
        "friend requests",
        "friend direction fingerprint note at",
        call(),
        refused=NOBODY,
        up_refused=WRONG,
        lines=SOME,
    ),
    Row(
        "friend accept",
        "friend state",
        Call(lambda s, _: (s.asker,)),
        refused=call(TO_NOBODY, code="friend-request-unknown"),
    ),
    Row(
        "friend reject",
        "",
        Call(lambda s, _: (s.suitor,)),
        refused=call(TO_NOBODY, code="friend-request-unknown"),
    ),
    Row("friend list", FRIEND, call(), refused=NOBODY, up_refused=WRONG, lines=SOME),
    Row(
        "friend remove",
        "",
        Call(lambda s, _: (s.removable,)),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
    Row(
        "friend verify",
        "friend number verified",
        with_friend(),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
    Row(  # a changed key is another test's: here nobody's did
        "friend accept-key",
        "friend number verified",
        with_friend("ab" * 32, code="key-unchanged"),
        refused=call(TO_NOBODY, "ab" * 32, code="no-such-friend"),
    ),
    Row(
        "friend block",
        "",
        Call(lambda s, _: (s.stranger,)),
        refused=call("a b", code="name-characters"),
    ),
    Row(
        "friend unblock",
        "",
        Call(lambda s, _: (s.stranger,)),
        refused=call("a b", code="name-characters"),
    ),
    Row(
        "presence",
        "presence text",
        call("away", "--text", "at lunch"),
        refused=call("sleeping", code="usage"),
    ),
    Row("busy", "presence text", call("--for", "10m"), refused=call("--for", "soon", code="usage")),
    Row("free", "presence text", call(), refused=call("--text", "x" * 500, code="text-length")),
    Row(
        "say",
        "id state",
        with_friend("hello"),
        refused=call(TO_NOBODY, "hello", code="no-such-friend"),
        away=with_friend("hello", "--wait", "0"),
    ),
    Row(
        "retry",
        "id state",
        Call(lambda s, _: (s.said,)),
        refused=call("00000000", code="unknown-message"),
        away=Call(lambda s, _: (s.said, "--wait", "0")),
    ),
    Row(
        "read",
        MESSAGE,
        with_friend("--limit", "5"),
        refused=call(TO_NOBODY, code="no-such-friend"),
        lines=SOME,
    ),
    Row(
        "read",
        MESSAGE,
        with_friend("--follow", goes_on=True),
        refused=call("--follow", "--limit", "-1", code="usage"),
        lines=SOME,
    ),
    Row(
        "history",
        MESSAGE,
        with_friend("--limit", "5"),
        refused=call(TO_NOBODY, code="no-such-friend"),
        lines=SOME,
    ),
    Row(
        "send",
        "offer files bytes",
        Call(lambda s, _: (s.friend, s.path)),
        refused=with_friend("/no/such/file", code="no-such-file"),
    ),
    Row(
        "send",
        "offer files bytes",
        Call(
            lambda s, _: (s.friend, s.path, "--wait", "--timeout", "0.1"),
            "not-done-yet",
            has_results=True,
        ),
        refused=Call(lambda s, _: (s.friend, s.path, "--timeout", "1"), "usage"),
    ),
    Row("offers", OFFER, call(), refused=NOBODY, up_refused=WRONG, lines=SOME),
    Row(
        "accept",
        OFFER,
        of_offer(0),
        refused=call("0" * 32, code="unknown-offer"),
        away=of_offer(0, goes_on=True),
        up_away=of_offer(0),
    ),
    Row("decline", OFFER, of_offer(1), refused=call("0" * 32, code="unknown-offer")),
    Row(
        "withdraw",
        OFFER,
        Call(lambda s, _: (s.own[0],)),
        refused=of_offer(2, code="offer-not-own"),
    ),
    Row("pause", TRANSFER, of_transfer(1), refused=UNKNOWN),
    Row("resume", TRANSFER, of_transfer(1), refused=UNKNOWN),
    Row("cancel", TRANSFER, of_transfer(2), refused=UNKNOWN),
    Row("config list", SETTING, call(), refused=NOBODY, up_refused=WRONG, lines=SOME),
    Row(
        "config get",
        SETTING,
        call("bandwidth.up"),
        refused=call("bandwith.up", code="config-invalid"),
    ),
    Row(
        "config set",
        SETTING,
        call("bandwidth.up", "10MB/s"),
        refused=call("bandwidth.up", "fast", code="config-invalid"),
    ),
    Row(
        "accept-policy",
        "policy max_size types",
        with_friend("auto", "--max-size", "1MB"),
        refused=call("sometimes", code="usage"),
    ),
    Row("transfers", TRANSFER, call(), refused=NOBODY, up_refused=WRONG, lines=SOME),
    Row(
        "transfers",
        TRANSFER,
        call("--follow", goes_on=True),
        refused=call("--follow=yes", code="usage"),
        lines=SOME,
    ),
)
