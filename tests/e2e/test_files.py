"""Files between real processes: what arrives is what was sent, whoever is away; `test_resuming` has who is stopped or killed."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import WAIT_S, Node, Peer
from tests.harness.trackers import TrackerProcess

MIB = 1024 * 1024


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write(path: Path, content: bytes = b"content") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def tree(folder: Path) -> dict[str, str | None]:
    """Give every file below a folder with its hash, and the folders."""
    return {
        str(path.relative_to(folder)): digest(path) if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def under_way(peer: Peer) -> None:
    """Wait until some of what comes is verified, and all of it is not."""
    item = peer.node.wait(lambda item: item["event"] == "transfer" and item["verified_bytes"] > 0)
    assert item["state"] == "running", item


def test_a_file_arrives_whole_and_both_sides_say_so(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "film.bin", os.urandom(5 * MIB + 123))
    made = alice.one("send", "bob", str(path))
    bob.node.event("offer", offer=made["offer"], state="offered")
    taken = bob.one("accept", made["offer"][:8], "--to", str(tmp_path / "in"))
    assert taken["state"] == "accepted"
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    arrived = tmp_path / "in" / "film.bin"
    assert done["saved_as"] == str(arrived)
    assert digest(arrived) == digest(path)
    assert (done["files_done"], done["verified_bytes"]) == (1, 5 * MIB + 123)
    leaves = alice.node.event("transfer", offer=made["offer"], state="done")
    assert (leaves["id"], leaves["friend"], leaves["error"]) == (done["id"], "bob", None)
    assert leaves["verified_bytes"] == 5 * MIB + 123
    assert [offer["state"] for peer in friends for offer in peer.do("offers")] == ["done", "done"]
    assert [item["state"] for peer in friends for item in peer.do("transfers")] == ["done", "done"]
    assert list((tmp_path / "in").iterdir()) == [arrived]
    again = bob.one("accept", made["offer"], "--to", str(tmp_path / "elsewhere"))
    assert again["state"] == "done"
    assert not (tmp_path / "elsewhere" / "film.bin").exists()


def test_a_folder_arrives_as_it_was_and_what_was_left_out_is_listed(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    top = tmp_path / "out" / "holiday"
    for name, size in (("a.jpg", 3 * MIB), ("b/c.txt", 10), ("b/d/empty", 0), ("ü 😀.txt", 1)):
        write(top / name, os.urandom(size))
    (top / "nothing in it").mkdir()
    sent = tree(top)
    os.mkfifo(top / "fifo")
    (top / "link").symlink_to("/etc/passwd")
    (top / "b" / "c.txt").chmod(0o755)
    made = alice.one("send", "bob", str(top))
    assert (made["files"], made["bytes"]) == (4, 3 * MIB + 11)
    left_out = {Path(entry["path"]).name for entry in made["skipped"]}
    assert left_out == {"fifo", "link"}
    bob.node.event("offer", offer=made["offer"])
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    arrived = tmp_path / "in" / "holiday"
    assert done["saved_as"] == str(arrived)
    assert tree(arrived) == sent
    assert os.access(arrived / "b" / "c.txt", os.X_OK)
    assert not os.access(arrived / "a.jpg", os.X_OK)
    [leaves] = alice.do("transfers")
    assert {Path(entry["path"]).name for entry in leaves["skipped"]} == {"fifo", "link"}


def test_nothing_that_stands_there_is_replaced(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, bob = friends
    first = write(tmp_path / "in" / "note.txt", b"mine")
    path = write(tmp_path / "out" / "note.txt", b"theirs")
    made = alice.one("send", "bob", str(path))
    bob.node.event("offer", offer=made["offer"])
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert first.read_bytes() == b"mine"
    assert done["saved_as"] == str(tmp_path / "in" / "note (1).txt")
    assert (tmp_path / "in" / "note (1).txt").read_bytes() == b"theirs"


def test_who_waits_with_send_is_told_when_it_arrived(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "note.txt", os.urandom(MIB))
    with Node(alice, "send", "bob", str(path), "--wait") as sending:
        offered = sending.wait(lambda item: item["files"] == 1)["offer"]
        bob.node.event("offer", offer=offered, state="offered")
        bob.do("accept", offered)
        assert sending.process.wait(WAIT_S) == 0
    assert digest(bob.home / "downloads" / "note.txt") == digest(path)


def test_who_waits_with_send_is_told_of_a_refusal(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    with Node(alice, "send", "bob", str(write(tmp_path / "note.txt")), "--wait") as sending:
        bob.do("decline", bob.node.event("offer", state="offered")["offer"])
        assert sending.process.wait(WAIT_S) == 1
        assert '"code": "declined"' in sending.log


def test_sending_without_a_node_and_waiting_runs_one_until_it_arrived(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    path = write(tmp_path / "out" / "note.txt", os.urandom(2 * MIB))
    with Node(alice, "send", "bob", str(path), "--wait") as sending:
        offered = bob.node.event("offer", state="offered")["offer"]
        bob.do("accept", offered)
        bob.node.event("transfer", offer=offered, state="done")
        assert sending.process.wait(WAIT_S) == 0
    assert [offer["state"] for offer in alice.do("offers")] == ["done"]


def test_a_person_may_follow_the_transfers(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, bob = friends
    made = alice.one("send", "bob", str(write(tmp_path / "note.txt")))
    with Node(alice, "transfers", "--follow") as following:
        following.wait(lambda item: item["state"] == "waiting")
        bob.node.event("offer", offer=made["offer"])
        bob.do("accept", made["offer"])
        following.wait(lambda item: item["offer"] == made["offer"] and item["state"] == "done")
        assert following.stop(signal.SIGINT) == 130


def test_accepting_without_a_node_stays_until_the_file_is_there(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "note.txt", os.urandom(2 * MIB))
    made = alice.one("send", "bob", str(path))
    bob.node.event("offer", offer=made["offer"])
    assert bob.node.stop() == 0
    assert bob.one("accept", made["offer"])["state"] == "accepted"
    [here] = bob.do("transfers")
    assert (here["state"], here["saved_as"]) == ("done", str(bob.home / "downloads" / "note.txt"))
    assert digest(bob.home / "downloads" / "note.txt") == digest(path)
    alice.node.event("transfer", offer=made["offer"], state="done")


def test_a_stream_arrives_under_its_name(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    content = os.urandom(3 * MIB)
    made = alice.one("send", "bob", "-", "--name", "backup.tar", stdin=content)
    bob.node.event("offer", offer=made["offer"])
    bob.do("accept", made["offer"])
    bob.node.event("transfer", offer=made["offer"], state="done")
    assert (bob.home / "downloads" / "backup.tar").read_bytes() == content


def test_what_was_offered_and_accepted_while_the_other_was_away_arrives_when_both_are_up(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    path = write(tmp_path / "out" / "note.txt", os.urandom(MIB))
    made = alice.one("send", "bob", str(path))
    bob.up().event("offer", offer=made["offer"])
    assert alice.node.stop() == 0
    bob.do("accept", made["offer"])
    bob.node.event("transfer", offer=made["offer"], state="waiting", reason="friend")
    alice.up()
    bob.node.event("transfer", offer=made["offer"], state="done")
    alice.node.event("transfer", offer=made["offer"], state="done")
    assert digest(bob.home / "downloads" / "note.txt") == digest(path)


def test_one_offer_to_two_friends_arrives_at_both_under_one_id(
    tracker: TrackerProcess, friends: tuple[Peer, Peer], make_peer: MakePeer, tmp_path: Path
) -> None:
    alice, bob = friends
    carol = make_peer("carol")
    carol.register(tracker.address)
    carol.up()
    alice.do("friend", "add", carol.one("friend", "code")["code"])
    carol.node.event("friend-request", friend="alice")
    carol.do("friend", "accept", "alice")
    alice.node.event("friend", friend="carol", state="friends")
    path = write(tmp_path / "out" / "note.txt", os.urandom(MIB))
    with Node(alice, "send", "bob,carol", str(path), "--wait") as sending:
        for peer in (bob, carol):
            offered = peer.node.event("offer", state="offered")["offer"]
            peer.do("accept", offered)
            peer.node.event("transfer", offer=offered, state="done")
            assert digest(peer.home / "downloads" / "note.txt") == digest(path)
        assert sending.process.wait(WAIT_S) == 0
    assert {(item["friend"], item["offer"]) for item in alice.do("transfers")} == {
        ("bob", offered),
        ("carol", offered),
    }


def test_both_send_at_once(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    sent = {}
    for peer in friends:
        [other] = [one for one in friends if one is not peer]
        path = write(tmp_path / f"of-{peer.name}.bin", os.urandom(8 * MIB))
        sent[peer] = (other, path, peer.one("send", other.name, str(path))["offer"])
    for other, _, offered in sent.values():
        other.node.event("offer", offer=offered, state="offered")
        other.do("accept", offered)
    for peer in friends:
        to_come = {offered for _, _, offered in sent.values()}
        while to_come:  # in whichever order they end
            to_come.discard(peer.node.event("transfer", state="done")["offer"])
    for other, path, _ in sent.values():
        assert digest(other.home / "downloads" / path.name) == digest(path)


def test_a_file_that_changed_meanwhile_is_not_sent(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "note.txt", b"as it was")
    made = alice.one("send", "bob", str(path))
    bob.node.event("offer", offer=made["offer"])
    path.write_bytes(b"something else now")
    bob.do("accept", made["offer"])
    for peer in (bob, alice):
        failed = peer.node.event("transfer", offer=made["offer"], state="failed")
        assert failed["error"]["code"] == "changed-at-sender"
    assert not (bob.home / "downloads" / "note.txt").exists()
