"""Taking back, calling off and holding between real processes, with nodes up and without."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.test_files import MIB, digest, under_way, write
from tests.harness.actors import Node, Peer
from tests.harness.faults import needs_strace, slow
from wire import limits

Friends = tuple[Peer, Peer]
SIZE = 32 * MIB


def node(peer: Peer) -> Node:
    """Give the node of somebody who is up."""
    return peer.node


def begin(alice: Peer, bob: Peer, folder: Path) -> tuple[str, str, Path]:
    """Let a file be under way from alice to bob; gives the offer's id, the transfer's, and its path.

    It goes so slowly that nothing is over before it is stopped; `let_go` ends that.
    """
    path: Path = write(folder / "out" / "film.bin", os.urandom(SIZE))
    alice.do("config", "set", "bandwidth.up", "1MB/s")
    offered: str = alice.one("send", "bob", str(path))["offer"]
    node(bob).event("offer", offer=offered)
    bob.do("accept", offered)
    node(alice).event("transfer", offer=offered, state="running")
    under_way(bob)
    [transfer] = bob.do("transfers")
    return offered, transfer["id"], path


def let_go(alice: Peer) -> None:
    """Let what is under way go as fast as it can."""
    alice.do("config", "set", "bandwidth.up", "off")


def parts(peer: Peer) -> list[str]:
    """Give what stands in the folder that things are received in."""
    return sorted(entry.name for entry in (peer.home / "downloads").iterdir())


def tidied(peer: Peer, *names: str) -> None:
    """Look until nothing but these stands there, while the node takes the rest away."""
    looks = 0
    while parts(peer) != sorted(names):
        looks += 1
        assert looks < 50, parts(peer)
        peer.do("transfers")


def test_what_was_withdrawn_before_it_was_answered_cannot_be_taken(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    node(bob).event("offer", offer=offered, state="offered")
    [shown] = alice.do("withdraw", offered[:8])
    assert (shown["offer"], shown["direction"], shown["state"]) == (offered, "out", "withdrawn")
    node(bob).event("offer", offer=offered, state="withdrawn")
    assert bob.try_to("accept", offered).error["code"] == "offer-withdrawn"
    assert alice.do("withdraw", offered) == [shown]
    ended = node(alice).event("transfer", offer=offered, state="cancelled")
    assert ended["error"]["code"] == "offer-withdrawn"
    assert node(alice).stop() == 0
    assert list((alice.home / "offers").iterdir()) == []


def test_a_withdrawal_ends_what_is_under_way_and_its_parts_go(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered, _, _ = begin(alice, bob, tmp_path)
    alice.do("withdraw", offered)
    for peer in friends:
        ended = node(peer).event("transfer", offer=offered, state="cancelled")
        assert ended["error"]["code"] == "offer-withdrawn"
    node(bob).kill()
    bob.up()  # whatever was not cleared in time is cleared now
    tidied(bob)


def test_a_withdrawal_without_a_node_is_told_before_the_verb_ends(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    node(bob).event("offer", offer=offered)
    assert node(alice).stop() == 0
    assert alice.one("withdraw", offered)["state"] == "withdrawn"
    node(bob).event("offer", offer=offered, state="withdrawn")
    assert list((alice.home / "offers").iterdir()) == []


def test_the_receiver_calls_a_download_off_and_nothing_of_it_stays(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered, transfer, path = begin(alice, bob, tmp_path)
    beside = write(bob.home / "downloads" / "mine.txt")
    ended = bob.one("cancel", transfer[:8])
    assert (ended["state"], ended["error"]["code"]) == ("cancelled", "cancelled")
    tidied(bob, beside.name)
    node(alice).event("transfer", offer=offered, state="cancelled")
    assert [bob.one("cancel", transfer), alice.one("cancel", transfer)["state"]] == [
        ended,
        "cancelled",
    ]
    assert bob.try_to("accept", offered).error["code"] == "offer-answered"
    let_go(alice)
    again = alice.one("send", "bob", str(path))["offer"]
    node(bob).event("offer", offer=again)
    bob.do("accept", again)
    node(bob).event("transfer", offer=again, state="done")
    assert digest(bob.home / "downloads" / "film.bin") == digest(path)
    done = bob.try_to("cancel", bob.do("transfers")[-1]["id"])
    assert (done.code, done.error["code"]) == (1, "transfer-over")


@needs_strace
def test_calling_off_waits_for_no_disk_and_what_a_node_leaves_of_it_goes_with_the_next(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    for number in range(200):
        write(tmp_path / "album" / f"{number}.txt")
    write(tmp_path / "album" / "film.bin", os.urandom(SIZE))
    assert node(bob).stop() == 0
    bob.under = slow("unlinkat", 0.3)
    bob.up()
    bob.under = ()
    alice.do("config", "set", "bandwidth.up", "1MB/s")
    offered = alice.one("send", "bob", str(tmp_path / "album"))["offer"]
    node(bob).event("offer", offer=offered)
    bob.do("accept", offered)
    coming = node(bob).wait(lambda item: item["event"] == "transfer" and item["files_done"] == 200)
    assert bob.one("cancel", coming["id"])["state"] == "cancelled"
    node(alice).event("transfer", offer=offered, state="cancelled")
    [left] = parts(bob)
    again = alice.one("send", "bob", str(tmp_path / "album" / "1.txt"), "--name", "album")["offer"]
    node(bob).event("offer", offer=again)
    bob.do("accept", again)
    node(bob).event("transfer", offer=again, state="done")
    assert parts(bob) == ["album", left]
    assert node(bob).stop() == 0
    assert parts(bob) == ["album", left]
    bob.up()
    tidied(bob, "album")


def test_the_sender_calls_a_transfer_off(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    offered, transfer, _ = begin(alice, bob, tmp_path)
    assert alice.one("cancel", transfer)["state"] == "cancelled"
    ended = node(bob).event("transfer", offer=offered, state="cancelled")
    assert ended["error"]["code"] == "offer-withdrawn"
    tidied(bob)


def test_a_download_is_called_off_without_a_node(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    offered, transfer, _ = begin(alice, bob, tmp_path)
    assert node(bob).stop() == 0
    assert len(parts(bob)) == 1
    assert bob.one("cancel", transfer)["state"] == "cancelled"
    assert parts(bob) == []
    node(alice).event("transfer", offer=offered, state="cancelled")


def test_a_paused_download_stays_so_over_a_restart_and_goes_on_from_what_it_had(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered, transfer, path = begin(alice, bob, tmp_path)
    held = bob.one("pause", transfer[:8])
    assert (held["state"], held["place"]) == ("paused", None)
    paused = {"state": "waiting", "reason": "friend-paused"}
    waits = node(alice).event("transfer", offer=offered, **paused)
    assert waits["rate"] is None
    assert waits["verified_bytes"] >= bob.do("transfers")[0]["verified_bytes"]
    assert node(bob).stop() == 0
    [stopped] = bob.do("transfers")
    assert stopped["state"] == "paused"
    assert 0 < stopped["verified_bytes"] < SIZE
    bob.up()
    assert bob.do("transfers") == [stopped]
    let_go(alice)
    assert bob.one("resume", transfer)["state"] == "waiting"
    done = node(bob).event("transfer", offer=offered, state="done")
    assert done["resent_bytes"] <= limits.WINDOW_BYTES + limits.CHUNK_BYTES
    assert digest(bob.home / "downloads" / "film.bin") == digest(path)
    node(alice).event("transfer", offer=offered, state="done")


def test_a_transfer_that_its_sender_pauses_waits_at_the_receiver_until_it_is_resumed(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered, transfer, path = begin(alice, bob, tmp_path)
    assert alice.one("pause", transfer)["state"] == "paused"
    node(bob).event("transfer", offer=offered, state="waiting", reason="friend-paused")
    assert node(alice).stop() == 0
    alice.up()
    assert alice.do("transfers")[0]["state"] == "paused"
    let_go(alice)
    assert alice.one("resume", transfer)["state"] == "waiting"
    node(bob).event("transfer", offer=offered, state="done")
    assert digest(bob.home / "downloads" / "film.bin") == digest(path)


def test_holding_one_transfer_does_not_end_another_over_the_same_link(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered, transfer, _ = begin(alice, bob, tmp_path)
    bob.do("pause", transfer)
    second = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    node(bob).event("offer", offer=second)
    bob.do("accept", second)
    node(bob).event("transfer", offer=second, state="done")
    let_go(alice)
    bob.do("resume", transfer)
    node(bob).event("transfer", offer=offered, state="done")


def test_without_a_node_a_transfer_is_held_and_goes_on_all_the_same(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    node(bob).event("offer", offer=offered)
    assert node(alice).stop() == 0
    bob.do("accept", offered)
    [leaves] = alice.do("transfers")
    assert alice.one("pause", leaves["id"])["state"] == "paused"
    alice.up()
    node(bob).event("transfer", offer=offered, reason="friend-paused")
    assert node(alice).stop() == 0
    assert alice.one("resume", leaves["id"])["state"] == "waiting"
    alice.up()
    node(bob).event("transfer", offer=offered, state="done")


def test_what_cannot_be_stopped_is_named(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    node(bob).event("offer", offer=offered)
    assert bob.try_to("withdraw", offered).error["code"] == "offer-not-own"
    for words, code in (
        (("withdraw", "0" * 32), "unknown-offer"),
        (("cancel", "0" * 32), "unknown-transfer"),
        (("pause", "../../etc"), "unknown-transfer"),
        (("resume", offered[:7]), "unknown-transfer"),
    ):
        outcome = alice.try_to(*words)
        assert (outcome.code, outcome.error["code"]) == (1, code), outcome
    bob.do("decline", offered)
    [declined] = alice.do("transfers")
    for verb in ("pause", "resume", "cancel"):
        outcome = alice.try_to(verb, declined["id"])
        assert (outcome.code, outcome.error["code"]) == (1, "transfer-over"), outcome
