"""Prompts at a real terminal: answered, left by Ctrl-C and Ctrl-D; the echo comes back, the exit code tells."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, Peer
from tests.harness.terminal import CTRL_C, CTRL_D, Session, at_a_terminal
from tests.harness.trackers import TrackerProcess

FIRST, AGAIN, SURE = "Password: ", "The same again: ", "Type yes: "
TYPED = f"{PASSWORD}\n".encode()


def asked(peer: Peer, *words: str, typed: list[tuple[str, bytes]]) -> Session:
    """Run a verb at a terminal, with no password but what is typed."""
    environment = {k: v for k, v in peer.environment.items() if k != "HOBNOB_PASSWORD"}
    session = at_a_terminal(
        "peer", ["--home", str(peer.home), *words], {**environment, "TERM": "xterm"}, *typed
    )
    assert "Traceback" not in session.shown, session
    assert PASSWORD not in session.shown
    assert session.echoes, session
    return session


@pytest.fixture
def sealed(make_peer: MakePeer) -> Peer:
    """Somebody with a local account whose key file is sealed."""
    alice = make_peer("alice")
    alice.register(None)
    return alice


@pytest.mark.parametrize("key", [CTRL_C, CTRL_C + CTRL_C])
@pytest.mark.parametrize(
    "typed", [[], [(FIRST, TYPED)]], ids=["at the first prompt", "at the second"]
)
def test_ctrl_c_while_a_new_password_is_asked_for_registers_nobody(
    make_peer: MakePeer, typed: list[tuple[str, bytes]], key: bytes
) -> None:
    alice = make_peer("alice")
    prompt = AGAIN if typed else FIRST
    session = asked(alice, "register", "alice", typed=[*typed, (prompt, key)])
    assert session.code == 130
    assert "error: interrupted: " in session.shown
    assert not (alice.home / "keys").exists()


@pytest.mark.parametrize("verb", [("up",), ("friend", "list"), ("say", "bob", "hi")])
def test_ctrl_c_while_the_key_file_is_to_be_opened_is_130(
    sealed: Peer, verb: tuple[str, ...]
) -> None:
    session = asked(sealed, *verb, typed=[(FIRST, CTRL_C)])
    assert session.code == 130
    assert session.shown.count("error: interrupted: ") == 1


def test_an_end_of_input_at_the_prompt_is_a_missing_password(sealed: Peer) -> None:
    session = asked(sealed, "friend", "list", typed=[(FIRST, CTRL_D)])
    assert session.code == 1
    assert "error: password-needed: " in session.shown


def test_a_typed_password_opens_the_key_file_and_is_never_shown(sealed: Peer) -> None:
    assert asked(sealed, "friend", "list", typed=[(FIRST, TYPED)]).code == 0
    wrong = asked(sealed, "friend", "list", typed=[(FIRST, b"not the password\n")])
    assert (wrong.code, "error: wrong-password: " in wrong.shown) == (1, True)


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [(CTRL_C, 130, "interrupted"), (b"no\n", 2, "usage"), (CTRL_D, 2, "usage")],
)
def test_nothing_is_wiped_unless_yes_is_typed(
    sealed: Peer, key: bytes, code: int, said: str
) -> None:
    session = asked(sealed, "logout", "--forget", typed=[(SURE, key)])
    assert session.code == code
    assert f"error: {said}: " in session.shown
    assert sealed.one("whoami")["account"] == "alice"


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [(CTRL_C, 130, "interrupted"), (b"no\n", 2, "usage"), (b"yes\n", 0, "")],
)
def test_a_trackers_key_is_shown_and_taken_only_after_yes(
    tracker: TrackerProcess, make_peer: MakePeer, key: bytes, code: int, said: str
) -> None:
    alice = make_peer("alice")
    bare, _, expected = tracker.address.partition("#")
    words = ("register", "alice", "--tracker", bare)
    session = asked(alice, *words, typed=[(FIRST, TYPED), (AGAIN, TYPED), (SURE, key)])
    assert session.code == code, session
    assert expected in session.shown
    assert (f"error: {said}: " in session.shown) is bool(said)
    assert (alice.home / "keys").exists() is (code == 0)


@pytest.mark.parametrize("terminal", [{}, {"TERM": "dumb"}, {"TERM": "xterm", "NO_COLOR": "1"}])
def test_a_terminal_that_is_small_or_unknown_gets_plain_text(
    sealed: Peer, terminal: dict[str, str]
) -> None:
    environment = {k: v for k, v in sealed.environment.items() if k not in {"TERM", "NO_COLOR"}}
    for verb in (
        ["status"],
        ["whoami"],
        ["transfers"],
        ["read"],
        ["say", "--help"],
        ["friend", "code"],
    ):
        session = at_a_terminal(
            "peer", ["--home", str(sealed.home), *verb], {**environment, **terminal}, size=(5, 20)
        )
        assert session.code == 0, session
        assert "\x1b" not in session.shown, session


PRESENT, FOLLOWING = "Present password: ", "New password: "
OTHER = "eight green cats"
OTHER_TYPED = f"{OTHER}\n".encode()


def test_both_passwords_are_asked_for_and_the_new_one_twice(sealed: Peer) -> None:
    words = [(PRESENT, TYPED), (FOLLOWING, OTHER_TYPED), (AGAIN, OTHER_TYPED)]
    session = asked(sealed, "passwd", typed=words)
    assert session.code == 0, session
    assert OTHER not in session.shown
    assert sealed.try_to("friend", "list", HOBNOB_PASSWORD=OTHER).code == 0


@pytest.mark.parametrize(
    ("last", "code", "said"),
    [(TYPED, 1, "password-weak"), (CTRL_C, 130, "interrupted"), (CTRL_D, 1, "password-needed")],
)
def test_a_new_password_that_is_not_typed_twice_changes_nothing(
    sealed: Peer, last: bytes, code: int, said: str
) -> None:
    words = [(PRESENT, TYPED), (FOLLOWING, OTHER_TYPED), (AGAIN, last)]
    session = asked(sealed, "passwd", typed=words)
    assert session.code == code, session
    assert f"error: {said}: " in session.shown
    assert sealed.do("friend", "list") == []


@pytest.mark.parametrize(
    ("typed", "code", "said"),
    [(b"bob\n", 2, "usage"), (CTRL_D, 2, "usage"), (CTRL_C, 130, "interrupted")],
)
def test_nothing_is_deleted_unless_the_name_is_typed(
    sealed: Peer, typed: bytes, code: int, said: str
) -> None:
    session = asked(sealed, "account", "delete", typed=[("Type the name: ", typed)])
    assert session.code == code, session
    assert f"error: {said}: " in session.shown
    assert sealed.one("whoami")["account"] == "alice"


def test_a_name_and_a_password_that_are_typed_delete_the_account(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    bob = make_peer("bob")
    bob.register(tracker.address)
    words = [("Type the name: ", b"bob\n"), (FIRST, TYPED)]
    session = asked(bob, "account", "delete", typed=words)
    assert session.code == 0, session
    assert "logout --forget" in session.shown
    assert bob.one("status")["alarms"][0]["code"] == "account-deleted"


def test_a_safety_number_is_drawn_at_a_terminal(friends: tuple[Peer, Peer]) -> None:
    alice, _ = friends
    session = asked(alice, "friend", "verify", "bob", typed=[])
    assert session.code == 0, session
    number = alice.one("friend", "verify", "bob")["number"]
    assert number[:5] + " " + number[5:10] in session.shown
    assert "\u2588" in session.shown or "\u2580" in session.shown  # the picture's blocks


@pytest.mark.parametrize(
    ("size", "encoding", "is_drawn"),
    [((24, 80), "utf-8", True), ((5, 20), "utf-8", False), ((24, 80), "ascii", False)],
    ids=["as most are", "narrow", "without blocks"],
)
def test_a_friend_code_is_drawn_only_where_the_terminal_shows_it_whole(
    sealed: Peer, size: tuple[int, int], encoding: str, is_drawn: bool
) -> None:
    environment = {**sealed.environment, "TERM": "xterm", "PYTHONIOENCODING": encoding}
    session = at_a_terminal(
        "peer", ["--home", str(sealed.home), "friend", "code"], environment, size=size
    )
    assert session.code == 0, session
    *drawn, code, end = session.shown.replace("\r", "").split("\n")
    assert (code, end) == (sealed.one("whoami")["code"], "")
    assert bool(drawn) == is_drawn, session
