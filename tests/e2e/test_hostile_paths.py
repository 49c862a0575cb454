"""Names that would do harm, through every path that writes or deletes: nothing outside the folder is ever touched.

Taken by a person, taken unasked, called off, taken back and failed in the middle, swept up by the next node.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from peer.transfers.paths import numbered
from tests.conftest import MakeFolder
from tests.harness.names import GOLDEN
from tests.harness.strangers import Scene
from tests.independent.account import Person
from tests.independent.files import MIB, Server, manifest_of, offer_of
from tests.independent.link import Ended
from tests.independent.talk import OFFER, WITHDRAWAL, link_to

TITLES = (
    *("../../escape", "/etc/escape", "C:\\escape", "..", ".ssh", "film.0123abcd.part"),
    *("\x1b]0;title\x07", "é" * 127),
)
FILE = {"film.bin": os.urandom(MIB + 5)}


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("paths")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    return scene.friend("eve")


class HalfWay(Server):
    """Serves the first chunk of a file, and then lets something happen."""

    happens: Callable[[], object]

    def piece(self, fetch: int, file: int, index: int) -> None:
        if index == 0:
            super().piece(fetch, file, index)
        else:
            self.happens()

    def vouch(self, file: int) -> None:
        return


def sendable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name not in {"", ".", ".."} and not {"/", "\0"} & set(name)


def test_every_name_of_the_table_lands_where_it_says_though_nobody_was_asked(
    scene: Scene, eve: Person
) -> None:
    rows = [row for row in GOLDEN if sendable(row[0])]
    files = {row[0]: f"top {number}".encode() for number, row in enumerate(rows)}
    folders = [f"d{number:03}" for number in range(len(rows))]
    files |= {
        f"{folder}/{row[0]}": f"inside {number}".encode()
        for number, (folder, row) in enumerate(zip(folders, rows, strict=True))
    }
    manifest = manifest_of(files, folders)
    offer = offer_of(os.urandom(16), "all of them", manifest)
    offer = replace(offer, names=[])
    to = scene.folder / "taken unasked"
    before = scene.files()
    scene.bob.do("config", "set", "downloads.folder", str(to))
    scene.bob.do("accept-policy", "eve", "auto")
    try:
        with (
            scene.talking(eve) as (talk, control),
            link_to(eve.device, scene.certificate, scene.place, "data") as data,
        ):
            talk.say(control, OFFER, offer.content())
            talk.until(control, lambda: talk.delivered == 1)
            with suppress(Ended):
                Server(data, eve.device, offer, manifest).serve(files)
            scene.node.event("transfer", offer=offer.id.hex(), state="done")
    finally:
        scene.bob.do("accept-policy", "eve", "ask")
        scene.bob.do("config", "set", "downloads.folder", "default")
    for number, (_, _, inside) in enumerate(rows):
        assert [path.name for path in (to / folders[number]).iterdir()] == [inside]
        assert (to / folders[number] / inside).read_bytes() == f"inside {number}".encode()
    at_top = {path.read_bytes(): path.name for path in to.iterdir() if path.is_file()}
    for number, (_, top, _) in enumerate(rows):
        found = at_top.pop(f"top {number}".encode())
        assert found in {numbered(top, twin) for twin in range(1, len(rows))}
    assert at_top == {}
    assert outside(scene, to) == before - {str(to.relative_to(scene.folder))}
    scene.is_well(eve)


def outside(scene: Scene, folder: Path) -> set[str]:
    """Give every path of the test but those in a folder."""
    inside = str(folder.relative_to(scene.folder))
    return {path for path in scene.files() if path != inside and not path.startswith(f"{inside}/")}


def half(scene: Scene, eve: Person, title: str, to: Path, happens: Callable[[str], object]) -> str:
    """Offer a file under a title, have it taken, let something happen when half of it is there; gives the offer."""
    manifest = manifest_of(FILE)
    made = replace(offer_of(os.urandom(16), "film", manifest), title=title)
    offer = made.id.hex()

    def now() -> None:
        scene.node.wait(
            lambda item: item.get("offer") == offer and item.get("verified_bytes") == MIB
        )
        assert len(list(to.iterdir())) == 2, "a work folder beside what stood there"
        happens(offer)

    with scene.talking(eve) as (talk, control):
        talk.say(control, OFFER, made.content())
        talk.until(control, lambda: talk.delivered == 1)
        with link_to(eve.device, scene.certificate, scene.place, "data") as data:
            scene.bob.do("accept", offer, "--to", str(to))
            server = HalfWay(data, eve.device, made, manifest)
            server.happens = now
            with suppress(Ended):
                server.serve(FILE, until="Fetch")
        talk.say(control, WITHDRAWAL, [made.id])
        talk.until(control, lambda: talk.delivered == 2)
    return offer


def cancel(scene: Scene, offer: str) -> None:
    """Call it off."""
    [transfer] = [item for item in scene.bob.do("transfers") if item["offer"] == offer]
    scene.bob.do("cancel", transfer["id"])


def leave_it(scene: Scene, offer: str) -> None:
    """Do nothing: it is taken back right after."""


@pytest.mark.parametrize("ends", [cancel, leave_it], ids=["called off", "taken back"])
@pytest.mark.parametrize("title", TITLES, ids=repr)
def test_a_work_folder_of_any_title_goes_and_nothing_else_does(
    scene: Scene, eve: Person, title: str, ends: Callable[[Scene, str], None]
) -> None:
    to = scene.folder / f"in {os.urandom(4).hex()}"
    to.mkdir()
    (to / "mine.txt").write_text("mine")
    before = scene.files()
    offer = half(scene, eve, title, to, lambda offer: ends(scene, offer))
    scene.node.event("transfer", offer=offer, state="cancelled")
    scene.bob.do("cancel", offer_id(scene, offer))  # waits until all is tidied
    assert scene.files() == before
    assert (to / "mine.txt").read_text() == "mine"


def offer_id(scene: Scene, offer: str) -> str:
    """Give the id of an offer's transfer."""
    return next(str(item["id"]) for item in scene.bob.do("transfers") if item["offer"] == offer)


def test_what_stands_where_the_work_folder_would_be_is_neither_followed_nor_removed(
    scene: Scene, eve: Person
) -> None:
    to, precious = scene.folder / "planted", scene.folder / "precious"
    for folder in (to, precious):
        folder.mkdir()
    (precious / "kept.txt").write_text("kept")
    manifest = manifest_of(FILE)
    made = offer_of(os.urandom(16), "film.bin", manifest)
    offer = made.id.hex()
    (to / f"film.bin.{offer[:8]}.part").symlink_to(precious)
    before = scene.files()
    with scene.talking(eve) as (talk, control):
        talk.say(control, OFFER, made.content())
        talk.until(control, lambda: talk.delivered == 1)
        with link_to(eve.device, scene.certificate, scene.place, "data") as data:
            scene.bob.do("accept", offer, "--to", str(to))
            with suppress(Ended):
                Server(data, eve.device, made, manifest).serve(FILE)
            failed = scene.node.event("transfer", offer=offer, state="failed")
        assert failed["error"]["code"] == "file-exists"
        scene.bob.do("cancel", failed["id"])
        talk.say(control, WITHDRAWAL, [made.id])
        talk.until(control, lambda: talk.delivered == 2)
    scene.node.kill()
    scene.bob.up()  # the next node sweeps up what the last one left
    assert scene.bob.one("status")["node"] == "up"
    assert scene.files() == before
    assert (precious / "kept.txt").read_text() == "kept"
