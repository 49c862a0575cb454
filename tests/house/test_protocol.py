"""The specification has everything that the code has: purposes, requests, kinds, fields, and tests that exist."""

from __future__ import annotations

import re
import sys

import pytest

from peer.log.forks import CLAIMED_EPOCHS
from tests.house.tree import ROOT
from wire import limits
from wire.dialogue import REQUESTS
from wire.frames import REFUSALS
from wire.identity import SignPurpose
from wire.identity.naming import SAFETY_ROUNDS
from wire.log.event import EventKind
from wire.log.marks import is_mark
from wire.messages import NUMBER_OF
from wire.messages.registry import Purpose

TEXT = (ROOT / "wire" / "PROTOCOL.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one as high."""
    marks, _, _ = title.partition(" ")
    start = TEXT.index(f"\n{title}\n")
    end = re.search(rf"^#{{1,{len(marks)}}} ", TEXT[start + len(title) + 2 :], re.MULTILINE)
    return TEXT[start:] if end is None else TEXT[start : start + len(title) + 2 + end.start()]


def test_every_purpose_of_a_signature_is_specified() -> None:
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", section("## 3. Signed values"), re.MULTILINE))
    assert {purpose.value.decode() for purpose in SignPurpose} <= listed


def test_every_request_says_what_it_is_refused_with() -> None:
    table = section("### Requests to a tracker")
    named = set(re.findall(r"`([A-Za-z]+)`(?=[^|]*\| )", table))
    assert {request.__name__ for request in REQUESTS} - named == set()


def test_every_kind_of_event_and_of_link_and_every_clear_refusal_is_specified() -> None:
    events = section("### Events")
    assert [
        kind for kind in EventKind if f"\n| {kind.value} {kind.name.lower()} |" not in events
    ] == []
    links = section("## 1. Links")
    assert [one for one in Purpose if f"`{one.name.lower()}` ({one.value}" not in links] == []
    assert [r for r, code in REFUSALS.items() if f"{r} {code.value}" not in links] == []


@pytest.mark.parametrize("cls", NUMBER_OF, ids=lambda cls: cls.__name__)
def test_every_message_says_what_it_is_and_what_each_field_means(cls: type) -> None:
    said = section(f"#### {cls.__name__}")
    assert " · " in said, "who sends it"
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.*?) \|$", said, re.MULTILINE)
    assert [name for name, _, meaning in rows if not meaning] == [], (
        "a comment beside the field in wire/messages, or scripts/message_fields.py"
    )


def test_every_test_that_shows_an_attack_is_there() -> None:
    attacks = section("## 8. Attacks")
    named = set(re.findall(r"`(tests/[a-z0-9_/]+\.py)`", attacks))
    assert len(named) > 20
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    rows = [line for line in attacks.splitlines() if line.startswith("| ")][2:]
    assert [row for row in rows if "`tests/" not in row] == []


def test_every_file_of_vectors_is_named() -> None:
    files = {file.name for file in (ROOT / "tests" / "vectors").glob("*.json")}
    assert files == set(re.findall(r"`([a-z_]+\.json)`", TEXT))


PROSE = " ".join(TEXT.split())
SAID = {
    "handshake frames": f"| handshake | {limits.PRE_OPEN_FRAME_BYTES:,} |",
    "until Hello": f"| until Hello | {limits.HELLO_BYTES:,} + {limits.TAG_BYTES} |",
    "control records": f"| {limits.CONTROL_RECORD_BYTES:,} + {limits.TAG_BYTES} |",
    "data records": f"| {limits.DATA_RECORD_BYTES:,} + {limits.TAG_BYTES} |",
    "rekey": f"reach 2^{limits.REKEY_AFTER_RECORDS.bit_length() - 1}, or their plaintext"
    f" 2^{limits.REKEY_AFTER_BYTES.bit_length() - 1} bytes",
    "open timeout": f"not open {limits.OPEN_TIMEOUT_S:.0f} s after it began",
    "anonymous timeout": f"after {limits.ANONYMOUS_TIMEOUT_S:.0f} s in all",
    "heartbeat": f"sent nothing for {limits.HEARTBEAT_S:.0f} s",
    "silence": f"received nothing for {limits.DEAD_AFTER_S:.0f} s",
    "pings": f"More than {limits.PINGS_PER_S} pings in a second",
    "lifetime": f"lived {limits.LINK_LIFETIME_S / 3600:.0f} h or carried"
    f" {limits.LINK_LIFETIME_BYTES >> 40} TiB",
    "requests": f"At most {limits.OPEN_REQUESTS} may be open",
    "devices": f"an *account* has one *identity* and 1 to {limits.DEVICES} devices",
    "listed": f"at most {limits.LISTED_DEVICES}; when it is full",
    "kdf": f"m = {limits.KDF_MEMORY_KIB // 1024} MiB, t = {limits.KDF_PASSES}, p = {limits.KDF_LANES}",
    "password": f"at most {limits.PASSWORD_BYTES:,} bytes",
    "request lifetime": f"keeps it for {limits.FRIEND_REQUEST_LIFETIME_S / 86400:.0f} days",
    "addresses": f"at most {limits.ADDRESSES} places",
    "dials": f"at most {limits.DIALS_PER_S} dials a second",
    "parents": f"at most {limits.PARENTS}, highest (clock, device) first",
    "text": f"text (1 byte to {limits.MESSAGE_BYTES // 1024} KiB of UTF-8",
    "clock": f"more than 2^{limits.CLOCK_AHEAD.bit_length() - 1} above",
    "gap": f"held for {limits.GAP_SHOWN_AFTER_S:.0f} s",
    "forks": f"At most {limits.FORK_EVENTS:,} events of that part",
    "epochs": f"at most {limits.EPOCHS} epochs",
    "claims": f"after {CLAIMED_EPOCHS} mere claims",
    "files": f"integer 0 to {limits.FILES_PER_OFFER:,} | how many",
    "top names": f"at most {limits.TOP_NAMES} of text, at most {limits.NAME_BYTES} characters",
    "recipients": f"at most {limits.OFFER_RECIPIENTS} of identities",
    "paths": f"at most {limits.PATH_BYTES:,} bytes and {limits.PATH_DEPTH} components",
    "window": f"at most {limits.WINDOW_BYTES >> 20} MiB are asked for",
    "fetches": f"at most {limits.OPEN_FETCHES} requests open",
    "digests": f"{limits.SIGN_EVERY_BYTES >> 20} MiB or {limits.SIGNED_DIGESTS:,} digests",
    "strays": "a hundred such end the link",
    "safety": f"{SAFETY_ROUNDS:,} times d = SHA-256(d | identity)",
    "letters": "2, 4, 8, 16, 32, 64 or 96 KiB",
}


@pytest.mark.parametrize("what", SAID)
def test_the_prose_has_the_figures_of_the_code(what: str) -> None:
    assert SAID[what] in PROSE
    assert limits.STRAY_CHUNKS == 100
    assert limits.MAIL_ITEM_BYTES == 96 * 1024


def test_what_a_mark_is_says_the_text_for_every_character() -> None:
    rule = re.search(r"^sign   one of (.+?)^```", section("### Events"), re.MULTILINE | re.DOTALL)
    assert rule is not None
    signs: set[int] = set()
    for first, last in re.findall(r"U\+([0-9A-F]+)(?:-U\+([0-9A-F]+))?", rule[1]):
        signs |= set(range(int(first, 16), int(last or first, 16) + 1))
    assert {code for code in range(sys.maxunicode + 1) if is_mark(chr(code))} == signs


def test_nothing_has_to_be_looked_up_in_the_code() -> None:
    rules = TEXT[: TEXT.index("\n## 8. Attacks\n")]
    named = re.findall(r"`(?:wire|peer|tracker)[./][\w./]+`", rules)
    assert named == []
