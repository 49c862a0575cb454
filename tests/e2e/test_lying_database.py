"""A tracker whose database was changed by hand: what it shows is refused by name, and what waited goes out when it ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Item, Peer
from tests.harness.trackers import TrackerProcess

Change = Callable[[sqlite3.Connection], object]


class Liar:
    """A tracker that is stopped, changed and started again in the same place."""

    def __init__(self, tracker: TrackerProcess) -> None:
        self.process = tracker
        self.home, self.listen = tracker.home, tracker.listen

    def change(self, change: Change) -> None:
        """Have its database changed while it is away."""
        self.process.stop()
        [path] = self.home.glob("*.db")
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys = OFF")
            change(database)
        self.process = TrackerProcess(self.home, listen=self.listen)


@pytest.fixture
def liar(tracker: TrackerProcess) -> Iterator[Liar]:
    liar = Liar(tracker)
    yield liar
    liar.process.kill()


@pytest.fixture
def apart(friends: tuple[Peer, Peer]) -> tuple[Peer, Peer]:
    """Alice and Bob: friends, and nobody is up."""
    for one in friends:
        assert one.node is not None
        assert one.node.stop() == 0
    return friends


def state_of(peer: Peer, said: Item) -> str:
    [state] = [item["state"] for item in peer.do("history", "bob") if item["id"] == said["id"]]
    return str(state)


def identity(database: sqlite3.Connection, name: str) -> bytes:
    (found,) = database.execute("SELECT identity FROM accounts WHERE name = ?", (name,)).fetchone()
    return bytes(found)


def give(name: str, key: bytes) -> Change:
    """Make the database name another identity for somebody."""
    return lambda database: database.execute(
        "UPDATE accounts SET identity = ? WHERE name = ?", (key, name)
    )


def alarms(peer: Peer) -> list[str]:
    return [alarm["code"] for alarm in peer.one("status")["alarms"]]


def goes_out(alice: Peer, bob: Peer, said: Item) -> None:
    """What waited is delivered once the lie ended."""
    alice.do("friend", "list")
    bob.do("friend", "list")
    alice.do("friend", "list")
    assert state_of(alice, said) == "delivered"
    assert alarms(alice) == []


def test_another_key_for_a_friend_stops_what_is_said_until_it_is_taken_back(
    apart: tuple[Peer, Peer], liar: Liar
) -> None:
    alice, bob = apart
    true: list[bytes] = []

    def lie(database: sqlite3.Connection) -> None:
        true.append(identity(database, "bob"))
        give("bob", b"\x66" * 32)(database)

    liar.change(lie)
    alice.do("friend", "list")
    assert alarms(alice) == ["key-changed"]
    said = alice.one("say", "bob", "for the true bob")
    assert said["state"] == "queued"
    liar.change(give("bob", true[0]))
    goes_out(alice, bob, said)


def test_two_names_that_were_swapped_are_an_alarm_and_nobody_gets_the_other_s_mail(
    apart: tuple[Peer, Peer], liar: Liar, make_peer: MakePeer
) -> None:
    alice, bob = apart
    mallory = make_peer("mallory")
    mallory.register(liar.process.address)

    def swap(database: sqlite3.Connection) -> None:
        of_bob, of_mallory = identity(database, "bob"), identity(database, "mallory")
        for name, key in (("bob", b"\x77" * 32), ("mallory", of_bob), ("bob", of_mallory)):
            give(name, key)(database)

    liar.change(swap)
    alice.do("friend", "list")
    assert alarms(alice) == ["key-changed"]
    said = alice.one("say", "bob", "for nobody else")
    assert said["state"] == "queued"
    liar.change(swap)
    goes_out(alice, bob, said)


def test_a_device_list_that_went_back_is_told_and_brings_no_device_back(
    apart: tuple[Peer, Peer], liar: Liar, make_peer: MakePeer
) -> None:
    alice, _ = apart
    kept: list[tuple[bytes, int]] = []

    def keep(database: sqlite3.Connection) -> None:
        row = database.execute(
            "SELECT device_list, list_counter FROM accounts WHERE name = 'alice'"
        ).fetchone()
        kept.append((bytes(row[0]), int(row[1])))

    spare = make_peer("spare")
    spare.one("login", "alice", "--tracker", liar.process.address, "--device", "spare")
    liar.change(keep)
    alice.one("device", "revoke", "spare")

    def back(database: sqlite3.Connection) -> None:
        keep(database)
        database.execute(
            "UPDATE accounts SET device_list = ?, list_counter = ? WHERE name = 'alice'", kept[0]
        )
        database.execute("UPDATE devices SET revoked = 0")

    liar.change(back)
    alice.do("friend", "list")
    assert alarms(alice) == ["list-rollback"]
    [shown] = [d for d in alice.do("devices") if d["name"] == "spare"]
    assert shown["revoked"] is not None

    def forward(database: sqlite3.Connection) -> None:
        database.execute(
            "UPDATE accounts SET device_list = ?, list_counter = ? WHERE name = 'alice'", kept[1]
        )

    liar.change(forward)
    alice.do("friend", "list")
    assert alarms(alice) == []


def test_prekeys_that_were_replaced_get_no_mail(apart: tuple[Peer, Peer], liar: Liar) -> None:
    alice, bob = apart
    bob.do("friend", "list")
    kept: list[tuple[bytes, bytes, int]] = []

    def replace(database: sqlite3.Connection) -> None:
        rows = database.execute("SELECT signed, device, number FROM prekeys").fetchall()
        kept.extend((bytes(signed), bytes(device), number) for signed, device, number in rows)
        database.execute("UPDATE prekeys SET signed = zeroblob(length(signed))")

    liar.change(replace)
    said = alice.one("say", "bob", "sealed to nobody's key")
    assert said["state"] == "queued"

    def restore(database: sqlite3.Connection) -> None:
        database.executemany("UPDATE prekeys SET signed = ? WHERE device = ? AND number = ?", kept)

    liar.change(restore)
    goes_out(alice, bob, said)


def test_a_vault_of_last_month_opens_no_account_that_knows_better(
    apart: tuple[Peer, Peer], liar: Liar, tmp_path: Path
) -> None:
    alice, _ = apart
    kept: list[tuple[bytes, ...]] = []
    columns = "salt, auth_key, vault, vault_counter"

    def keep(database: sqlite3.Connection) -> None:
        kept.append(
            database.execute(f"SELECT {columns} FROM accounts WHERE name = 'alice'").fetchone()
        )

    liar.change(keep)
    new = tmp_path / "new"
    new.write_text("eight green cats")
    alice.one("passwd", "--new-password-file", str(new))
    liar.change(
        lambda database: database.execute(
            "UPDATE accounts SET salt = ?, auth_key = ?, vault = ?, vault_counter = ?"
            " WHERE name = 'alice'",
            kept[0],
        )
    )
    assert alice.try_to("friend", "list", HOBNOB_PASSWORD="eight green cats").code == 0
    assert alarms(alice) == ["vault-rollback"]


def test_a_friend_s_device_list_that_went_back_is_told_and_what_is_said_goes_out(
    apart: tuple[Peer, Peer], liar: Liar, make_peer: MakePeer
) -> None:
    alice, bob = apart
    kept: list[tuple[bytes, int]] = []

    def keep(database: sqlite3.Connection) -> None:
        row = database.execute(
            "SELECT device_list, list_counter FROM accounts WHERE name = 'bob'"
        ).fetchone()
        kept.append((bytes(row[0]), int(row[1])))

    liar.change(keep)
    laptop = make_peer("laptop")
    laptop.one(
        "login", "bob", "--tracker", liar.process.address, "--device", "laptop", "--unsealed"
    )
    alice.one("say", "bob", "before")  # asks for keys of all his machines, and learns the list

    def back(database: sqlite3.Connection) -> None:
        keep(database)
        database.execute(
            "UPDATE accounts SET device_list = ?, list_counter = ? WHERE name = 'bob'", kept[0]
        )

    liar.change(back)
    at_alice = alice.up()
    said = alice.one("say", "bob", "for your machines")
    at_alice.event("notice", code="list-rollback")
    assert at_alice.stop() == 0
    liar.change(
        lambda database: database.execute(
            "UPDATE accounts SET device_list = ?, list_counter = ? WHERE name = 'bob'", kept[1]
        )
    )
    goes_out(alice, bob, said)


def test_a_request_that_is_brought_again_asks_nobody_again(
    apart: tuple[Peer, Peer], liar: Liar, make_peer: MakePeer
) -> None:
    alice, bob = apart
    mallory = make_peer("mallory")
    mallory.register(liar.process.address, "--unsealed")
    rows: list[tuple[object, ...]] = []

    def keep(database: sqlite3.Connection) -> None:
        rows.extend(database.execute("SELECT * FROM friend_requests").fetchall())

    def again(database: sqlite3.Connection) -> None:
        marks = ",".join("?" * len(rows[0]))
        database.executemany(f"INSERT OR REPLACE INTO friend_requests VALUES ({marks})", rows)

    mallory.one("friend", "add", "bob")
    liar.change(keep)
    assert len(rows) == 1
    assert [one["friend"] for one in bob.do("friend", "requests")] == ["mallory"]
    bob.do("friend", "reject", "mallory")
    liar.change(again)
    assert bob.do("friend", "requests") == []
    mallory.one("friend", "add", "bob")  # another one, of her own, is heard
    assert [one["friend"] for one in bob.do("friend", "requests")] == ["mallory"]
    bob.do("friend", "accept", "mallory")
    bob.do("friend", "remove", "mallory")
    liar.change(again)
    assert bob.do("friend", "requests") == []
    said = alice.one("say", "bob", "nothing of it stops us")
    goes_out(alice, bob, said)


def test_a_tracker_that_is_put_back_from_a_backup_loses_no_mail(
    apart: tuple[Peer, Peer], liar: Liar
) -> None:
    alice, bob = apart
    bob.do("friend", "list")
    with closing(sqlite3.connect(":memory:")) as backup:
        liar.change(lambda database: database.backup(backup))
        alice.one("presence", "available", "--text", "what her machines share is another now")
        said = alice.one("say", "bob", "kept by a tracker that forgot it")
        assert said["state"] == "sent"
        liar.change(backup.backup)
    for one in (alice, bob, alice):
        one.do("friend", "list")
    assert state_of(alice, said) == "delivered"


def test_no_key_that_opened_mail_is_left_while_the_node_runs(apart: tuple[Peer, Peer]) -> None:
    """Forward secrecy, the write-ahead log included."""
    from tests.e2e.test_mail import private_halves

    alice, bob = apart
    bob.do("friend", "list")
    before = private_halves(bob.home)
    assert alice.one("say", "bob", "once")["state"] == "sent"
    at_bob = bob.up()
    at_bob.event("message", text="once")
    bob.do("friend", "list")
    used = set(before) - set(private_halves(bob.home))
    assert len(used) == 1
    on_disk = b"".join(path.read_bytes() for path in bob.home.rglob("*") if path.is_file())
    for private in used:
        assert private[:64] not in on_disk
        assert private[64:] not in on_disk
