"""What cannot be offered, or not any more, by real nodes: each is named, nothing blocks, the rest goes."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from peer.control import client
from tests.harness.faults import failing, needs_strace
from tests.harness.mounts import needs_mounts, small_disk
from wire import limits

MIB = 1024 * 1024


def write(path: Any, content: Any = b"content") -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def offered(alice: Any, bob: Any, *paths: Any) -> Any:
    offer = alice.one("send", "bob", *map(str, paths))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    return offer


def replace_by_fifo(path: Any) -> None:
    path.unlink()
    os.mkfifo(path)


def replace_by_device(path: Any) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def grow(path: Any) -> None:
    with path.open("ab") as file:
        file.write(b"one more line\n")


@pytest.mark.parametrize(
    "spoil",
    [replace_by_fifo, replace_by_device, grow, lambda path: path.unlink()],
    ids=["fifo", "device", "grown", "removed"],
)
def test_a_source_that_is_another_by_then_fails_by_name_and_the_others_arrive(
    friends: Any, tmp_path: Path, spoil: Any
) -> None:
    alice, bob = friends
    top = tmp_path / "out" / "logs"
    spoiled = write(top / "spoiled.log", os.urandom(2 * MIB))
    good = write(top / "good.log", b"good")
    alone = write(tmp_path / "out" / "alone.log")
    folder, single = offered(alice, bob, top), offered(alice, bob, alone)
    spoil(spoiled)
    spoil(alone)
    bob.do("accept", folder, "--to", str(tmp_path))
    done = bob.node.event("transfer", offer=folder, state="done")
    code = {"reason": "no-such-file" if not spoiled.exists() else "changed-at-sender"}
    assert done["skipped"] == [{"path": "logs/spoiled.log", **code}]
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["good.log"]
    assert (tmp_path / "logs" / "good.log").read_bytes() == good.read_bytes()
    assert (done["files_done"], done["verified_bytes"]) == (1, 4)
    left = alice.node.wait(
        lambda item: item.get("offer") == folder and item.get("skipped") == done["skipped"]
    )
    assert left["error"] is None
    bob.do("accept", single, "--to", str(tmp_path))
    failed = bob.node.event("transfer", offer=single, state="failed")
    assert failed["error"]["code"] == code["reason"]
    assert not (tmp_path / "alone.log").exists()
    assert alice.one("status")["node"] == "up"


@needs_strace
@pytest.mark.parametrize("size", [12 * MIB, 1000], ids=["large", "small"])
def test_a_disk_that_fails_once_costs_no_file(friends: Any, tmp_path: Path, size: Any) -> None:
    alice, bob = friends
    top = tmp_path / "out" / "films"
    for number in range(max(1, 12 * 1000 // size)):
        write(top / f"{number}.bin", os.urandom(size))
    assert alice.node.stop() == 0
    alice.under = failing("preadv,preadv2", "EIO", "6")  # in each thread
    alice.up()
    offer = offered(alice, bob, top)
    bob.do("accept", offer)
    done = bob.node.wait(
        lambda item: item["event"] == "transfer" and item["state"] in ("done", "failed")
    )
    assert (done["state"], done["skipped"]) == ("done", [])
    for path in top.iterdir():
        assert (Path(done["saved_as"]) / path.name).read_bytes() == path.read_bytes()


def test_a_log_that_grows_while_it_leaves_is_never_half_there(friends: Any, tmp_path: Path) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "growing.log", os.urandom(64 * MIB))
    offer = offered(alice, bob, path)
    is_over = threading.Event()

    def keep_growing() -> None:
        while not is_over.wait(0.001):
            grow(path)

    growing = threading.Thread(target=keep_growing)
    growing.start()
    try:
        bob.do("accept", offer, "--to", str(tmp_path))
        failed = bob.node.event("transfer", offer=offer, state="failed")
    finally:
        is_over.set()
        growing.join()
    assert failed["error"]["code"] == "changed-at-sender"
    assert not (tmp_path / "growing.log").exists()


@needs_mounts
def test_more_files_than_an_offer_may_have_are_refused_by_name(
    friends: Any, tmp_path: Path
) -> None:
    alice, _ = friends
    with small_disk(tmp_path / "many", 256 * MIB) as disk:
        for number in range(limits.FILES_PER_OFFER + 1):
            os.close(os.open(disk.inside / str(number), os.O_CREAT | os.O_WRONLY))
        refused = alice.try_to("send", "bob", str(disk.inside))
        assert (refused.code, refused.error["code"]) == (1, "too-many-files")
        (disk.inside / "0").unlink()
        made = alice.one("send", "bob", str(disk.inside))
        assert made["files"] == limits.FILES_PER_OFFER
    assert [offer["files"] for offer in alice.do("offers")] == [limits.FILES_PER_OFFER]


def test_sixty_four_offers_taken_at_once_all_arrive_and_wait_their_turn(
    friends: Any, tmp_path: Path
) -> None:
    alice, bob = friends
    names = [f"{number}.bin" for number in range(64)]
    offers = []
    for name in names:
        path = write(tmp_path / "out" / name, os.urandom(10_000))
        arguments: dict[str, object] = {"to": ["bob"], "paths": [str(path)]}
        [made] = client.ask(alice.home, "OfferFiles", arguments)
        offers.append(made["offer"])
    bob.node.event("offer", offer=offers[-1], state="offered")
    target = tmp_path / "in"
    target.mkdir()
    for offer in offers:
        list(client.ask(bob.home, "AcceptOffer", {"offer": offer, "folder": str(target)}))
    left = set(offers)
    while left:
        left.discard(bob.node.event("transfer", state="done")["offer"])
    assert {path.name for path in target.iterdir()} == set(names)
    for name in names:
        assert (target / name).read_bytes() == (tmp_path / "out" / name).read_bytes()
    assert {item["state"] for item in bob.do("transfers")} == {"done"}


def test_more_offers_than_may_wait_are_refused_by_name(friends: Any, tmp_path: Path) -> None:
    alice, _ = friends
    path = write(tmp_path / "note.txt")
    arguments: dict[str, object] = {"to": ["bob"], "paths": [str(path)]}
    for _ in range(limits.PENDING_OFFERS):
        list(client.ask(alice.home, "OfferFiles", arguments))
    refused = alice.try_to("send", "bob", str(path))
    assert (refused.code, refused.error["code"]) == (1, "too-many-offers")
    assert len(alice.do("offers")) == limits.PENDING_OFFERS
