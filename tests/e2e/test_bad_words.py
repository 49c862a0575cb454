"""What wrong names, passwords, codes and messages get from the real commands: a code, one line, nothing kept."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.harness.actors import Outcome, Peer
from tests.harness.strangers import Scene
from tests.harness.trackers import WIDE, TrackerProcess
from tests.independent import account, values
from tests.independent.account import Session

Make = Callable[[str], Peer]


@pytest.fixture(scope="module")
def tracker(module_folder: MakeFolder) -> Iterator[TrackerProcess]:
    with TrackerProcess(module_folder("words") / "home", *WIDE) as running:
        yield running


def refused(outcome: Outcome, *codes: str) -> None:
    """Check that a verb said one of these codes in one line, and nothing else."""
    assert outcome.code in (1, 2), outcome
    assert outcome.error["code"] in codes, outcome
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1


# --- names and passwords


NAMES = {
    "39 none": ("", "name-length"),
    "39 one letter": ("a", "name-length"),
    "39 65 letters": ("a" * 65, "name-length"),
    "39 100,000 letters": ("a" * 100_000, "name-length"),
    "40 a space": ("a b", "name-characters"),
    "40 a slash": ("a/b", "name-characters"),
    "40 a line": ("ab\ncd", "name-characters"),
    "40 an emoji": ("ab\U0001f600", "name-characters"),
    "40 turned around": ("ab\u202e", "name-characters"),
    "40 nothing to see": ("a\u200bb", "name-characters"),
    "41 a letter of another script": ("\u0430lice", "name-characters"),
    "41 full width": ("\uff41\uff4c\uff49\uff43\uff45", "name-characters"),
    "42 admin": ("admin", "name-reserved"),
    "42 Tracker": ("Tracker", "name-reserved"),
    "42 two dots": ("..", "name-characters"),
}


def test_a_name_that_cannot_be_makes_no_account(tracker: TrackerProcess, make_peer: Make) -> None:
    peer = make_peer("home")
    for name, code in NAMES.values():
        refused(peer.try_to("register", name, "--tracker", tracker.address), code)
    refused(peer.try_to("whoami"), "not-registered")


def test_41_capitals_are_the_same_name(tracker: TrackerProcess, make_peer: Make) -> None:
    alice = make_peer("capital")
    alice.register(tracker.address)
    other = make_peer("other")
    refused(other.try_to("register", "CAPITAL", "--tracker", tracker.address), "name-taken")


PASSWORDS: dict[str, tuple[bytes, tuple[str, ...]]] = {
    "44 none": (b"", ("password-weak", "password-needed")),
    "44 seven letters": (b"seven77", ("password-weak",)),
    "44 the first that anybody tries": (b"password123", ("password-weak",)),
    "44 one letter again and again": (b"a" * 40, ("password-weak",)),
    "44 1,025 bytes": (b"x y" * 342, ("password-too-long",)),
    "44 a megabyte": (b"x" * 2**20, ("password-too-long",)),
    "44 a zero": (b"with a\0zero inside", ("password-weak",)),
    "44 no text": (b"no \xff\xfe text", ("text-invalid",)),
}


def test_a_password_that_is_none_makes_no_account(
    tracker: TrackerProcess, make_peer: Make, tmp_path: Path
) -> None:
    peer, file = make_peer("weak"), tmp_path / "password"
    words = ("register", "weak", "--tracker", tracker.address, "--password-file", str(file))
    for content, codes in PASSWORDS.values():
        file.write_bytes(content)
        refused(peer.try_to(*words), *codes)
    refused(peer.try_to("whoami"), "not-registered")


def test_45_a_password_is_the_same_however_its_accents_are_typed(
    tracker: TrackerProcess, make_peer: Make
) -> None:
    password = "grüße aus köln, é"
    alice = make_peer("accents")
    words = ("register", "accents", "--tracker", tracker.address)
    made = alice.try_to(*words, HOBNOB_PASSWORD=unicodedata.normalize("NFC", password))
    assert made.code == 0, made
    laptop = make_peer("laptop")
    words = ("login", "accents", "--tracker", tracker.address)
    there = laptop.try_to(*words, HOBNOB_PASSWORD=unicodedata.normalize("NFD", password))
    assert there.item["fingerprint"] == made.item["fingerprint"]


def test_46_wrong_passwords_have_to_wait_and_are_told_how_long(
    tmp_path: Path, make_peer: Make
) -> None:
    with TrackerProcess(tmp_path / "strict", "--limit", "failed_logins=2") as strict:
        make_peer("alice").register(strict.address)
        laptop = make_peer("laptop")
        words = ("login", "alice", "--tracker", strict.address)
        for code in ("wrong-password", "wrong-password", "too-many-failures"):
            outcome = laptop.try_to(*words, HOBNOB_PASSWORD="not the right one")
            refused(outcome, code)
            is_to_wait = "try again in" in outcome.error["message"]
            assert is_to_wait is (code == "too-many-failures")


# --- friends


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("scene")) as scene:
        yield scene


def code_with(text: str, at: int) -> str:
    """Give a friend code with another letter at a place."""
    letter = "a" if text[at] != "a" else "b"
    return text[:at] + letter + text[at + 1 :]


def test_49_to_52_whom_one_cannot_add(scene: Scene) -> None:
    bob = scene.bob
    code = bob.one("friend", "code")["code"]
    account.register(scene.tracker.address, "fay", "seven purple owls")
    elsewhere = values.friend_code("dora", "hobnob://elsewhere.example:9797/", bytes(32), bytes(32))
    rows = {
        "49 oneself": (("bob",), ("friend-self",)),
        "49 oneself by code": ((code,), ("friend-self",)),
        "49 nobody": (("nobody-of-that-name",), ("no-such-user",)),
        "49 no name": (("no name",), ("name-characters",)),
        "50 a long note": (("fay", "--note", "x" * 301), ("text-length",)),
        "52 a typing error": ((code_with(code, 40),), ("code-checksum",)),
        "52 the end is missing": ((code[:-3],), ("code-checksum",)),
        "52 only the beginning": (("hobnob-friend:",), ("code-checksum",)),
        "52 another tracker": ((elsewhere,), ("code-tracker",)),
        "51 an answer to nobody": ((), ("friend-request-unknown", "no-such-user")),
    }
    for row, (words, codes) in rows.items():
        verb = ("friend", "add", *words) if words else ("friend", "accept", "nobody.asked")
        outcome = bob.try_to(*verb)
        assert outcome.code in (1, 2), row
        assert outcome.error["code"] in codes, row
    assert bob.do("friend", "requests") == []


def test_50_a_note_does_nothing_to_a_terminal(scene: Scene) -> None:
    dora = account.register(scene.tracker.address, "dora", "seven purple owls")
    note = "\x1b[2J\x1b]52;c;AA\x07look\r\nbob 0000 \u202e"
    with Session(dora) as session:
        session.befriend(scene.bob.one("friend", "code")["code"], note)
        assert scene.bob.node is not None
        scene.bob.node.event("friend-request", friend="dora", note=note)
    shown = scene.bob.plain("friend", "requests")
    assert "look" in shown
    assert not any(ord(c) < 32 and c != "\n" for c in shown)
    assert "\u202e" not in shown
    assert len(shown.splitlines()) <= 3
    scene.bob.do("friend", "reject", "dora")


# --- messages


SAID = {
    "59 nothing": ("", "message-empty"),
    "59 spaces": ("  \t ", "message-empty"),
    "59 65,537 letters": ("x" * 65_537, "message-too-long"),
    "59 65,538 bytes in fewer letters": ("é" * 32_769, "message-too-long"),
}


@pytest.mark.parametrize("row", SAID)
def test_59_a_message_that_cannot_be_is_refused_before_it_is_kept(
    scene: Scene, eve: object, row: str
) -> None:
    text, code = SAID[row]
    before = scene.bob.do("history", "eve")
    refused(scene.bob.try_to("say", "eve", text), code)
    refused(scene.bob.try_to("say", "eve", "-", stdin=text.encode()), code)
    assert scene.bob.do("history", "eve") == before


@pytest.fixture(scope="module")
def eve(scene: Scene) -> object:
    return scene.friend("eve")
