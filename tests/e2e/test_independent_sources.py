"""The client written from the document alone, with one offer from several sources, and where nobody can be dialled."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, Peer
from tests.harness.copies import befriend
from tests.harness.strangers import listens_at
from tests.harness.trackers import TrackerProcess
from tests.independent import account, reach
from tests.independent.account import Person, Session
from tests.independent.files import MIB, Fetcher, Offer
from tests.independent.link import Ended, Link, Place, octets
from tests.independent.sources import Gatherer, Lender
from tests.independent.talk import ACCEPTED, ANSWER, DONE, OFFER, TEXT, Talk, link_from, link_to
from tests.independent.values import Certificate

Party = tuple[Peer, Certificate, Place]


@pytest.fixture
def stranger(tracker: TrackerProcess) -> Person:
    """An account that the other client made."""
    return account.register(tracker.address, "stranger", PASSWORD)


def meet(session: Session, peer: Peer) -> Party:
    """Become friends by code; gives the certificate of the peer's device and where it listens."""
    asked = session.befriend(peer.one("friend", "code")["code"])
    peer.node.event("friend-request", friend="stranger")
    peer.do("friend", "accept", "stranger")
    session.wait_friend(asked)
    ((certificate, _),) = session.where(peer.name)
    return peer, certificate, listens_at(peer.node)


@contextmanager
def offered(
    own: Person, by: Party, path: Path, *others: str
) -> Iterator[tuple[Talk, Link, Offer, Link]]:
    """Let somebody offer a file to the other client and to others; gives what it is, and two links to them."""
    peer, certificate, place = by
    made = peer.one("send", ",".join((*others, "stranger")), str(path))
    talk = Talk(own.device, certificate)
    with link_to(own.device, certificate, place, "peer") as control:
        talk.begin(control)
        talk.until(control, lambda: talk.of_kind(OFFER))
        offer = Offer.of(talk.of_kind(OFFER)[0].content)
        assert offer.id.hex() == made["offer"]
        talk.say(control, ANSWER, [offer.id, ACCEPTED])
        with link_to(own.device, certificate, place, "data") as data:
            yield talk, control, offer, data


def test_it_takes_a_file_from_who_offers_it_and_from_another_who_took_it(
    tracker: TrackerProcess, make_peer: MakePeer, stranger: Person, tmp_path: Path
) -> None:
    bob, carol = make_peer("bob"), make_peer("carol")
    _, at_carol = befriend(tracker.address, bob, carol, "--unsealed")
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(6 * MIB + 77))
    with Session(stranger) as session:
        offering, (_, holder, place) = meet(session, bob), meet(session, carol)
        with offered(stranger, offering, path, "carol") as (talk, control, offer, data):
            at_carol.event("offer", offer=offer.id.hex(), state="offered")
            carol.do("accept", offer.id.hex(), "--to", str(tmp_path / "in"))
            at_carol.event("transfer", offer=offer.id.hex(), state="done")
            with link_to(stranger.device, holder, place, "data") as lent:
                gatherer = Gatherer(Fetcher(data, offering[1], offer), lent)
                gatherer.watch()
                assert gatherer.files() == {"film.bin": path.read_bytes()}
                assert gatherer.given == [3, 4]
            talk.say(control, ANSWER, [offer.id, DONE])
            bob.node.event("transfer", offer=offer.id.hex(), friend="stranger", state="done")


def test_it_lends_what_it_took_to_another_while_who_offers_it_is_gone(
    tracker: TrackerProcess, make_peer: MakePeer, stranger: Person, tmp_path: Path
) -> None:
    bob, carol = make_peer("bob"), make_peer("carol")
    _, at_carol = befriend(tracker.address, bob, carol, "--unsealed")
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(3 * MIB + 5))
    with (
        Session(stranger) as session,
        socket.create_server(("127.0.0.1", 0)) as listener,
    ):
        offering, (_, other, _) = meet(session, bob), meet(session, carol)
        with offered(stranger, offering, path, "carol") as (talk, control, offer, data):
            fetcher = Fetcher(data, offering[1], offer)
            contents = list(fetcher.files().values())
            talk.say(control, ANSWER, [offer.id, DONE])
            at_carol.event("offer", offer=offer.id.hex(), state="offered")
        bob.node.stop()
        listener.settimeout(90)
        session.publish([listener.getsockname()], 1)

        def lend(link: Link) -> None:
            Lender(link, offering[1], offer, fetcher.pages).serve(contents, fetcher.batches)

        with serving(stranger, listener, other, lend):
            carol.do("accept", offer.id.hex(), "--to", str(tmp_path / "in"))
            at_carol.event("transfer", offer=offer.id.hex(), state="done")
    assert (tmp_path / "in" / "film.bin").read_bytes() == path.read_bytes()


@contextmanager
def serving(
    own: Person, listener: socket.socket, friend: Certificate, do: Callable[[Link], None]
) -> Iterator[None]:
    """Take calls from a friend's device in a thread until it ends; do: what is done on a data link."""
    ends = threading.Event()

    def take() -> None:
        while not ends.is_set():
            with suppress(Ended, OSError):  # who calls may give up, and call again
                link = link_from(own.device, listener.accept()[0], friend.identity)
                held.append(link)
                if link.purpose == "data":
                    do(link)

    held: list[Link] = []
    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        ends.set()
        listener.shutdown(socket.SHUT_RDWR)
        for link in held:
            link.wire.shut()
        thread.join()
        for link in held:
            link.wire.close()


def test_it_talks_and_takes_a_file_through_the_relay(
    tracker: TrackerProcess, make_peer: MakePeer, stranger: Person, tmp_path: Path
) -> None:
    bob = make_peer("bob")
    bob.register(tracker.address, "--unsealed")
    bob.up()
    path = tmp_path / "letter.bin"
    path.write_bytes(os.urandom(2 * MIB + 9))
    with Session(stranger) as session:
        _, certificate, _ = meet(session, bob)
        talk = Talk(stranger.device, certificate)
        with reach.relayed(session, "bob", certificate, "peer") as control:
            talk.begin(control)
            talk.say(control, TEXT, ["can you hear me?", b""])
            talk.until(control, lambda: talk.delivered == 1)
            bob.node.event("message", text="can you hear me?")
            made = bob.one("send", "stranger", str(path))
            talk.until(control, lambda: talk.of_kind(OFFER))
            offer = Offer.of(talk.of_kind(OFFER)[0].content)
            assert offer.id.hex() == made["offer"]
            talk.say(control, ANSWER, [offer.id, ACCEPTED])
            with reach.relayed(session, "bob", certificate, "data") as data:
                fetched = Fetcher(data, certificate, offer).files()
            assert fetched == {"letter.bin": path.read_bytes()}
            talk.say(control, ANSWER, [offer.id, DONE])
            bob.node.event("transfer", offer=made["offer"], state="done")
            (link,) = bob.one("status")["links"]
            assert (link["friend"], link["path"]) == ("stranger", "relayed")


def test_it_opens_a_link_from_both_sides_and_learns_where_either_can_be_dialled(
    tracker: TrackerProcess, make_peer: MakePeer, stranger: Person
) -> None:
    bob = make_peer("bob")
    bob.register(tracker.address, "--unsealed")
    bob.up()
    with Session(stranger) as session:
        seen = reach.seen_at(session)
        assert seen is not None
        assert seen[0] == "127.0.0.1"
        _, certificate, _ = meet(session, bob)
        talk = Talk(stranger.device, certificate)
        with reach.punched(session, "bob", certificate, "peer") as control:
            talk.begin(control)
            talk.say(control, TEXT, ["here I am", b""])
            talk.until(control, lambda: talk.delivered == 1)
            bob.node.event("message", text="here I am")
            (link,) = bob.one("status")["links"]
            assert (link["friend"], link["path"]) == ("stranger", "punched")
            talk.until(control, lambda: "AddressKey" in dict(control.heard))
            key = octets(dict(control.heard)["AddressKey"], 0)
            assert session.where("bob", key) == [(certificate, [listens_at(bob.node)])]
