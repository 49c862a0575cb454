"""A friend who fetches what is not theirs, and one who names places to dial: what they get, and how often."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import time
from collections.abc import Iterator

import pytest

from tests.conftest import MakeFolder
from tests.harness.strangers import Scene
from tests.harness.trackers import WAIT_S
from tests.independent.account import Person, addresses
from tests.independent.files import MIB, Fetcher, Offer, Unfit, manifest_of, offer_of
from tests.independent.link import octets
from tests.independent.talk import OFFER, TEXT, Event, link_to
from wire import limits


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("fetching")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


def offer_id(event: Event) -> str:
    return octets(event.content, 0).hex()


# --- who fetches


def test_what_is_not_for_the_asker_is_as_if_it_were_not_there(scene: Scene, eve: Person) -> None:
    mallory = scene.friend("mallory")
    path = scene.folder / "out" / "secret.txt"
    path.parent.mkdir()
    path.write_bytes(b"for eve alone")
    made = scene.bob.one("send", "eve", str(path))
    with scene.talking(eve) as (talk, control):
        talk.until(control, lambda: talk.of_kind(OFFER))
        offer = Offer.of(talk.of_kind(OFFER)[-1].content)
    assert offer.id.hex() == made["offer"]
    unknown = offer_of(os.urandom(16), "nothing", manifest_of({"a": b"a"}))

    def answers(person: Person, offer: Offer, device: bytes) -> list[object]:
        """Ask in each of the three ways; gives what came."""
        came: list[object] = []
        with link_to(person.device, scene.certificate, scene.place, "data") as data:
            for name, last in (
                ("FetchManifest", (0,)),
                ("Fetch", ([[0, 0, 1]],)),
                ("FetchDigests", (0, 0)),
            ):
                data.say(name, 7, device, offer.id, *last)
                came.append(data.hear("FetchRefused", "ManifestPage", "Piece", "DigestPage"))
        return came

    bob = scene.certificate.device
    refused = [("FetchRefused", [7, "unknown-offer", -1, ""])] * 3
    assert answers(eve, unknown, bob) == refused
    assert answers(mallory, offer, bob) == refused
    assert answers(eve, offer, mallory.device.id) == refused
    with link_to(eve.device, scene.certificate, scene.place, "data") as data:
        assert Fetcher(data, scene.certificate, offer).files() == {"secret.txt": b"for eve alone"}
    scene.bob.do("withdraw", made["offer"])
    assert answers(eve, offer, bob) == refused  # as of one that never was
    with (
        link_to(eve.device, scene.certificate, scene.place, "data") as data,
        pytest.raises(Unfit, match="unknown-offer"),
    ):
        Fetcher(data, scene.certificate, unknown).manifest()
    scene.is_well(eve)
    scene.is_well(mallory)


def test_an_offer_that_is_taken_back_in_the_middle_is_as_if_it_were_not_there(
    scene: Scene, eve: Person
) -> None:
    path = scene.folder / "out" / "large.bin"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(os.urandom(12 * MIB))
    made = scene.bob.one("send", "eve", str(path))
    with scene.talking(eve) as (talk, control):
        talk.until(control, lambda: made["offer"] in [offer_id(e) for e in talk.of_kind(OFFER)])
    offer = next(Offer.of(e.content) for e in talk.of_kind(OFFER) if offer_id(e) == made["offer"])
    bob = scene.certificate.device
    with link_to(eve.device, scene.certificate, scene.place, "data") as data:
        for wrong in ([[0, 12, 1]], [[1, 0, 1]], [[0, 0, 13]]):
            data.say("Fetch", 9, bob, offer.id, wrong)
            assert data.hear("FetchRefused")[1] == [9, "number-range", -1, ""]
        data.say("Fetch", 10, bob, offer.id, [[0, 0, 1]])
        assert data.next()[0] == "Piece"
        assert len(data.record()) == MIB
        scene.bob.do("withdraw", made["offer"])
        data.say("Fetch", 11, bob, offer.id, [[0, 1, 11]])
        while (came := data.next())[0] != "FetchRefused":
            assert came[0] != "Piece" or data.record()  # what was under way already
        assert came[1] == [11, "unknown-offer", -1, ""]
    scene.is_well(eve)


# --- whom we dial


def test_nobody_is_dialled_in_a_burst_whatever_a_friend_signs(scene: Scene, eve: Person) -> None:
    """A new record of eight places whenever one was tried: at most DIALS_PER_S of them are."""
    with scene.talking(eve) as (talk, control), socket.create_server(("127.0.0.1", 0)) as door:
        knocks = 0
        began = time.monotonic()
        ends = began + WAIT_S  # for the first; then two seconds are counted
        for counter in itertools.count(1):
            left = ends - time.monotonic()
            if left <= 0:
                break
            control.say("AskDial", addresses(eve.device, [door.getsockname()] * 8, counter))
            door.settimeout(min(left, 0.5))
            with contextlib.suppress(TimeoutError):
                connection, _ = door.accept()
                connection.close()
                ends = time.monotonic() + 2.0 if knocks == 0 else ends
                knocks += 1
        took_s = time.monotonic() - began  # we may have come to the first door late
        talk.say(control, TEXT, ["still here?", b""])
        talk.until(control, lambda: talk.delivered == 1)
    assert 0 < knocks <= 1 + took_s * limits.DIALS_PER_S
    scene.is_well(eve)
