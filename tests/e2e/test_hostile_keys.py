"""Keys of friends that are not theirs: other identities, broken prekeys, mail that nobody can open."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.e2e.test_hostile_tracker import answer_of, answering, friend_code
from tests.harness.actors import Node, Peer
from tests.harness.liars import Answer, LyingTracker
from tests.harness.memory import bounded
from tests.harness.strangers import Scene
from tests.independent import mail, values
from tests.independent.account import Session
from tests.independent.link import octets, rows
from tests.independent.msgpack import Value
from tests.independent.postbox import Postbox, leave
from tests.independent.values import Device

SECRET = "for bob's eyes only"


@pytest.fixture
def liar() -> Iterator[LyingTracker]:
    with LyingTracker() as tracker:
        yield tracker


@pytest.fixture
def devices() -> list[Device]:
    """Bob's machines; the list of the last one names them all."""
    seed, made, listed = os.urandom(32), list[Device](), b""
    for _ in range(len(BROKEN) + 1):
        made.append(values.make_device(seed, listed=listed))
        listed = made[-1].device_list
    return made


@pytest.fixture
def alice(liar: LyingTracker, make_peer: MakePeer, devices: list[Device]) -> Peer:
    """Alice, up, whose friend Bob is away; all that she knows of him came by this tracker, signed."""
    bob, alice = devices[-1], make_peer("alice")
    alice.register(liar.address, "--unsealed")
    node = alice.up()
    node.event("notice", code="tracker-online")

    def said_yes(fields: list[Value]) -> list[Answer]:
        answer = answer_of(bob, octets(fields, 2), liar.identity)
        return [("Done", [fields[0]]), ("FriendAnswered", ["bob", True, answer, 0])]

    liar.lies["AskUser"] = answering("User", "bob", bob.identity)
    liar.lies["AskFriend"] = said_yes
    liar.lies["AskDirectory"] = answering(
        "Directory",
        *("bob", bob.identity, bob.device_list),
        [[device.certificate, b"", False] for device in devices],
    )
    alice.do("friend", "add", friend_code(liar, "bob", bob.identity))
    node.event("friend", friend="bob", state="friends")
    return alice


# --- another identity


def test_57_another_identity_that_the_old_one_did_not_sign_is_a_key_change(
    liar: LyingTracker, alice: Peer
) -> None:
    """No statement passes a name on to another key: whatever shows one, it is loud, and nothing is sent."""
    mallory = values.make_device(os.urandom(32))
    key = mail.new_key(1)
    prekey = mail.prekey(mallory, key, is_one_time=False, created=values.now_ms())
    theirs: list[Value] = ["bob", mallory.identity, mallory.device_list]
    liar.lies["AskPrekeys"] = answering("Prekeys", *theirs, [[mallory.certificate, prekey]])
    liar.lies["AskDirectory"] = answering("Directory", *theirs, [[mallory.certificate, b"", True]])
    liar.lies["SetPresence"] = lambda fields: [
        ("Done", [fields[0]]),
        ("DevicesChanged", ["bob", mallory.device_list]),
        ("FriendAdded", [["bob", mallory.identity, 1, "", 0]]),
    ]
    with bounded(alice.node.process.pid):
        alice.do("presence", "busy")
        told = alice.node.event("notice", code="key-changed", friend="bob")
        assert alice.one("say", "bob", SECRET, "--wait", "0")["state"] == "queued"
        assert alice.one("say", "bob", "and this", "--wait", "1")["state"] == "queued"
    assert mallory.identity.hex().startswith(told["fingerprint"].replace(" ", "")[:8])
    assert liar.asked("Deposit") == []
    alarms = alice.one("status")["alarms"]
    assert [alarm["code"] for alarm in alarms] == ["key-changed"]
    assert denied(alice.node, "a device list") == ["identity-mismatch"]
    [friend] = alice.do("friend", "list")
    assert friend["friend"] == "bob"


def denied(node: Node, what: str) -> list[str]:
    """Give the codes of the lines about what the tracker said."""
    return re.findall(rf"denied the tracker: {what}: ([a-z-]+)", node.log)


# --- prekeys


def swapped(device: Device) -> bytes:
    """Sign a prekey whose halves stand in each other's place: an ML-KEM key where an X25519 one belongs."""
    public = mail.new_key(1).public
    body: list[Value] = [device.id, 1, False, values.now_ms(), public[1184:] + public[:1184]]
    return values.issue(device.signing_seed, "prekey", body)


def of_another_size(device: Device) -> bytes:
    public = mail.new_key(1).public
    body: list[Value] = [device.id, 1, False, values.now_ms(), public[:-1]]
    return values.issue(device.signing_seed, "prekey", body)


def for_another_purpose(device: Device) -> bytes:
    body: list[Value] = [device.id, 1, False, values.now_ms(), mail.new_key(1).public]
    return values.issue(device.signing_seed, "nack", body)


def of_another_device(device: Device) -> bytes:
    body: list[Value] = [os.urandom(16), 1, False, values.now_ms(), mail.new_key(1).public]
    return values.issue(device.signing_seed, "prekey", body)


def by_somebody_else(device: Device) -> bytes:
    body: list[Value] = [device.id, 1, False, values.now_ms(), mail.new_key(1).public]
    return values.issue(os.urandom(32), "prekey", body)


def no_value(device: Device) -> bytes:
    return b"\xc1" + device.id


BROKEN = {
    "somebody else signed it": by_somebody_else,
    "signed for another purpose": for_another_purpose,
    "of another device": of_another_device,
    "too short": of_another_size,
    "no signed value": no_value,
    "the halves stand in each other's place": swapped,
}


def test_58_a_broken_prekey_is_named_and_nothing_is_sealed_to_it(
    liar: LyingTracker, alice: Peer, devices: list[Device]
) -> None:
    """One of Bob's machines has a prekey that verifies: it gets the message, the others nothing."""
    *broken, honest = devices
    signed = [make(device) for make, device in zip(BROKEN.values(), broken, strict=True)]
    key = mail.new_key(1)
    signed.append(mail.prekey(honest, key, is_one_time=False, created=values.now_ms()))
    listed = [[device.certificate, one] for device, one in zip(devices, signed, strict=True)]
    liar.lies["AskPrekeys"] = answering(
        "Prekeys", "bob", honest.identity, honest.device_list, listed
    )
    with bounded(alice.node.process.pid):
        said = alice.one("say", "bob", SECRET, "--wait", "0")
        alice.node.event("receipt", id=said["id"], state="sent")
        liar.wait("AskPrekeys", 2)  # for the machines that nobody had named before the first
        assert alice.one("whoami")["account"] == "alice"
    assert len(denied(alice.node, "a prekey of bob")) >= len(BROKEN) - 1
    assert set(denied(alice.node, "a prekey of bob")) == {"prekey-invalid"}
    assert alice.node.stop() == 0
    assert {deposit[2] for deposit in liar.asked("Deposit")} == {honest.id}


# --- mail


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as scene:
        yield scene


def test_67_mail_that_does_not_open_is_sealed_again_once_and_then_has_failed(scene: Scene) -> None:
    eve = scene.friend("eve")
    box = Postbox()
    with Session(eve) as session:
        box.publish(session, 5)
        said = scene.bob.one("say", "eve", SECRET, "--wait", "0")
        items = []
        for _ in range(2):
            items.append(unopened(session, box))
            body: list[Value] = [eve.device.id, scene.certificate.device, items[-1]]
            nack = values.issue(eve.device.signing_seed, "nack", body)
            leave(session, "bob", [("Nack", [nack])])
        scene.node.event("receipt", id=said["id"], state="failed")
        assert len(set(items)) == 2
        leave(session, "bob", [("Nack", [nack])])  # again, of what is no more: nothing comes of it
    [shown] = [item for item in scene.bob.do("history", "eve") if item["id"] == said["id"]]
    assert shown["state"] == "failed"


def unopened(session: Session, box: Postbox) -> bytes:
    """Take the next item that carries words, as if its key were gone; gives its id.

    Where Bob can be dialled may come before it, in an item of its own.
    """
    while True:
        while not (items := rows(session.link.ask("AskMail", 0)[1], 1)):
            session.link.hear("MailboxState", where=lambda state: state[0] != 0)
        [item] = items
        session.link.ask("TakeMail", [item[0]])
        _, records = box.opened(session, item)
        if any(name == "Events" for name, _ in records):
            return octets(item, 3)


def test_67_mail_whose_prekey_is_gone_is_deleted_and_answered_by_a_nack(scene: Scene) -> None:
    eve = scene.friend("eve")
    box = Postbox()
    item = os.urandom(16)
    with Session(eve) as session:
        box.publish(session, 5)
        gone = 2**40  # the number of a prekey that Bob's machine never made
        session.link.ask("Deposit", "bob", scene.certificate.device, item, gone, os.urandom(2048))
        nacks: list[bytes] = []
        while item not in nacks:
            session.link.hear("MailboxState", where=lambda state: state[0] != 0)
            for _, records in box.collect(session):
                signed = [octets(fields, 0) for name, fields in records if name == "Nack"]
                key = scene.certificate.signing_key
                nacks += [octets(values.read(one, "nack", key), 2) for one in signed]
    assert nacks == [item]
    line = f"denied {eve.device.id.hex()[:8]}: mail: mail-invalid"
    assert scene.node.log.count(line) == 1
    scene.is_well(eve)
