"""A client written from wire/PROTOCOL.md alone, against our real programs: what works between strangers."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, Node, Peer
from tests.harness.strangers import listens_at
from tests.harness.trackers import TrackerProcess
from tests.independent import account, link, values
from tests.independent.account import Person, Session
from tests.independent.files import (
    MIB,
    Fetcher,
    Offer,
    Server,
    chunks_of,
    digest,
    manifest_of,
    offer_of,
)
from tests.independent.link import Link, Place, Refused
from tests.independent.talk import (
    ACCEPTED,
    ANSWER,
    DONE,
    OFFER,
    REACTION,
    TEXT,
    Talk,
    link_from,
    link_to,
)
from tests.independent.values import Certificate


@pytest.fixture
def bob(tracker: TrackerProcess, make_peer: MakePeer) -> Peer:
    """A real peer that is up."""
    bob = make_peer("bob")
    bob.register(tracker.address)
    bob.up()
    return bob


@pytest.fixture
def stranger(tracker: TrackerProcess) -> Person:
    """An account that the other client made."""
    return account.register(tracker.address, "stranger", PASSWORD)


def node_of(peer: Peer) -> Node:
    return peer.node


def meet(session: Session, stranger: Person, bob: Peer) -> tuple[Certificate, Place]:
    """Become friends by code, and give the certificate of Bob's device and where it listens."""
    asked = session.befriend(bob.one("friend", "code")["code"], "hello")
    node_of(bob).event("friend-request", friend="stranger")
    bob.do("friend", "accept", "stranger")
    assert session.wait_friend(asked) == "bob"
    node_of(bob).event("presence", friend="stranger", presence="available")
    ((certificate, _),) = session.where("bob")
    return certificate, listens_at(node_of(bob))


def test_it_registers_talks_both_ways_and_fetches_a_file(
    tracker: TrackerProcess, bob: Peer, stranger: Person, tmp_path: Path
) -> None:
    (host, port), key = stranger.tracker
    assert link.ask_key((host, port)) == key
    with Session(stranger) as session:
        certificate, place = meet(session, stranger, bob)
        name, own_place, tracker_key, identity = values.read_friend_code(
            bob.one("friend", "code")["code"]
        )
        assert (name, own_place, tracker_key) == ("bob", f"hobnob://{host}:{port}/", key)
        assert identity == certificate.identity
        shown = bob.one("friend", "list")
        assert (shown["friend"], shown["presence"]) == ("stranger", "available")
        talk = Talk(stranger.device, certificate)
        with link_to(stranger.device, certificate, place, "peer") as control:
            talk.begin(control)
            said = talk.say(control, TEXT, ["good morning", b""])
            talk.until(control, lambda: talk.delivered == 1)
            heard = node_of(bob).event("message", text="good morning")
            assert (heard["id"], heard["from"]) == (said.id.hex(), "stranger")
            answer = bob.one("say", "stranger", "and to you", "--reply", heard["id"])
            talk.until(control, lambda: len(talk.texts()) == 2)
            assert talk.texts()[1] == (certificate.device, "and to you")
            assert talk.of_kind(TEXT)[1].content == ["and to you", said.id, ""]
            node_of(bob).event("receipt", id=answer["id"], state="delivered")
            talk.say(control, REACTION, [bytes.fromhex(answer["id"]), "\N{THUMBS UP SIGN}"])
            talk.until(control, lambda: talk.delivered == 2)
            changed = node_of(bob).event("change", id=answer["id"], change="reaction")
            assert changed["reactions"] == [{"mark": "\N{THUMBS UP SIGN}", "from": ["stranger"]}]
            fetch_what_bob_offers(bob, stranger, talk, control, certificate, place, tmp_path)
            control.end()
        assert bob.texts_from("stranger") == ["good morning"]
        assert talk.refused == []


def fetch_what_bob_offers(
    bob: Peer,
    stranger: Person,
    talk: Talk,
    control: Link,
    certificate: Certificate,
    place: Place,
    tmp_path: Path,
) -> None:
    """A large file, small ones, an empty one and one of zeros, from a folder."""
    top = tmp_path / "things"
    contents = {
        "things/large.bin": os.urandom(5 * MIB + 321),
        "things/small one.txt": b"small",
        "things/small two.txt": os.urandom(1000),
        "things/empty": b"",
        "things/below/zeros": bytes(3 * MIB),
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    made = bob.one("send", "stranger", str(top))
    talk.until(control, lambda: talk.of_kind(OFFER))
    offer = Offer.of(talk.of_kind(OFFER)[0].content)
    assert (offer.id.hex(), offer.files, offer.names) == (made["offer"], 5, ["things"])
    talk.say(control, ANSWER, [offer.id, ACCEPTED])
    with link_to(stranger.device, certificate, place, "data") as data:
        fetcher = Fetcher(data, certificate, offer)
        assert fetcher.files() == contents
    talk.say(control, ANSWER, [offer.id, DONE])
    assert node_of(bob).event("transfer", offer=made["offer"], state="done")["files_done"] == 5


def test_an_account_made_by_one_opens_by_its_password_in_the_other(
    tracker: TrackerProcess, bob: Peer, stranger: Person, make_peer: MakePeer
) -> None:
    second = make_peer("laptop")
    made = second.one("login", "stranger", "--tracker", tracker.address)
    assert made["fingerprint"] == stranger.device.identity.hex()
    again = account.log_in(tracker.address, "bob", PASSWORD)
    assert again.device.identity.hex() == bob.one("whoami")["fingerprint"]
    with Session(again) as session:
        assert session.entered[1] == "bob"
    assert [len(peer.one("whoami")["devices"]) for peer in (bob, second)] == [2, 2]


def test_a_wrong_password_opens_nothing(tracker: TrackerProcess, bob: Peer) -> None:
    with pytest.raises(Refused, match="wrong-password"):
        account.log_in(tracker.address, "bob", "not this one at all")
    with pytest.raises(InvalidTag):
        values.open_vault(bytes(32), "bob", os.urandom(200))


def test_a_request_of_a_real_peer_is_answered_by_the_other_client(
    tracker: TrackerProcess, bob: Peer, stranger: Person
) -> None:
    asked = bob.one("friend", "add", stranger.code)
    assert asked == {"friend": "stranger", "state": "asked"}
    with Session(stranger) as session:
        assert session.answer() == "bob"
        assert node_of(bob).event("friend", friend="stranger", state="friends")
        node_of(bob).event("presence", friend="stranger", presence="available")
        session.publish([("127.0.0.1", 9)], 1)
        number = bob.one("friend", "list")
        assert number["presence"] == "available"


def test_a_real_peer_dials_it_talks_and_fetches_a_file_from_it(
    tracker: TrackerProcess, bob: Peer, stranger: Person, tmp_path: Path
) -> None:
    own = stranger.device
    files = {
        "gift/large.bin": os.urandom(2 * MIB + 5),
        "gift/small.txt": b"small",
        "gift/empty": b"",
    }
    manifest = manifest_of(files, ["gift"])
    offer = offer_of(os.urandom(16), "gift", manifest)
    with Session(stranger) as session, socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(90)
        certificate, _ = meet(session, stranger, bob)
        session.publish([listener.getsockname()], 1)
        talk = Talk(own, certificate)
        with link_from(own, listener.accept()[0], certificate.identity) as control:
            assert (control.purpose, control.remote_static) == ("peer", certificate.link_key)
            talk.begin(control)
            bob.do("say", "stranger", "is anybody there?")
            talk.until(control, talk.texts)
            talk.say(control, TEXT, ["yes", talk.of_kind(TEXT)[0].id])
            talk.say(control, OFFER, offer.content())
            talk.until(control, lambda: talk.delivered == 2)
            assert node_of(bob).event("offer", state="offered")["files"] == 3
            bob.do("accept", offer.id.hex(), "--to", str(tmp_path / "in"))
            with link_from(own, listener.accept()[0], certificate.identity) as data:
                assert data.purpose == "data"
                Server(data, own, offer, manifest).serve(files, until="Fetch")
                talk.until(control, lambda: len(talk.of_kind(ANSWER)) == 2)
                answers = [event.content[:2] for event in talk.of_kind(ANSWER)]
                assert answers == [[offer.id, ACCEPTED], [offer.id, DONE]]
    for name, content in files.items():
        assert (tmp_path / "in" / name).read_bytes() == content


def test_it_is_another_device_of_a_real_peer(
    tracker: TrackerProcess, bob: Peer, stranger: Person
) -> None:
    """History comes from the own device; what is said here goes out through it, and is his as well."""
    with Session(stranger) as session:
        certificate, place = meet(session, stranger, bob)
    theirs = Talk(stranger.device, certificate)
    with link_to(stranger.device, certificate, place, "peer") as control:
        theirs.begin(control)
        theirs.say(control, TEXT, ["good morning", b""])
        bob.do("say", "stranger", "to you, too")
        theirs.until(control, lambda: theirs.delivered == 1 and len(theirs.texts()) == 2)
        laptop = account.log_in(tracker.address, "bob", PASSWORD)
        node_of(bob).event("notice", code="device-added")
        laptop.friends["bob"] = laptop.device.identity
        with Session(laptop) as session:
            devices = {one.device: one for one, _ in session.where("bob")}
        assert set(devices) == {certificate.device, laptop.device.id}
        desk = devices[certificate.device]
        ours = Talk(laptop.device, desk, with_=stranger.device.identity)
        with link_to(laptop.device, desk, place, "peer") as own_link:
            ours.begin(own_link)
            ours.until(own_link, lambda: len(ours.texts()) == 2)
            assert ours.texts() == theirs.texts()
            said = ours.say(own_link, TEXT, ["from the laptop", b""])
            theirs.until(control, lambda: len(theirs.texts()) == 3)
            assert theirs.texts()[2] == (laptop.device.id, "from the laptop")
            own_link.end()
    [shown] = [item for item in bob.do("read", "stranger") if item["id"] == said.id.hex()]
    assert (shown["from"], shown["text"]) == ("bob", "from the laptop")
    assert theirs.refused == ours.refused == []


def test_it_changes_a_password_and_deletes_an_account(
    tracker: TrackerProcess, stranger: Person, make_peer: MakePeer
) -> None:
    account.change_password(tracker.address, "stranger", PASSWORD, "another one altogether")
    with pytest.raises(Refused, match="wrong-password"):
        account.log_in(tracker.address, "stranger", PASSWORD)
    laptop = make_peer("laptop")
    words = ("login", "stranger", "--tracker", tracker.address)
    made = laptop.try_to(*words, HOBNOB_PASSWORD="another one altogether").item
    assert made["fingerprint"] == stranger.device.identity.hex()
    with Session(stranger) as session:
        assert session.entered[3] == 2  # the vault's new counter
        account.delete(tracker.address, "stranger", "another one altogether")
        assert session.link.until_end().code == "account-deleted"
    with pytest.raises(Refused, match="no-such-user"):
        account.log_in(tracker.address, "stranger", PASSWORD)


def test_digests_are_given_in_pages_and_a_fetch_can_be_stopped(
    tracker: TrackerProcess, bob: Peer, stranger: Person, tmp_path: Path
) -> None:
    content = os.urandom(9 * MIB + 7)
    path = tmp_path / "large.bin"
    path.write_bytes(content)
    with Session(stranger) as session:
        certificate, place = meet(session, stranger, bob)
    bob.do("send", "stranger", str(path))
    talk = Talk(stranger.device, certificate)
    with link_to(stranger.device, certificate, place, "peer") as control:
        talk.begin(control)
        talk.until(control, lambda: talk.of_kind(OFFER))
        offer = Offer.of(talk.of_kind(OFFER)[0].content)
        with link_to(stranger.device, certificate, place, "data") as data:
            fetcher = Fetcher(data, certificate, offer)
            chunks = [digest(chunk) for chunk in chunks_of(content)]
            assert fetcher.digests(0, len(content)) == chunks
            data.say("Fetch", 90, certificate.device, offer.id, [[0, 0, 8]])
            data.say("StopFetch", 90)
            pieces = 0
            while (came := data.next()) != ("Fetched", [90]):
                if came[0] == "Piece":
                    assert digest(data.record()) == came[1][4]
                    pieces += 1
            assert pieces <= 8
            assert fetcher.files() == {"large.bin": content}
