"""A friend who offers files and lies, or fetches what is not theirs: nothing of it gets a name on disk."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.harness.actors import Item
from tests.harness.strangers import Scene, below
from tests.harness.trackers import FOLDER, PYTHON
from tests.independent.account import Person
from tests.independent.files import (
    MIB,
    Offer,
    Server,
    digest,
    manifest_of,
    offer_of,
    sign_digests,
)
from tests.independent.link import Ended
from tests.independent.msgpack import Value
from tests.independent.talk import OFFER, WITHDRAWAL, link_to

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("files")) as scene:
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
                server(data, eve.device, made, manifest).serve(
                    files, until="Fetch" if ends == "done" else ""
                )
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
    inside = (path.relative_to(folder) for path in below(folder) if path.is_file())
    return {str(path) for path in inside if not path.parts[0].endswith(".part")}


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
        done = subprocess.run(words, capture_output=True, timeout=120, check=True, cwd=FOLDER)
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


class ShorterThanDeclared(Liar):
    """Announces a chunk that is not all that the manifest said there is."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        self.link.say("Piece", fetch, file, index, 4, digest(b"anno"))
        self.link.say_record(b"anno")


class SentAgain(Liar):
    """Sends what was asked for, and then the same without end."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        for _ in range(200):
            super().piece(fetch, file, index)


class MoreDigestsThanMayBe(Liar):
    """Signs for a thousand and more chunks of a file that has one."""

    def vouch(self, file: int) -> None:
        runs: list[Value] = [[file, 0, digest(self.contents[file]) * 1025, b""]]
        self.link.say("SignedDigests", sign_digests(self.own, self.offer.id, runs))


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
    ShorterThanDeclared: "incomplete",
    SentAgain: "flood",
    MoreDigestsThanMayBe: "decode",
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


class HangsUp(Server):
    """Sends the first chunk, and ends."""

    def piece(self, fetch: int, file: int, index: int) -> None:
        if index:
            raise Ended("hung up")
        super().piece(fetch, file, index)


def test_fewer_bytes_than_declared_are_kept_and_it_goes_on_with_the_next_link(
    scene: Scene, eve: Person
) -> None:
    files = {"gift.bin": os.urandom(3 * MIB)}
    manifest = manifest_of(files)
    made = offer_of(os.urandom(16), "cut short", manifest)
    offer, to = made.id.hex(), scene.folder / "cut short"
    with scene.talking(eve) as (talk, control):
        talk.say(control, OFFER, made.content())
        talk.until(control, lambda: talk.delivered == 1)
        with link_to(eve.device, scene.certificate, scene.place, "data") as data:
            scene.bob.do("accept", offer, "--to", str(to))
            with pytest.raises(Ended, match="hung up"):
                HangsUp(data, eve.device, made, manifest).serve(files)
            scene.node.wait(
                lambda item: item.get("offer") == offer and item.get("verified_bytes") == MIB
            )
        scene.node.event("transfer", offer=offer, state="waiting", verified_bytes=MIB)
        assert written(to) == set()
        with link_to(eve.device, scene.certificate, scene.place, "data") as data:
            Server(data, eve.device, made, manifest).serve(files, until="Fetch")
            done = scene.node.event("transfer", offer=offer, state="done")
    assert Path(done["saved_as"]).read_bytes() == files["gift.bin"]
    assert done["resent_bytes"] <= 2 * MIB
    scene.is_well(eve)


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
