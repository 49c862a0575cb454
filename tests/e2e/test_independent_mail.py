"""Mail between the second client and real programs: what is said while the other is away arrives, either way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.actors import PASSWORD
from tests.harness.strangers import Scene
from tests.harness.trackers import TrackerProcess
from tests.independent import account, values
from tests.independent.account import Person, Session
from tests.independent.link import Refused, octets, rows
from tests.independent.msgpack import Value
from tests.independent.postbox import Postbox, leave
from tests.independent.talk import TEXT, Event, Talk
from tests.independent.values import Certificate


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    with TrackerProcess(tmp_path / "tracker") as running:
        yield running


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as scene:
        yield scene


def write(talk: Talk, text: str) -> Event:
    """Write a text and keep it."""
    event = talk.write(TEXT, [text, b""])
    talk.events[event.id] = event
    return event


def as_record(talk: Talk, event: Event) -> tuple[str, list[Value]]:
    return "Events", [talk.conversation, [[event.sealed, event.body]]]


def test_two_of_it_leave_mail_for_each_other(tracker: TrackerProcess) -> None:
    stranger = account.register(tracker.address, "stranger", PASSWORD)
    friend = account.register(tracker.address, "friend", PASSWORD)
    box = Postbox()
    with Session(stranger) as here, Session(friend) as there:
        asked = here.befriend(friend.code)
        assert there.answer() == "stranger"
        assert here.wait_friend(asked) == "friend"
        assert box.publish(there, 2) == 2
    talk = Talk(stranger.device, own_certificate(friend))
    with Session(stranger) as here:
        used = []
        for text in ("one", "two", "three"):
            used += leave(here, "friend", [as_record(talk, write(talk, text))])
        assert used[2] == box.weekly
        assert sorted(used) == [1, 2, 3]
    with Session(friend) as there:
        _, state = there.link.hear("MailboxState")
        assert state == [3, 0, True, 1]
        letters = box.collect(there)
        assert [certificate.device for certificate, _ in letters] == [stranger.device.id] * 3
        reader = Talk(friend.device, letters[0][0])
        for _, records in letters:
            [(name, fields)] = records
            assert (name, fields[0]) == ("Events", talk.conversation)
            reader.take_events(rows(fields, 1))
        assert [text for _, text in reader.texts()] == ["one", "two", "three"]
        assert box.collect(there) == []
        assert list(box.keys) == [box.weekly]
        with pytest.raises(Refused, match="not-friends"):
            there.link.ask("AskPrekeys", "nobody.here")
    with Session(stranger) as here:
        _, state = here.link.hear("MailboxState")
        assert state[3] == 4  # one more than it ever left


def own_certificate(person: Person) -> Certificate:
    own = person.device
    return values.read_certificate(own.certificate, own.device_list, own.identity)


def test_a_real_peer_leaves_mail_for_it_and_takes_what_it_left(scene: Scene) -> None:
    eve = scene.friend("eve")
    box = Postbox()
    with Session(eve) as session:
        box.publish(session, 5)
    said = scene.bob.one("say", "eve", "while you were away", "--wait", "0")
    scene.node.event("receipt", id=said["id"], state="sent")
    assert scene.node.stop() == 0
    talk = Talk(eve.device, scene.certificate)
    with Session(eve) as session:
        for certificate, records in box.collect(session):
            assert certificate == scene.certificate
            talk.take_letter(records)
        assert [text for _, text in talk.texts()] == ["while you were away"]
        assert talk.refused == []
        answer = write(talk, "and now you were")
        leave(session, "bob", [as_record(talk, answer), ("Receipt", [talk.receipt()])])
    node = scene.bob.up()
    node.event("message", text="and now you were", id=answer.id.hex())
    shown = {item["id"]: item["state"] for item in scene.bob.do("history", "eve")}
    assert shown[said["id"]] == "delivered"
    with Session(eve) as session:
        while talk.delivered == 0:
            session.link.hear("MailboxState", where=lambda state: state[0] != 0)
            for _, records in box.collect(session):
                talk.take_letter(records)
    assert talk.delivered == answer.seq


def test_mail_that_lies_is_taken_off_and_nothing_of_it_is_shown(scene: Scene) -> None:
    eve, mallory = scene.friend("eve"), scene.friend("mallory")
    box = Postbox()
    with Session(eve) as session:
        box.publish(session, 5)
    assert scene.node.stop() == 0
    talk = Talk(eve.device, scene.certificate)
    forged = Talk(mallory.device, scene.certificate)
    theirs = write(forged, "this is of another conversation")
    truth = write(talk, "this is true")
    junk = os.urandom(16)
    with Session(eve) as session:
        leave(session, "bob", [as_record(forged, theirs)])
        leave(session, "bob", [("Fetch", [1, bytes(16), bytes(16), [[0, 0, 1]]])])
        leave(session, "bob", [("Events", [talk.conversation, []])])
        session.link.ask("Deposit", "bob", scene.certificate.device, junk, 1, os.urandom(2048))
        leave(session, "bob", [as_record(talk, truth)])
    node = scene.bob.up()
    node.event("message", text="this is true")
    assert node.process.poll() is None
    with Session(eve) as session:
        nacks: list[bytes] = []
        while junk not in nacks:
            session.link.hear("MailboxState", where=lambda state: state[0] != 0)
            for _, records in box.collect(session):
                for name, fields in records:
                    if name == "Nack":
                        key = scene.certificate.signing_key
                        device, sender, item = values.read(octets(fields, 0), "nack", key)
                        assert (device, sender) == (scene.certificate.device, eve.device.id)
                        assert isinstance(item, bytes)
                        nacks.append(item)
    assert scene.bob.texts_from("eve") == ["this is true"]
    assert scene.bob.texts_from("mallory") == []
