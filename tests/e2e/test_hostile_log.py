"""A friend whose log lies: each lie is refused by name, nothing of it is shown, and talk goes on."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.conftest import MakeFolder
from tests.harness.strangers import Scene
from tests.independent import values
from tests.independent.account import Person
from tests.independent.link import Message, octets, rows
from tests.independent.msgpack import Value, pack
from tests.independent.talk import ANSWER, DONE, EDIT, TEXT, Event, Talk, sign_receipt
from tests.independent.values import value_id

LIE = "this was never said"


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("log")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


def lies_of(talk: Talk) -> dict[str, tuple[Event, str]]:
    """Everything that an event can lie about, with what it is refused as."""
    said: list[Value] = [LIE, b""]

    def written(kind: int = TEXT, content: Sequence[Value] = said, **other: Value) -> Event:
        return talk.write(kind, content, **other)

    true = written()
    far = 2**20 + 1000
    bob = talk.friend.device
    return {
        "another device's signature": (
            talk.sign(talk.header(TEXT), said, os.urandom(32)),
            "signature-invalid",
        ),
        "Bob's words, by us": (written(device=bob, epoch=os.urandom(8)), "signature-invalid"),
        "a signature for another purpose": (
            Event(
                values.issue(talk.own.signing_seed, "receipt", true.header), true.body, true.header
            ),
            "signature-invalid",
        ),
        "another conversation": (written(conversation=os.urandom(32)), "event-invalid"),
        "a former event at the first place": (written(prev=os.urandom(32)), "event-invalid"),
        "no former event at the second": (written(seq=2, prev=b""), "event-invalid"),
        "a parent twice": (written(parents=[bytes(32), bytes(32)]), "parents-limit"),
        "seventeen parents": (
            written(parents=[os.urandom(32) for _ in range(17)]),
            "event-invalid",
        ),
        "a clock too far ahead": (written(clock=far), "clock-invalid"),
        "a clock that stands still": (written(clock=0), "event-invalid"),
        "a place below the first": (written(seq=0), "event-invalid"),
        "another body": (
            Event(true.sealed, os.urandom(len(true.body)), true.header),
            "event-invalid",
        ),
        "no content": (written(content=[]), "event-invalid"),
        "no text": (written(content=["  ", b""]), "event-invalid"),
        "a text too long": (written(content=["x" * 65_537, b""]), "event-invalid"),
        "a number for text": (written(content=[5, b""]), "event-invalid"),
        "content that is cut short": (
            Event(*broken(talk, b"\x92\xa5abc")),
            "event-invalid",
        ),
    }


def broken(talk: Talk, raw: bytes) -> tuple[bytes, bytes, list[Value]]:
    """Sign an event whose content is no MessagePack."""
    body = os.urandom(16) + raw
    header = [*talk.header(TEXT), hashlib.sha256(body).digest(), len(body)]
    return values.issue(talk.own.signing_seed, "event", header), body, header


def test_an_event_that_lies_is_refused_alone(scene: Scene, eve: Person) -> None:
    with scene.talking(eve) as (talk, link):
        lies = lies_of(talk)
        truth = talk.write(TEXT, ["this was said", b""])
        talk.events[truth.id] = truth
        talk.send(link, *(event for event, _ in lies.values()), truth)
        talk.until(link, lambda: talk.delivered == 1)
    found = {name: scene.why_refused(event.sealed) for name, (event, _) in lies.items()}
    assert found == {name: code for name, (_, code) in lies.items()}
    denied = re.findall(rf"denied {eve.device.id.hex()[:8]}: event: ([a-z-]+)", scene.node.log)
    assert Counter(denied) == Counter(found.values())
    assert [item["text"] for item in scene.bob.do("history", "eve")][-1] == "this was said"
    assert LIE not in scene.bob.texts_from("eve")
    scene.is_well(eve)
    assert LIE not in [item.get("text") for item in scene.seen]
    assert any(item.get("code") == "event-invalid" for item in scene.seen)


def test_an_event_whose_clock_is_not_after_its_parent_is_refused(scene: Scene, eve: Person) -> None:
    with scene.talking(eve) as (talk, link):
        first = talk.say(link, TEXT, ["first", b""])
        late = talk.write(TEXT, [LIE, b""], clock=first.header[6])
        talk.send(link, late)
        second = talk.say(link, TEXT, ["second", b""])
        talk.until(link, lambda: talk.delivered == 2)
        assert second.seq == 2
    assert scene.why_refused(late.sealed) == "clock-invalid"
    scene.is_well(eve)


def test_nobody_edits_what_another_said(scene: Scene, eve: Person) -> None:
    mine = scene.bob.one("say", "eve", "mine, and it stays so")
    with scene.talking(eve) as (talk, link):
        talk.until(link, lambda: "mine, and it stays so" in [text for _, text in talk.texts()])
        talk.say(link, EDIT, [bytes.fromhex(mine["id"]), LIE])
        talk.until(link, lambda: talk.delivered == 1)
    shown = {item["id"]: item["text"] for item in scene.bob.do("history", "eve")}
    assert shown[mine["id"]] == "mine, and it stays so"
    scene.is_well(eve)


def test_two_stories_in_one_place_are_both_kept_and_marked(scene: Scene) -> None:
    mallory = scene.friend("mallory")
    with scene.talking(mallory) as (talk, link):
        one = talk.write(TEXT, ["to you I say yes", b""])
        other = talk.write(TEXT, ["to you I say no", b""])
        assert (one.seq, other.seq) == (1, 1)
        talk.send(link, one)
        link.hear("Receipt")
        talk.send(link, other)
        _, (conversation, *proof) = link.hear("Fork")
        assert conversation == talk.conversation
        assert proof == [one.sealed, other.sealed]
    assert scene.why_refused(other.sealed) is None
    shown = scene.bob.do("read", "mallory")
    assert [item["kind"] for item in shown].count("notice") == 1
    scene.is_well(mallory)  # a chain of its own is believed again: the fork stays where it was
    told = [item for item in scene.seen if item.get("code") == "forked"]
    assert [item["friend"] for item in told] == ["mallory"]


def test_a_receipt_makes_nothing_delivered_that_was_not_said(scene: Scene, eve: Person) -> None:
    before = scene.bob.one("say", "eve", "who signs for this?", "--wait", "0")["id"]
    with scene.talking(eve) as (talk, link):
        talk.take(link, link.hear("Digests"))
        talk.take(link, link.hear("Vector"))
        _, (_, came) = link.hear("Events")
        assert isinstance(came, list)
        ours = [row for row in came if isinstance(row, list)]
        last = values.peek(ours[-1][0])
        device, epoch, high = last[1:4]
        assert device == talk.friend.device
        assert isinstance(high, int)
        me, where = talk.own, talk.conversation
        beyond = sign_receipt(me, where, [[device, epoch, high + 50]], 101)
        of_another = values.issue(
            os.urandom(32), "receipt", [where, me.id, [[device, epoch, high]], None, 102, 1]
        )
        of_bob = values.issue(
            me.signing_seed, "receipt", [where, device, [[device, epoch, high]], None, 103, 1]
        )
        elsewhere = sign_receipt(me, os.urandom(32), [[device, epoch, high]], 104)
        no_run = sign_receipt(me, where, [[device, os.urandom(8), high]], 105)
        for lie in (
            beyond,
            of_another,
            of_bob,
            elsewhere,
            no_run,
            pack([b"x", bytes(64)]),
            b"\xc1",
        ):
            link.say("Receipt", lie)
        talk.say(link, TEXT, ["after them", b""])
        talk.until(link, lambda: talk.delivered == 1)
        states = {item["id"]: item["state"] for item in scene.bob.do("history", "eve")}
        assert states[before] == "queued"
        true = sign_receipt(me, where, [[device, epoch, high]], 200)
        link.say("Receipt", true)
        scene.node.event("receipt", id=before, state="delivered")
    scene.is_well(eve)


def test_an_answer_to_an_offer_that_there_is_not_changes_nothing(scene: Scene, eve: Person) -> None:
    with scene.talking(eve) as (talk, link):
        talk.say(link, ANSWER, [os.urandom(16), DONE])
        talk.say(link, 200, [LIE])  # a kind that nobody knows yet: kept, and not shown
        talk.until(link, lambda: talk.delivered == 2)
    assert scene.bob.do("offers") == []
    assert scene.bob.do("transfers") == []
    assert LIE not in scene.bob.texts_from("eve")
    scene.is_well(eve)


def test_what_a_control_link_does_not_carry_ends_it_by_name(scene: Scene, eve: Person) -> None:
    lies = {
        "unknown-critical": ("Fetch", (1, bytes(16), bytes(16), [[0, 0, 1]])),
        "length-range": ("Events", (bytes(32), [])),
        "type-mismatch": ("Digests", ([], 1)),
        "field-missing": ("Vector", (bytes(32), [])),
        "number-range": ("Unavailable", (bytes(32), bytes(16), bytes(8), 0, 1)),
    }
    for code, (name, fields) in lies.items():
        with scene.talking(eve) as (_, link):
            link.say(name, *fields)
            assert link.until_end().code == code, name
    scene.is_well(eve)


def sealed_in(heard: list[Message]) -> list[list[Value]]:
    """Give every event that came: rows of header and body."""
    return [row for name, fields in heard if name == "Events" for row in rows(fields, 1)]


def test_what_is_said_with_another_is_neither_given_out_nor_written_to(
    scene: Scene, eve: Person
) -> None:
    carol = scene.friend("carol")
    with scene.talking(carol) as (talk, link):
        secret = talk.say(link, TEXT, ["between us", b""])
        talk.until(link, lambda: talk.delivered == 1)
        theirs = talk.conversation
    answer = scene.bob.one("say", "carol", "and it stays so", "--wait", "0")["id"]
    ids = [secret.id, bytes.fromhex(answer)]
    with scene.talking(eve) as (talk, link):
        for conversation in (theirs, talk.conversation):
            link.say("AskEvents", conversation, ids)
        link.say("Vector", theirs, [], True)
        link.say("Digests", [[theirs, bytes(16)]], True)
        forged = talk.write(TEXT, [LIE, b""], conversation=theirs)
        link.say("Events", theirs, [[forged.sealed, forged.body]])
        link.say("Receipt", sign_receipt(talk.own, theirs, [], 300))
        talk.say(link, TEXT, ["heard?", b""])
        talk.until(link, lambda: talk.delivered == 1)
        told = [octets(fields, 0) for name, fields in link.heard if name in {"Vector", "Events"}]
        assert theirs not in told
        came = {value_id(octets(row, 0)) for row in sealed_in(link.heard)}
        assert came.isdisjoint(ids)
    assert scene.bob.texts_from("carol") == ["between us"]
    assert scene.why_refused(forged.sealed) is None  # nobody even looked at it
    scene.is_well(eve)
    scene.is_well(carol)
