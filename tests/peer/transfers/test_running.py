"""Transfers under way: what is due, what the data links note, and what people are shown meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from peer.people import befriending
from peer.store.opening import connect, migrate, schema_steps
from peer.transfers import ledger, manager, offerings
from peer.transfers.asking import Source
from peer.transfers.ledger import Live
from tests.harness.offers import (
    MIB,
    accept,
    bring,
    contents,
    key_of,
    offer,
    say_about,
    states,
    transfers,
)
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import told
from wire.codes import Code
from wire.ids import DeviceId, OfferId
from wire.log.event import Answer, OfferAnswer
from wire.transfer.states import FOLLOWS, TransferState


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def accepted(alice: SimPeer, bob: SimPeer, title: str = "holiday") -> Any:
    """Let bob take an offer of alice; gives the offer's id and the numbers of the two rows."""
    offered, effects = offer(alice, "bob", what=contents(title))
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    out = alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered))
    incoming = bob.database.read(manager.due)[-1]
    return offered, out, incoming.number


def write(one: SimPeer, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    value = one.database.write(fn, *arguments, **named)
    one.database.commit()
    return value


def test_what_is_due_names_all_that_a_fetch_needs(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    offered, _, number = accepted(alice, bob)
    [incoming] = bob.database.read(manager.due)
    assert incoming.key == key_of(alice, offered)
    assert incoming.number == number
    assert (incoming.friend, incoming.identity) == ("alice", alice.keys.identity)
    assert incoming.folder == Path("/srv/in")
    assert (incoming.title, incoming.files, incoming.size) == ("holiday", 3, 64 * MIB)
    assert (incoming.manifest_size, incoming.manifest_digest) == (99, b"m" * 32)
    signed_by = bob.database.connection.execute(
        "SELECT signing_key FROM devices WHERE device = ?", (alice.keys.device,)
    ).fetchone()
    assert incoming.signing_key == signed_by[0]
    assert alice.database.read(manager.due) == []


def test_the_queue_keeps_the_order_of_acceptance_and_counts_who_waits_for_a_turn(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    reasons = ("slot", "friend", "slot", "space", "slot")
    numbers = [accepted(alice, bob, reason)[2] for reason in reasons]
    assert [t.place for t in transfers(bob)] == [None] * 5  # nobody knows yet
    for number, reason in zip(numbers, reasons, strict=True):
        write(bob, manager.waiting, number, reason, 4)
    assert [incoming.title for incoming in bob.database.read(manager.due)] == list(reasons)
    assert [t.place for t in transfers(bob)] == [1, None, 2, None, 3]
    write(bob, manager.started, numbers[0], 5)
    assert [t.place for t in transfers(bob)] == [None, None, 1, None, 2]
    assert bob.database.read(ledger.places) == {numbers[2]: 1, numbers[4]: 2}
    assert [t.place for t in transfers(alice)] == [None] * 5


def test_figures_are_the_last_that_were_told_and_never_beyond_what_was_offered(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    _, out, number = accepted(alice, bob)
    for one, row in ((alice, out), (bob, number)):
        assert told(write(one, manager.started, row, 7), "transfer")[0]["state"] == "running"
        assert write(one, manager.started, row, 8) == []
        for files, size, again in ((9, 99 * MIB, 4), (1, 5, 2)):
            write(
                one, ledger.progressed, row,
                files_done=files, verified_bytes=size, resent_bytes=again,
            )  # fmt: skip
        [shown] = transfers(one)
        assert (shown.files_done, shown.verified_bytes, shown.resent_bytes) == (1, 5, 4)
        progress = {"files_done": 9, "verified_bytes": 99 * MIB, "resent_bytes": 0}
        write(one, ledger.progressed, row, **progress)
        [shown] = transfers(one)
        assert (shown.files_done, shown.verified_bytes, shown.resent_bytes) == (3, 64 * MIB, 4)


def test_a_reason_to_wait_is_told_once_and_goes_when_it_runs(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    write(bob, manager.started, number, 7)
    effects = write(bob, manager.waiting, number, ledger.SPACE, 8)
    assert [(t["state"], t["reason"]) for t in told(effects, "transfer")] == [("waiting", "space")]
    assert write(bob, manager.waiting, number, ledger.SPACE, 9) == []
    for free in ("5 bytes free", "7 bytes free"):
        [held] = told(write(bob, manager.waiting, number, ledger.SPACE, 9, free), "transfer")
        assert held["error"]["message"] == free
        assert write(bob, manager.waiting, number, ledger.SPACE, 9, free) == []
    assert told(write(bob, manager.waiting, number, ledger.FRIEND, 9), "transfer") != []
    [running] = told(write(bob, manager.started, number, 10), "transfer")
    assert (running["state"], running["reason"]) == ("running", None)


def test_what_a_person_holds_is_neither_started_nor_made_to_wait(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    bob.database.connection.execute("UPDATE transfers SET state = 'paused', reason = NULL")
    assert write(bob, manager.started, number, 7) == []
    assert write(bob, manager.waiting, number, ledger.FRIEND, 8) == []
    assert bob.database.read(manager.due) == []
    assert transfers(bob)[0].state == "paused"


def test_a_restart_lets_running_ones_wait_and_go_on(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    _, out, number = accepted(alice, bob)
    write(bob, manager.started, number, 7)
    write(alice, manager.started, out, 7)
    for one in pair:
        write(one, manager.restarted)
        assert [(t.state, t.reason) for t in transfers(one)] == [("waiting", "friend")]
    assert [incoming.number for incoming in bob.database.read(manager.due)] == [number]


def test_a_failed_transfer_says_why_and_begins_anew_when_it_is_accepted_again(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    offered, _, number = accepted(alice, bob)
    effects = write(bob, manager.failed, number, Code.CHANGED_AT_SENDER, 9, "a.jpg changed")
    [failed] = told(effects, "transfer")
    assert failed["error"] == {
        "code": "changed-at-sender",
        "message": "a.jpg changed (at alice)",
        "remedy": "ask alice to offer it again",
    }
    assert bob.database.read(manager.due) == []
    again, effects = accept(bob, offered, "/srv/other")
    assert again.state == "accepted"
    [incoming] = bob.database.read(manager.due)
    assert (incoming.folder, incoming.number) == (Path("/srv/other"), number + 1)
    assert [(t.state, t.error) for t in transfers(bob)] == [("waiting", None)]


def give_up(one: SimPeer, number: int, code: Code = Code.VERIFICATION_FAILED) -> Any:
    return write(one, manager.gave_up, one.keys, number, code, 9, one.entropy, "a lie")


def test_a_friend_who_cannot_take_it_says_so_and_says_when_it_begins_anew(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    offered, out, number = accepted(alice, bob)
    write(alice, manager.started, out, 7)
    bring(give_up(bob, number), bob, alice)
    assert states(alice) == [("out", "accepted")]
    [failed] = transfers(alice)
    assert failed.error is not None
    assert (failed.state, failed.error["code"]) == ("failed", "verification-failed")
    assert failed.error["message"].startswith("bob could not take it: ")
    assert give_up(bob, number) == []
    assert alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered)) == out
    bring(accept(bob, offered)[1], bob, alice)
    assert [(t.state, t.error) for t in transfers(alice)] == [("waiting", None)]
    again = alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered))
    write(alice, manager.started, again, 8)
    assert [t.state for t in transfers(alice)] == ["running"]


def test_what_failed_with_one_device_of_a_friend_is_done_when_another_has_it(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    offered, _, number = accepted(alice, bob)
    bring(give_up(bob, number), bob, alice)
    done = Answer(key_of(alice, offered).offer, OfferAnswer.DONE)
    bring(say_about(bob, "alice", done), bob, alice)
    [shown] = transfers(alice)
    assert (shown.state, shown.verified_bytes) == ("done", shown.bytes)


def test_a_failure_with_another_own_device_is_not_ours(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    offered, _, number = accepted(alice, bob)
    laptop = Answer(key_of(alice, offered).offer, OfferAnswer.FAILED, "verification-failed")
    say_about(bob, "alice", laptop)
    assert [incoming.number for incoming in bob.database.read(manager.due)] == [number]


def test_with_somebody_who_is_no_friend_now_a_failure_is_noted_here_alone(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    write(bob, befriending.remove, "alice", 9)
    assert not [e for e in give_up(bob, number) if hasattr(e, "conversation")]


def test_what_comes_late_for_one_that_ended_changes_nothing(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    write(bob, befriending.remove, "alice", 9)
    [ended] = transfers(bob)
    for late in (
        (manager.started, number, 10),
        (manager.waiting, number, ledger.SLOT, 10),
        (manager.failed, number, Code.NO_SPACE, 10),
        (manager.finished, bob.keys, number, Path("/x"), 10, bob.entropy),
        (manager.started, 999, 10),
        (manager.finished, bob.keys, 999, Path("/x"), 10, bob.entropy),
    ):
        assert write(bob, *late) == []
    write(bob, ledger.progressed, number, files_done=1, verified_bytes=2, resent_bytes=3)
    figures = {"files_done": 1, "verified_bytes": 2, "resent_bytes": 3}
    assert transfers(bob) == [replace(ended, **figures)]  # how far it came is told last
    bob.database.connection.execute("UPDATE transfers SET state = 'done'")
    write(bob, ledger.progressed, number, files_done=0, verified_bytes=0, resent_bytes=4)
    [done] = transfers(bob)
    assert (done.files_done, done.verified_bytes, done.resent_bytes) == (1, 2, 4)
    write(bob, ledger.progressed, number, files_done=2, verified_bytes=5, resent_bytes=4)
    [done] = transfers(bob)  # a file of it could not be had, and the last word came late
    assert (done.files_done, done.verified_bytes) == (2, 5)


@pytest.mark.parametrize("before", TransferState)
@pytest.mark.parametrize("following", TransferState)
def test_a_row_moves_only_as_the_table_says(
    pair: tuple[SimPeer, SimPeer], before: TransferState, following: TransferState
) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    bob.database.connection.execute("UPDATE transfers SET state = ?", (before.value,))
    effects = write(bob, ledger.move, number, following, 5, reason="slot")
    is_told = following in FOLLOWS[before] or (following is before and bool(FOLLOWS[before]))
    assert bool(effects) is is_told
    expected = following if is_told else before
    assert transfers(bob)[0].state == expected.value


def test_the_running_node_knows_better_than_the_rows(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    _, _, number = accepted(alice, bob)
    write(bob, manager.started, number, 7)
    live = {number: Live(1, 16 * MIB, 3, float(8 * MIB), "direct")}
    [shown] = bob.database.read(manager.transfers, live)
    assert (shown.files_done, shown.verified_bytes, shown.resent_bytes) == (1, 16 * MIB, 3)
    assert (shown.rate, shown.eta, shown.path) == (8 * MIB, 6.0, "direct")
    other = DeviceId(b"o" * 16)
    asked = (
        Source(alice.keys.device, "direct", 15 * MIB),
        Source(other, None, MIB, Code.VERIFICATION_FAILED),
    )
    live = {number: Live(1, 16 * MIB, 3, None, "direct", sources=asked)}
    [shown] = bob.database.read(manager.transfers, live)
    assert shown.sources == [
        {
            "friend": "alice",
            "device": alice.keys.device.hex(),
            "path": "direct",
            "bytes": 15 * MIB,
            "error": None,
        },
        {
            "friend": "bob",  # a machine of one's own
            "device": other.hex(),
            "path": None,
            "bytes": MIB,
            "error": "verification-failed",
        },
    ]
    live = {number: Live(0, 0, 0, None, None)}
    [shown] = bob.database.read(manager.transfers, live, only_open=True)
    assert (shown.rate, shown.eta, shown.path) == (None, None, None)


def test_only_open_transfers_stand_in_the_status(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    _, _, first = accepted(alice, bob, "one")
    accepted(alice, bob, "two")
    write(bob, manager.finished, bob.keys, first, Path("/srv/in/one"), 9, bob.entropy)
    assert [t.name for t in bob.database.read(manager.transfers, only_open=True)] == ["two"]
    assert [t.name for t in transfers(bob)] == ["one", "two"]
    said = bob.database.read(manager.offers)[0].offer
    assert bob.database.read(manager.has_untold_words, OfferId(bytes.fromhex(said)))
    assert not bob.database.read(manager.has_untold_words, OfferId(b"x" * 16))


def test_a_path_that_is_no_utf8_is_kept_as_it_is(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    accept(bob, offered, "/srv/\udcff")
    [incoming] = bob.database.read(manager.due)
    assert incoming.folder == Path("/srv/\udcff")
    saved = Path("/srv/\udcff/holiday")
    write(bob, manager.finished, bob.keys, incoming.number, saved, 9, bob.entropy)
    assert transfers(bob)[0].saved_as == str(saved)


def test_a_friend_with_another_key_is_fetched_from_no_more(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    offered, _, _ = accepted(alice, bob)
    for one, name in ((bob, "alice"), (alice, "bob")):
        one.database.connection.execute(
            "UPDATE contacts SET claimed = ? WHERE name = ?", (b"k" * 32, name)
        )
    assert bob.database.read(manager.due) == []
    assert alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered)) is None


def test_what_stands_stays_on_the_shelf(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    first, _, _ = accepted(alice, bob)
    second, _ = offer(alice, "bob")
    standing = {one.hex() for one in alice.database.read(offerings.standing)}
    assert standing == {first, second}
    assert bob.database.read(offerings.standing) == []
    write(alice, befriending.remove, "bob", 9)
    assert alice.database.read(offerings.standing) == []


def test_need_of_space_is_asked_for_once(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    assert bob.database.read(manager.need_bytes, offered) == 64 * MIB
    accept(bob, offered)
    assert bob.database.read(manager.need_bytes, offered) == 0


@pytest.mark.parametrize(("holes", "need"), [(0, 64), (63, 1), (64, 0), (65, 64)])
def test_holes_need_no_space_and_more_than_all_of_it_are_none(
    pair: tuple[SimPeer, SimPeer], holes: int, need: int
) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob", what=replace(contents(), holes=holes * MIB))
    bring(effects, alice, bob)
    assert bob.database.read(manager.need_bytes, offered) == need * MIB


def test_both_directions_at_once_do_not_touch_each_other(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    shared = OfferId(b"s" * 16)
    bring(offer(alice, "bob", offer_id=shared)[1], alice, bob)
    bring(offer(bob, "alice", offer_id=shared)[1], bob, alice)
    accept(bob, shared.hex())
    assert states(bob) == [("in", "accepted"), ("out", "offered")]


def test_a_database_of_every_former_version_takes_the_new_tables(tmp_path: Path) -> None:
    for last, _ in schema_steps()[:-1]:
        path = tmp_path / f"version-{last}"
        former = connect(path)
        for number, sql in schema_steps():
            if number <= last:
                former.executescript(f"BEGIN;{sql}\nCOMMIT;")
        former.execute(f"PRAGMA application_id = {0x484E4F42}")
        former.execute(f"PRAGMA user_version = {last}")
        migrate(former, path)
        tables = {row[0] for row in former.execute("SELECT name FROM sqlite_schema")}
        assert {"offers", "transfers", "transfers_open"} <= tables
        former.close()
        backup = sqlite3.connect(path.with_name(f"{path.name}.schema-{last}"))
        assert backup.execute("PRAGMA user_version").fetchone() == (last,)
        backup.close()
