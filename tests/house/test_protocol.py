"""The specification has everything that the code has: purposes, requests, kinds, fields, and tests that exist."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import ROOT
from wire.dialogue import REQUESTS
from wire.frames import REFUSALS
from wire.identity import SignPurpose
from wire.log.event import EventKind
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
