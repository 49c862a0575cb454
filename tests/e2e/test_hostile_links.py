"""Who calls and is not who they say: what a well-formed liar gets at the ports of real programs."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
from collections.abc import Iterator

import pytest

from tests.conftest import MakeFolder
from tests.harness.strangers import Scene
from tests.independent import account, values
from tests.independent.account import Person, Session
from tests.independent.link import Ended, Link, Refused, Wire, preamble
from tests.independent.values import Device

THEN = 1_700_000_000_000


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("links")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


def dial(
    scene: Scene, device: Device, purpose: str = "peer", expected: bytes | None = None
) -> Link:
    return Link.dial(
        scene.place,
        purpose,
        expected=scene.certificate.identity if expected is None else expected,
        static=device.link_private,
        remote_static=scene.certificate.link_key,
    )


def end_of_hello(scene: Scene, device: Device, purpose: str = "peer") -> str:
    """Call as a device says it is; gives the code that ends the call."""
    with dial(scene, device, purpose) as link:
        link.say_hello(device)
        return link.until_end().code


# --- the handshake


@pytest.mark.parametrize("purpose", ["peer", "data"])
def test_a_call_that_was_recorded_and_is_sent_again_fails(
    scene: Scene, eve: Person, purpose: str
) -> None:
    with dial(scene, eve.device, purpose) as link:
        link.say_hello(eve.device)
        link.hear_hello(scene.certificate.identity)
        first, third = link.seen
    with socket.create_connection(scene.place) as connection:
        wire = Wire(connection)
        wire.send(preamble(purpose))
        wire.send_frame(first)
        assert len(wire.read_frame(2048)) == 1136
        wire.send_frame(third)
        with pytest.raises(Ended) as caught:
            wire.read_frame(2048)
    assert (caught.value.code, caught.value.text) == ("handshake-failed", "in clear")
    scene.is_well(eve)


def test_who_expects_somebody_else_does_not_get_through(scene: Scene, eve: Person) -> None:
    with pytest.raises(Ended, match="handshake-failed"):
        dial(scene, eve.device, expected=os.urandom(32))
    scene.is_well(eve)


def test_a_ciphertext_of_another_key_gives_another_secret(scene: Scene, eve: Person) -> None:
    """ML-KEM rejects implicitly: what was tampered with shows at the tag of message 3."""
    with socket.create_connection(scene.place) as connection:
        wire = Wire(connection)
        link = dial(scene, eve.device)
        wire.send(preamble("peer"))
        wire.send_frame(link.seen[0])
        wire.read_frame(2048)
        wire.send_frame(os.urandom(64))
        with pytest.raises(Ended) as caught:
            wire.read_frame(2048)
        link.wire.close()
    assert caught.value.code == "handshake-failed"


# --- certificates


def with_list(seed: bytes, device: Device, **other: object) -> Device:
    """Sign a device list for a device that stands on it, but for what is put otherwise."""
    entry = [device.id, hashlib.sha256(device.certificate).digest(), other.get("revoked", 0)]
    body = [device.identity, other.get("counter", 5), THEN, other.get("entries", [entry])]
    signed = values.issue(seed, "device-list", body)  # type: ignore[arg-type]
    return dataclasses.replace(device, device_list=signed)


def certified(seed: bytes, device: Device, link_key: bytes) -> Device:
    """Sign a certificate for a device that names another link key, and list it."""
    body = [device.identity, device.id, link_key, values.verify_key(device.signing_seed)]
    certificate = values.issue(seed, "certificate", [*body, "liar", THEN])
    return with_list(seed, dataclasses.replace(device, certificate=certificate))


@pytest.mark.parametrize("purpose", ["peer", "data"])
def test_a_certificate_has_to_be_of_this_very_device_and_identity(
    scene: Scene, eve: Person, purpose: str
) -> None:
    seed, device = scene.seeds["eve"], eve.device
    own_seed = os.urandom(32)
    foreign = values.make_device(own_seed, link_private=device.link_private)
    lies = {
        "nobody's friend": (foreign, "not-admitted"),
        "another's list": (
            dataclasses.replace(device, device_list=foreign.device_list),
            "identity-mismatch",
        ),
        "a certificate of another link key": (
            certified(seed, device, os.urandom(32)),
            "identity-mismatch",
        ),
        "a certificate that somebody else signed": (
            certified(own_seed, device, device.link_key),
            "signature-invalid",
        ),
        "a list that somebody else signed": (with_list(own_seed, device), "signature-invalid"),
        "a list that does not name the device": (
            with_list(seed, device, entries=[[os.urandom(16), bytes(32), 0]]),
            "identity-mismatch",
        ),
        "a list without devices": (with_list(seed, device, entries=[]), "device-limit"),
        "a list that names another certificate": (
            with_list(seed, device, entries=[[device.id, bytes(32), 0]]),
            "identity-mismatch",
        ),
        "a list that took it off": (
            with_list(
                seed,
                device,
                entries=[
                    [device.id, hashlib.sha256(device.certificate).digest(), THEN],
                    [os.urandom(16), bytes(32), 0],
                ],
            ),
            "device-revoked",
        ),
        "another list of the known counter": (
            with_list(
                seed,
                device,
                counter=1,
                entries=[
                    [device.id, hashlib.sha256(device.certificate).digest(), 0],
                    [os.urandom(16), bytes(32), 0],
                ],
            ),
            "list-rollback",
        ),
        "nonsense": (dataclasses.replace(device, certificate=b"\x92\x01\x02"), "decode"),
    }
    ends = {name: end_of_hello(scene, lie, purpose) for name, (lie, _) in lies.items()}
    assert ends == {name: code for name, (_, code) in lies.items()}
    scene.is_well(eve)


def test_an_older_list_than_is_known_is_a_rollback(scene: Scene) -> None:
    mallory = scene.friend("mallory")
    newer = with_list(scene.seeds["mallory"], mallory.device, counter=7)
    with dial(scene, newer) as link:
        link.say_hello(newer)
        link.hear_hello(scene.certificate.identity)
        link.hear("Digests")
    assert end_of_hello(scene, mallory.device) == "list-rollback"
    scene.is_well(dataclasses.replace(mallory, device=newer))


# --- before and after Hello


def test_nothing_is_heard_before_both_hellos(scene: Scene, eve: Person) -> None:
    for name, fields in (("Digests", ([], True)), ("Ping", (1,)), ("Receipt", (b"x",))):
        with dial(scene, eve.device) as link:
            link.say(name, *fields)
            assert link.until_end().code == "not-now", name
    with dial(scene, eve.device) as link:
        link.say("HelloAnonymous", 0)  # a message of tracker links
        assert link.until_end().code == "unknown-critical"
    with dial(scene, eve.device) as link:
        link.say_hello(eve.device)
        link.hear_hello(scene.certificate.identity)
        link.say_hello(eve.device)
        assert link.until_end().code == "not-now"
    scene.is_well(eve)


# --- at the tracker


def test_a_proof_of_the_password_holds_on_its_own_link_only(scene: Scene, eve: Person) -> None:
    _, key = eve.tracker
    with account.anonymous(eve.address, eve.device.link_private) as link:
        _, said = link.ask("AskKdf", "eve")
        salt = said[1]
        assert isinstance(salt, bytes)
        keys = values.derive("correct horse battery staple", "eve", key, values.Kdf(salt))
        elsewhere = values.sign(keys.auth_seed, "login", b"eve", key, os.urandom(32))
        for_register = values.sign(keys.auth_seed, "register", b"eve", key, link.handshake_hash)
        proof = values.sign(keys.auth_seed, "login", b"eve", key, link.handshake_hash)
        for lie in (elsewhere, for_register):
            with pytest.raises(Refused, match="wrong-password"):
                link.ask("LogIn", "eve", lie)
        assert link.ask("LogIn", "eve", proof)[0] == "LoggedIn"
    with (
        account.anonymous(eve.address, eve.device.link_private) as link,
        pytest.raises(Refused, match="wrong-password"),
    ):
        link.ask("LogIn", "eve", proof)


def test_a_device_is_registered_by_its_own_link_and_identity_only(
    scene: Scene, eve: Person
) -> None:
    _, key = eve.tracker
    seed = os.urandom(32)
    device = values.make_device(seed)

    def register(link: Link, which: Device, signer: bytes) -> None:
        signature = values.sign(signer, "register", b"nobody.yet", key, link.handshake_hash)
        how = (bytes(16), 65_536, 3, 4, bytes(32), b"vault", 1)
        signed = (which.certificate, which.device_list, signature)
        link.ask("Register", "nobody.yet", which.identity, *how, *signed)

    with account.anonymous(eve.address, device.link_private) as link:
        with pytest.raises(Refused, match="identity-mismatch"):
            register(link, eve.device, scene.seeds["eve"])  # another link key than this link's
        with pytest.raises(Refused, match="signature-invalid"):
            register(link, device, os.urandom(32))
        with pytest.raises(Refused, match="no-such-user"):
            link.ask("AskKdf", "nobody.yet")


def test_a_stranger_learns_nothing_of_bob_and_forges_no_request(scene: Scene, eve: Person) -> None:
    stranger = account.register(scene.tracker.address, "stranger", "seven purple owls")
    with Session(stranger) as session:
        with pytest.raises(Refused, match="not-friends"):
            session.link.ask("AskDirectory", "bob")
        forged = dataclasses.replace(stranger, name="eve", device=eve.device)
        own = stranger.device
        with Session(forged) as session_of_eve:
            asked = session_of_eve.request("bob", b"")
        body = values.peek(asked)
        signed = values.issue(own.signing_seed, "friend-request", body)
        for request in (asked, signed):
            with pytest.raises(Refused):
                session.link.ask("AskFriend", "bob", request)
    assert not [
        item
        for item in scene.seen
        if item["event"] == "friend-request" and item["friend"] == "stranger"
    ]
    scene.is_well(eve)


def test_words_between_devices_are_none_for_a_tracker(scene: Scene, eve: Person) -> None:
    for name, fields in (
        ("Digests", ([], True)),
        ("Fetch", (1, bytes(16), bytes(16), [[0, 0, 1]])),
    ):
        with Session(eve) as session:
            session.link.say(name, *fields)
            assert session.link.until_end().code == "unknown-critical", name
    scene.is_well(eve)


# --- who knows our own list better


def test_a_friend_who_knows_a_newer_list_of_ours_is_an_alarm_until_they_say_otherwise(
    scene: Scene,
) -> None:
    """It may be a lie of the friend's, or one of the tracker's: a person is told, and nothing else happens."""
    carol = scene.friend("carol")

    def call(known_counter: int) -> None:
        with dial(scene, carol.device) as link:
            link.say_hello(carol.device, known_counter)
            link.hear_hello(scene.certificate.identity)
            link.end()

    call(9)
    told = scene.node.event("notice", code="list-outdated")
    assert told["message"].startswith("carol saw a newer list of your devices than number 1")
    call(9)
    assert [alarm["code"] for alarm in scene.bob.one("status")["alarms"]] == ["list-outdated"]
    call(1)
    scene.is_well(carol)
    assert scene.bob.one("status")["alarms"] == []
    assert len([item for item in scene.seen if item.get("code") == "list-outdated"]) == 1


def test_a_friend_who_refuses_our_list_as_an_old_one_is_an_alarm_too(scene: Scene) -> None:
    dave = scene.friend("dave")
    with Session(dave) as session, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(90)
        session.publish([listener.getsockname()], 1)
        own = (dave.device.identity, dave.device.link_private)
        with Link.accept(listener.accept()[0], own=own[0], static=own[1]) as link:
            assert link.caller() == scene.certificate.identity
            link.end("list-rollback")
    told = scene.node.event("notice", code="list-outdated")
    assert told["message"].startswith("dave saw")
    scene.is_well(dave)  # whose Hello says that it knows of none
