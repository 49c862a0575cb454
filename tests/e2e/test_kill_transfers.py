"""Both ends of a transfer killed at every write, sync and rename: whole or absent, once, and no part left."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.actors import Ended, Peer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched

pytestmark = [needs_strace, pytest.mark.timeout(3600)]

MIB = 1024 * 1024


def digests(top: Path) -> dict[str, str | None]:
    """Give every file below a folder with its hash, and the folders."""
    return {
        str(path.relative_to(top)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        )
        for path in sorted(top.rglob("*"))
    }


def under(moment: Moment | None, log: Path) -> tuple[str, ...]:
    """Give the words that kill a program at a moment, or only note its calls."""
    return watched(log, ON_DISK) if moment is None else killed_at(moment)


@pytest.fixture
def accepting(friends: Any, tmp_path: Path) -> Callable[[Path], Callable[[Moment | None], bool]]:
    """Give attempts at accepting one thing, in a node of the verb's own that is killed."""
    alice, bob = friends
    assert bob.node.stop() == 0
    numbers = itertools.count()

    def make(source: Path) -> Callable[[Moment | None], bool]:
        wanted = digests(source.parent)
        offers: list[str] = []

        def attempt(moment: Moment | None) -> bool:
            target = tmp_path / f"in-{next(numbers)}"
            target.mkdir()
            if not offers:
                offers.extend(offered(alice, bob, source))
            offer = offers.pop()
            bob.under = under(moment, tmp_path / "calls")
            done = bob.try_to("accept", offer, "--to", str(target))
            bob.under = ()
            assert done.code in {0, KILLED}, done
            whole = {name for name in digests(target) if ".part" not in name}
            assert not whole or {name: digests(target)[name] for name in whole} == wanted
            state = bob.one("accept", offer, "--to", str(target))["state"]
            assert state in {"accepted", "done"}
            assert digests(target) == wanted, "it is not whole, not alone, or there twice"
            [transfer] = [item for item in bob.do("transfers") if item["offer"] == offer]
            assert (transfer["state"], transfer["saved_as"]) == ("done", str(target / source.name))
            assert transfer["verified_bytes"] == transfer["bytes"]
            return bool(done.code == KILLED)

        return attempt

    return make


def offered(alice: Peer, bob: Peer, source: Path) -> list[str]:
    """Offer one thing several times to somebody who is up for that only; gives the offers."""
    with bob.up() as node:
        offers = [alice.one("send", bob.name, str(source))["offer"] for _ in range(10)]
        node.event("offer", offer=offers[-1])
        assert node.stop() == 0
    return offers


def test_a_receiver_of_a_file_is_killed_at_every_moment(accepting: Any, tmp_path: Path) -> None:
    source = tmp_path / "out" / "film.bin"
    source.parent.mkdir()
    source.write_bytes(os.urandom(3 * MIB + 5))
    attempt = accepting(source)
    attempt(None)
    Walk(tmp_path / "calls", seed=6, sample=4).over(attempt)


def test_a_receiver_of_a_folder_is_killed_at_every_moment(accepting: Any, tmp_path: Path) -> None:
    source = tmp_path / "out" / "holiday"
    (source / "deep" / "empty").mkdir(parents=True)
    for name, size in (("a.jpg", 2 * MIB), ("b.txt", 10), ("deep/c", 0), ("deep/d", MIB)):
        (source / name).write_bytes(os.urandom(size))
    attempt = accepting(source)
    attempt(None)
    Walk(tmp_path / "calls", seed=7, sample=4).over(attempt)


def test_who_offers_is_killed_at_every_moment(friends: Any, tmp_path: Path) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    source = tmp_path / "film.bin"
    source.write_bytes(os.urandom(MIB + 1))
    log = tmp_path / "calls"
    acknowledged: list[str] = []

    def attempt(moment: Moment | None) -> bool:
        alice.under = under(moment, log)
        done = alice.try_to("send", "bob", str(source))
        alice.under = ()
        assert done.code in {0, KILLED}, done
        acknowledged.extend(item["offer"] for item in done.items)
        for offer in [item["offer"] for item in alice.do("offers") if item["state"] == "offered"]:
            with alice.up():
                bob.node.event("offer", offer=offer, state="offered")
                target = tmp_path / offer
                target.mkdir()
                bob.do("accept", offer, "--to", str(target))
                bob.node.event("transfer", offer=offer, state="done")
                assert (target / source.name).read_bytes() == source.read_bytes()
                alice.node.event("transfer", offer=offer, state="done")
        return bool(done.code == KILLED)

    attempt(None)
    Walk(log, seed=8, sample=3).over(attempt)
    made = [item["offer"] for item in alice.do("offers")]
    assert len(made) == len(set(made))
    assert set(acknowledged) <= set(made)
    assert made == [item["offer"] for item in bob.do("offers")]
    with alice.up():
        pass
    kept = {path.stem for path in (alice.home / "offers").iterdir()}
    assert kept <= set(made), "an offer that nobody knows of is still kept"


def test_who_serves_is_killed_at_every_moment(friends: Any, tmp_path: Path) -> None:
    """From the start of a node to its clean end, with two offers fetched in between, one of them in many files."""
    alice, bob = friends
    bob.do("accept-policy", "auto")
    bob.do("config", "set", "downloads.folder", str(tmp_path / "in"))
    assert alice.node.stop() == 0
    film, folder = tmp_path / "film.bin", tmp_path / "holiday"
    film.write_bytes(os.urandom(66 * MIB + 1))  # more digests than are kept back at once
    folder.mkdir()
    for number in range(20):
        (folder / str(number)).write_bytes(os.urandom(1000 * number))

    def attempt(moment: Moment | None) -> bool:
        offers = [alice.one("send", "bob", str(path))["offer"] for path in (film, folder)]
        alice.under = under(moment, tmp_path / "calls")
        code = KILLED
        with contextlib.suppress(Ended):
            alice.up()
            open_ones = set(offers)
            while open_ones:  # in whichever order they end
                open_ones.discard(alice.node.event("transfer", state="done")["offer"])
            code = alice.node.stop()
        alice.node.kill()
        alice.under = ()
        if code == KILLED:
            alice.up()
        places: dict[str, Path] = {}
        while len(places) < 2:  # in whichever order they end
            done = bob.node.event("transfer", state="done")
            if done["offer"] in offers:  # a former one's end may be told once more
                places[done["offer"]] = Path(done["saved_as"])
        assert places[offers[0]].read_bytes() == film.read_bytes()
        assert digests(places[offers[1]]) == digests(folder)
        if code == KILLED:
            assert alice.node.stop() == 0
        return code == KILLED

    attempt(None)
    Walk(tmp_path / "calls", seed=9, sample=2).over(attempt)
    assert not [path for path in (tmp_path / "in").iterdir() if path.name.endswith(".part")]
