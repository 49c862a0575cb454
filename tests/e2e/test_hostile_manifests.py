"""Offers and lists of files that cannot be, over the real port, taken without anybody being asked: nothing is written."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.harness.actors import Item
from tests.harness.strangers import Scene
from tests.independent.account import Person
from tests.independent.files import Offer, Server, digest
from tests.independent.link import Ended
from tests.independent.msgpack import Value, pack
from tests.independent.talk import OFFER, TEXT, link_to

CONTENT = b"announced!"


@pytest.fixture(scope="module")
def scene(module_folder: MakeFolder) -> Iterator[Scene]:
    with Scene(module_folder("manifests")) as scene:
        yield scene


@pytest.fixture(scope="module")
def eve(scene: Scene) -> Person:
    """A friend whose offers are taken at once."""
    eve = scene.friend("eve")
    scene.bob.do("config", "set", "downloads.folder", str(scene.folder / "in"))
    scene.bob.do("accept-policy", "eve", "auto")
    return eve


def entry(*fields: Value | bytearray) -> bytes:
    """Pack an entry; a bytearray stands for itself, whatever it is."""
    packed = (bytes(field) if isinstance(field, bytearray) else pack(field) for field in fields)
    return bytes((0x90 | len(fields),)) + b"".join(packed)


def float_of(number: float) -> bytearray:
    return bytearray(b"\xcb" + struct.pack(">d", number))


def manifest(*entries: bytes) -> bytes:
    return b"\xdd" + len(entries).to_bytes(4, "big") + b"".join(entries)


def sized(size: Value | bytearray) -> bytes:
    return manifest(entry("gift.bin", 0, size, False, 0, -1))


def at(mtime: Value | bytearray) -> bytes:
    return manifest(entry("gift.bin", 0, 10, False, mtime, -1))


def named(*paths: Value | bytearray, kind: int = 0) -> bytes:
    return manifest(*(entry(path, kind, 10 * (kind == 0), False, 0, -1) for path in paths))


WRONG: dict[str, tuple[bytes, str]] = {
    "size -1": (sized(-1), "size-invalid"),
    "size 2^44 + 1": (sized(2**44 + 1), "size-invalid"),
    "size 2^63": (sized(2**63), "size-invalid"),
    "size 2^64 - 1": (sized(2**64 - 1), "size-invalid"),
    "size 1.5": (sized(float_of(1.5)), "manifest-invalid"),
    "size NaN": (sized(float_of(float("nan"))), "manifest-invalid"),
    "size as text": (sized("10"), "manifest-invalid"),
    "size true": (sized(True), "manifest-invalid"),
    "size null": (sized(None), "manifest-invalid"),
    "no size": (manifest(entry("gift.bin", 0)), "manifest-invalid"),
    "more dense than large": (manifest(entry("gift.bin", 0, 10, False, 0, 11)), "size-invalid"),
    "a folder with bytes": (manifest(entry("gift", 1, 10, False, 0, -1)), "size-invalid"),
    "another kind": (manifest(entry("gift", 2, 10, False, 0, -1)), "manifest-invalid"),
    "mode bits": (manifest(entry("gift", 0, 10, 0o7777, 0, -1)), "manifest-invalid"),
    "time NaN": (at(float_of(float("nan"))), "manifest-invalid"),
    "a name that is no UTF-8": (named(bytearray(b"\xa3a\xff\xfe")), "manifest-invalid"),
    "a lone surrogate": (named(bytearray(b"\xa3\xed\xa0\x80")), "manifest-invalid"),
    "a name of bytes": (named(b"gift.bin"), "manifest-invalid"),
    "twice the same": (named("gift", "gift"), "manifest-conflict"),
    "a file with a file in it": (named("gift", "gift/inner"), "manifest-conflict"),
    "in no folder": (named("gift/inner"), "manifest-invalid"),
    "out of order": (named("b", "a"), "manifest-invalid"),
    "nothing": (manifest(), "manifest-invalid"),
    "one more than announced": (named("a", "b"), "manifest-invalid"),
    "a number more than there are": (b"\xdd" + b"\x00\x00\x00\x09" + named("a")[5:], "manifest-invalid"),
    "bytes behind": (named("a") + b"\x00", "manifest-invalid"),
    "10,000 deep": (b"\x91" * 10_000, "manifest-invalid"),
    "a map": (b"\x81\xa1a\x01", "manifest-invalid"),
    "a path of 65 folders": (named("/".join("d" * 65)), "name-too-long"),
    "a path of 4,098 bytes": (named("é" * 2049), "name-too-long"),
    "4 billion entries": (b"\xdd\xff\xff\xff\xff" + named("a")[5:], "too-many-files"),
}  # fmt: skip


def hand_over(
    scene: Scene,
    eve: Person,
    content: bytes,
    size: int = 10,
    until: str = "Fetch",
    **becomes: object,
) -> Item:
    """Offer what a manifest says, serve it up to a request, and wait until its transfer becomes so; gives that."""
    offer = Offer(os.urandom(16), "gift.bin", 1, size, ["gift.bin"], len(content), digest(content))
    with (
        scene.talking(eve) as (talk, control),
        link_to(eve.device, scene.certificate, scene.place, "data") as data,
    ):
        talk.say(control, OFFER, offer.content())
        talk.until(control, lambda: talk.delivered == 1)
        with suppress(Ended):
            Server(data, eve.device, offer, content).serve({"gift.bin": CONTENT}, until=until)
        return scene.node.event("transfer", offer=offer.id.hex(), **becomes)


@pytest.mark.parametrize("what", WRONG)
def test_a_list_of_files_that_cannot_be_is_refused_by_name_and_nothing_is_written(
    scene: Scene, eve: Person, what: str
) -> None:
    content, code = WRONG[what]
    failed = hand_over(scene, eve, content, state="failed")
    assert failed["error"]["code"] == code
    folder = scene.folder / "in"
    assert not folder.exists() or list(folder.iterdir()) == []


@pytest.mark.parametrize("mtime", [-1, -(2**63), 1_832_000_000_000_000, 2**64 - 1])
def test_a_time_that_cannot_be_is_no_reason_to_refuse_a_file(
    scene: Scene, eve: Person, mtime: int
) -> None:
    path = Path(hand_over(scene, eve, at(mtime), state="done")["saved_as"])
    assert path.read_bytes() == CONTENT
    assert path.stat().st_mode & 0o7111 == 0
    path.unlink()
    scene.is_well(eve)


def events() -> dict[str, Sequence[Value]]:
    """Give offers that cannot be."""
    good = Offer(os.urandom(16), "gift", 1, 10, ["gift"], 20, os.urandom(32)).content()

    def with_(index: int, value: Value) -> list[Value]:
        return [*good[:index], value, *good[index + 1 :]]

    return {
        "an id of 15 bytes": with_(0, bytes(15)),
        "no title": with_(1, ""),
        "a title of 256 characters": with_(1, "t" * 256),
        "100,001 files": with_(2, 100_001),
        "-1 files": with_(2, -1),
        "size -1": with_(3, -1),
        "size 2^63": with_(3, 2**63),
        "size as text": with_(3, "10"),
        "no size": good[:3],
        "33 names": with_(4, ["n"] * 33),
        "a name of 256 characters": with_(4, ["n" * 256]),
        "a list of 0 bytes": with_(5, 0),
        "a list of 128 MiB and a byte": with_(5, 128 * 2**20 + 1),
        "a digest of 31 bytes": with_(6, bytes(31)),
        "65 recipients": with_(7, [os.urandom(32) for _ in range(65)]),
    }


def test_an_offer_that_cannot_be_is_no_offer(scene: Scene, eve: Person) -> None:
    before = scene.bob.do("offers")
    with scene.talking(eve) as (talk, control):
        lies = {name: talk.write(OFFER, content) for name, content in events().items()}
        talk.send(control, *lies.values())
        talk.say(control, TEXT, ["that was all", b""])
        talk.until(control, lambda: talk.delivered == 1)
    found = {name: scene.why_refused(event.sealed) for name, event in lies.items()}
    assert found == dict.fromkeys(lies, "event-invalid")
    assert scene.bob.do("offers") == before
    scene.is_well(eve)


def test_more_than_any_disk_holds_waits_for_space_and_both_figures_are_told(
    scene: Scene, eve: Person
) -> None:
    waits = hand_over(
        scene, eve, sized(2**44), 2**44, "FetchManifest", state="waiting", reason="space"
    )
    assert f"bytes free and {2**44} are needed" in waits["error"]["message"]
    assert scene.bob.one("cancel", waits["id"])["state"] == "cancelled"
    assert list((scene.folder / "in").iterdir()) == []
    scene.is_well(eve)
