"""Names and contents at the edge, between real processes: they arrive as they were, and each byte is read once."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from tests.e2e.test_files import tree
from tests.harness.actors import Item, Peer
from wire import limits

MIB = limits.MIB
SIZE = 64 * MIB + 1


def taken(alice: Peer, bob: Peer, path: Path, target: Path) -> Item:
    """Send something and have it taken; gives the transfer once it is done."""
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(target))
    return bob.node.event("transfer", offer=offer, state="done")


def test_long_names_twins_zeros_and_empty_things_arrive_as_they_were(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    top = tmp_path / "out" / ("t" * 255)
    composed, apart = (unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD"))
    contents = {
        "n" * 251 + ".txt": b"255 bytes",
        "é" * 127: b"254 bytes in 127 letters",
        "😀" * 63: b"252 bytes in 63",
        "one chunk of zeros": bytes(MIB),
        "two chunks of zeros and one byte": bytes(2 * MIB) + b"1",
        "a chunk less one": bytes(MIB - 1),
        "empty": b"",
        f"twins/{composed}": b"composed",
        "other/" + "d" * 255 + "/deep": b"deep",
        "other/Case": b"large",
        "other/case.d": b"small",
    }
    for name, content in contents.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(content)
    done = taken(alice, bob, top, tmp_path / "in")
    assert done["saved_as"] == str(tmp_path / "in" / top.name)
    assert tree(tmp_path / "in" / top.name) == tree(top)
    twins = tmp_path / "out" / "twins"
    twins.mkdir()
    for name, content in (("A", b"1"), ("a", b"2"), (composed, b"3"), (apart, b"4")):
        (twins / name).write_bytes(content)
    taken(alice, bob, twins, tmp_path / "in")
    names = {path.read_bytes(): path.name for path in (tmp_path / "in" / "twins").iterdir()}
    assert names == {b"1": "A", b"2": "a (1)", b"4": apart, b"3": composed.replace(".", " (1).")}
    again = taken(alice, bob, twins, tmp_path / "in")
    assert again["saved_as"] == str(tmp_path / "in" / "twins (1)")


def read_bytes(peer: Peer) -> int:
    """Give how many bytes a node has read by now, from files and sockets alike."""
    text = Path(f"/proc/{peer.node.process.pid}/io").read_text()
    found = re.search(r"rchar: (\d+)", text)
    assert found is not None
    return int(found[1])


def test_what_is_offered_leaves_at_once_and_no_byte_is_read_twice_on_either_side(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(SIZE))
    before = read_bytes(alice)
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    assert read_bytes(alice) - before < 2 * MIB, "it was looked at, and not read"
    alice.do("config", "set", "bandwidth.up", "4MB/s")
    there = read_bytes(bob)
    bob.do("accept", offer, "--to", str(tmp_path / "in"))
    bob.node.wait(lambda item: item.get("offer") == offer and item.get("verified_bytes", 0) > 0)
    assert read_bytes(alice) - before < SIZE, "bytes are there before all of it was read"
    alice.do("config", "set", "bandwidth.up", "off")
    bob.node.event("transfer", offer=offer, state="done")
    alice.node.event("transfer", offer=offer, state="done")
    assert SIZE <= read_bytes(alice) - before < SIZE + 4 * MIB
    assert read_bytes(bob) - there < 4 * MIB, "sockets are not counted; nothing is read back"
