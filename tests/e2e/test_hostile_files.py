"""A friend who offers files and lies, or fetches what is not theirs: nothing of it gets a name on disk."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.actors import Item
from tests.harness.strangers import Scene
from tests.harness.trackers import FOLDER, PYTHON
from tests.independent.account import Person, addresses
from tests.independent.files import (
    MIB,
    Fetcher,
    Offer,
    Server,
    Unfit,
    digest,
    manifest_of,
    offer_of,
    sign_digests,
)
from tests.independent.link import Ended, octets
from tests.independent.msgpack import Value
from tests.independent.talk import OFFER, TEXT, WITHDRAWAL, Event, link_to
from wire import limits

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with Scene(tmp_path_factory.mktemp("files")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


def serve(
    scene: Scene,
    eve: Person,
    files: dict[str, bytes],
    *,
    server: type[Server] = Server,
    folders: Sequence[str] = (),
    offer: Callable[[Offer], Offer] | None = None,
    ends: str | None = None,
) -> tuple[str, str, Path]:
    """Offer files; Bob accepts and is served over a link we dialled; gives offer, last word and folder."""
    manifest = manifest_of(files, folders)
    made = offer_of(os.urandom(16), f"gift {next(NUMBERS)}", manifest)
    if offer is not None:
        made = offer(made)
    to = scene.folder / f"in-{made.id.hex()}"
    with scene.talking(eve) as (talk, control):
        talk.say(control, OFFER, made.content())
        talk.until(control, lambda: talk.delivered == 1)
        with link_to(eve.device, scene.certificate, scene.place, "data") as data:
            scene.bob.do("accept", made.id.hex(), "--to", str(to))
            try:
                server(data, eve.device, made, manifest).serve(files, is_once=ends == "done")
                code = ""
            except Ended as ended:
                code = ended.code
            if ends is not None:
                scene.node.event("transfer", offer=made.id.hex(), state=ends)
        talk.say(control, WITHDRAWAL, [made.id])
        talk.until(control, lambda: talk.delivered == 2)
    return made.id.hex(), code, to


def written(folder: Path) -> set[str]:
    """Give every file in a folder, its work folders apart."""
    inside = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in inside if not path.parts[0].endswith(".part")}


def offer_id(event: Event) -> str:
    return octets(event.content, 0).hex()


def transfer(scene: Scene, offer: str) -> Item:
    return next(item for item in scene.bob.do("transfers") if item["offer"] == offer)


# --- names


UNSAFE = {
    "../escape": "name-unsafe",
    "a/../../escape": "name-unsafe",
    "/escape": "name-unsafe",
    "a//b": "name-unsafe",
    ".": "name-unsafe",
    "..": "name-unsafe",
    "": "name-unsafe",
    "zero\0byte": "name-unsafe",
    "/".join("d" * 65): "name-too-long",
}


@pytest.mark.parametrize("name", UNSAFE, ids=repr)
def test_a_name_that_would_leave_the_folder_is_refused(
    scene: Scene, eve: Person, name: str
) -> None:
    before = scene.files()
    offer, _, to = serve(scene, eve, {name: b"gotcha"}, ends="failed")
    failed = transfer(scene, offer)
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == UNSAFE[name]
    assert not to.exists() or written(to) == set()
    assert scene.files() - before <= {str(to.relative_to(scene.folder))}


NASTY = {
    "..\\escape": "_.._escape",
    "C:escape": "C_escape",
    ".bashrc": "_.bashrc",
    "-rf": "_-rf",
    "~root": "_~root",
    "CON": "_CON",
    "nul.txt": "_nul.txt",
    "desktop.ini": "_desktop.ini",
    "line\nbreak": "line_break",
    "esc\x1b]0;title\x07": "esc_]0;title_",
    "annex\u202egpj.exe": "annex_gpj.exe",
    "blank ": "blank",
    "dot.": "dot",
    "%2e%2e%2fescape": "%2e%2e%2fescape",
    "\uff0e\uff0e\uff0fescape": "\uff0e\uff0e\uff0fescape",
    "folder/" + "e" * 300 + ".txt": "folder/" + "e" * 251 + ".txt",
}


def test_a_name_that_would_do_harm_lands_under_one_that_does_not(scene: Scene, eve: Person) -> None:
    files = {name: f"content of {number}".encode() for number, name in enumerate(NASTY)}
    before = scene.files()
    _, _, to = serve(scene, eve, files, folders=["folder"], ends="done")
    assert written(to) == set(NASTY.values())
    for name, stored in NASTY.items():
        assert (to / stored).read_bytes() == files[name]
    inside = f"{to.relative_to(scene.folder)}"
    assert {path for path in scene.files() - before if not path.startswith(inside)} == set()
    scene.is_well(eve)


def test_nothing_is_shown_as_a_name_that_would_turn_a_terminal(scene: Scene, eve: Person) -> None:
    name = "\x1b[2Jred\x07\u202egpj.exe\r\n"
    serve(scene, eve, {name: b"a"}, offer=lambda made: replace(made, title=name), ends="done")
    for verb in ("offers", "transfers"):
        words = [PYTHON, "-m", "peer", "--home", str(scene.bob.home), verb]
        done = subprocess.run(words, capture_output=True, timeout=60, check=True, cwd=FOLDER)
        shown = done.stdout.decode()
        assert "gpj.exe" in shown, verb
        assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown), verb


# --- bytes


class Liar(Server):
    """Serves honestly; one thing is otherwise."""


class WrongChunk(Liar):
    """Sends other bytes than it announces."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        self.link.say("Piece", fetch, file, index, 10, digest(b"announced!"))
        self.link.say_record(b"other byte")


class LongerThanAnnounced(Liar):
    def piece(self, fetch: int, file: int, index: int) -> None:
        self.link.say("Piece", fetch, file, index, 10, digest(b"announced!"))
        self.link.say_record(b"announced! and more")


class LongerThanDeclared(Liar):
    """Announces, a hundred times, more bytes than the manifest said the file has."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        content = bytes(range(256)) * 4
        for _ in range(100):
            self.link.say("Piece", fetch, file, index, len(content), digest(content))
            self.link.say_record(content)


class BeyondTheEnd(Liar):
    """Sends chunks that the file does not have."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        for beyond in range(1, 101):
            self.link.say("Piece", fetch, file, index + beyond, 10, digest(b"announced!"))
            self.link.say_record(b"announced!")


class NeverAskedFor(Liar):
    """Sends under a number that nobody gave."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        for stray in range(1000, 1100):
            self.link.say("Piece", fetch + stray, file, index, 10, digest(b"announced!"))
            self.link.say_record(b"announced!")


class SignsSomethingElse(Liar):
    def vouch(self, file: int) -> None:
        runs: list[Value] = [[file, 0, digest(b"something else"), b""]]
        self.link.say("SignedDigests", sign_digests(self.own, self.offer.id, runs))


class SignedBySomebodyElse(Liar):
    def vouch(self, file: int) -> None:
        forged = replace(self.own, signing_seed=os.urandom(32))
        runs: list[Value] = [[file, 0, digest(self.contents[file]), b""]]
        self.link.say("SignedDigests", sign_digests(forged, self.offer.id, runs))


class SignsForAnotherFile(Liar):
    def vouch(self, file: int) -> None:
        runs: list[Value] = [[file + 50, 0, digest(self.contents[file]), b""]]
        self.link.say("SignedDigests", sign_digests(self.own, self.offer.id, runs))


class SaysItWasAll(Liar):
    """Answers nothing of what was asked."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        return

    def vouch(self, file: int) -> None:
        return


class LongerManifest(Liar):
    def page(self, fetch: int, page: int) -> None:
        self.link.say("ManifestPage", fetch, page, 1, self.pages + b"more")


class OtherManifest(Liar):
    def page(self, fetch: int, page: int) -> None:
        self.link.say("ManifestPage", fetch, page, 1, self.pages[:-1] + b"\x00")


class MorePages(Liar):
    def page(self, fetch: int, page: int) -> None:
        self.link.say("ManifestPage", fetch, page, 4096, self.pages)


class TooLargeRecord(Liar):
    def piece(self, fetch: int, file: int, index: int) -> None:
        self.link.wire.send((MIB + 17).to_bytes(4, "big"))


class PackedTwice(Liar):
    def piece(self, fetch: int, file: int, index: int) -> None:
        one: list[Value] = [file, 10, digest(b"announced!")]
        self.link.say("Pack", fetch, [one, one])
        self.link.say_record(b"announced!announced!")


LIARS: dict[type[Server], str] = {
    WrongChunk: "verification-failed",
    LongerThanAnnounced: "size-invalid",
    LongerThanDeclared: "flood",
    BeyondTheEnd: "flood",
    NeverAskedFor: "flood",
    SignsSomethingElse: "verification-failed",
    SignedBySomebodyElse: "signature-invalid",
    SignsForAnotherFile: "number-range",
    SaysItWasAll: "incomplete",
    LongerManifest: "manifest-invalid",
    OtherManifest: "manifest-invalid",
    MorePages: "manifest-invalid",
    TooLargeRecord: "record-too-large",
    PackedTwice: "manifest-invalid",
}


@pytest.mark.parametrize("liar", LIARS, ids=lambda liar: liar.__name__)
def test_bytes_that_are_not_what_was_offered_get_no_name(
    scene: Scene, eve: Person, liar: type[Server]
) -> None:
    _, code, to = serve(scene, eve, {"gift.bin": b"announced!"}, server=liar)
    assert code == LIARS[liar]
    assert not to.exists() or written(to) == set()
    assert scene.node.process.poll() is None


def test_an_offer_that_is_not_its_manifest_is_refused(scene: Scene, eve: Person) -> None:
    def fewer_bytes(made: Offer) -> Offer:
        return Offer(
            made.id, made.title, made.files, 5, made.names, made.manifest_size, made.manifest_digest
        )

    files = {"gift.bin": b"announced!"}
    offer, _, to = serve(scene, eve, files, offer=fewer_bytes, ends="failed")
    assert transfer(scene, offer)["error"]["code"] == "manifest-invalid"
    assert not to.exists() or written(to) == set()
    scene.is_well(eve)


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
        ends = time.monotonic() + 2.0
        while (left := ends - time.monotonic()) > 0:
            places = [door.getsockname()] * 8
            control.say("AskDial", addresses(eve.device, places, knocks + 1))
            door.settimeout(left)
            with contextlib.suppress(TimeoutError):
                connection, _ = door.accept()
                connection.close()
                knocks += 1
        talk.say(control, TEXT, ["still here?", b""])
        talk.until(control, lambda: talk.delivered == 1)
    assert 0 < knocks <= 1 + 2 * limits.DIALS_PER_S
    scene.is_well(eve)
