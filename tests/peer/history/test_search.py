"""Searching: what is found, in which order, and that nothing stays of what went."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from peer import api
from peer.errors import PeerError
from peer.history import indexing, search
from peer.log import bodies
from peer.store.opening import open_file
from peer.talk import acts
from tests.harness.acting import act
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import pass_on, say
from wire import limits
from wire.codes import Code
from wire.machine import UnixMillis


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def alice(world: Simulation) -> SimPeer:
    alice = SimPeer.make(world, "alice")
    for name in ("bob", "carol"):
        befriend(alice, SimPeer.make(world, name))
    return alice


def look(one: SimPeer, text: str, **how: object) -> list[str]:
    """Give the snippets of what is found."""
    return [found.snippet for found in find(one, text, **how)]


def find(one: SimPeer, text: str, **how: object) -> list[api.Found]:
    while one.database.write(indexing.catch_up):
        pass
    return one.database.read(search.find, api.SearchMessages(text, **how))  # type: ignore[arg-type]


def number_of(one: SimPeer, event: str) -> int:
    row = one.database.connection.execute(
        "SELECT number FROM events WHERE id = ?", (bytes.fromhex(event),)
    ).fetchone()
    return int(row[0])


def test_all_words_have_to_be_there_and_the_newest_comes_first(
    world: Simulation, alice: SimPeer
) -> None:
    for text in ("the red house", "a house by the sea", "Red sea, big house", "household"):
        say(alice, "bob", text)
        world.now += int(1.0 * 1000)
    assert look(alice, "house red") == ["Red sea, big house", "the red house"]
    assert look(alice, "house") == [
        "household", "Red sea, big house", "a house by the sea", "the red house",
    ]  # fmt: skip
    assert look(alice, '"house"') == ["Red sea, big house", "a house by the sea", "the red house"]
    assert look(alice, '"by the sea"') == ["a house by the sea"]
    assert look(alice, "absent") == []


def test_a_result_says_who_said_what_to_whom_and_where_the_hit_is(
    world: Simulation, alice: SimPeer
) -> None:
    bob = SimPeer.make(world, "dave")
    befriend(alice, bob)
    event = say(bob, "alice", "lunch\nat twelve?")
    pass_on(bob, alice, event)
    [found] = find(alice, "twel")
    assert (found.id, found.sender, found.friend, found.kind) == (event, "dave", "dave", "message")
    assert (found.snippet, found.hits) == ("lunch at twelve?", [[9, 15]])


def test_a_long_text_is_cut_around_its_first_hit(alice: SimPeer) -> None:
    say(alice, "bob", "x " * 500 + "needle" + " y" * 500)
    [found] = find(alice, "needle")
    [(start, end)] = found.hits
    assert found.snippet[start:end] == "needle"
    assert found.snippet[0] == found.snippet[-1] == "…"
    assert len(found.snippet) == search.SNIPPET_CHARS + 2


def test_talk_with_one_friend_is_searched_alone(alice: SimPeer) -> None:
    say(alice, "bob", "word to bob")
    say(alice, "carol", "word to carol")
    assert look(alice, "word", friend="carol") == ["word to carol"]
    assert look(alice, '"word to" nobody', friend="carol") == []
    with pytest.raises(PeerError) as caught:
        look(alice, "word", friend="nobody")
    assert caught.value.code is Code.NO_SUCH_FRIEND


def test_pages_follow_each_other_without_hole_or_repetition(
    world: Simulation, alice: SimPeer
) -> None:
    for number in range(25):
        say(alice, "bob", f"page {number}")
        if number % 3 == 0:
            world.now += int(0.5 * 1000)  # many at one instant
    whole = look(alice, "page", limit=100)
    paged: list[str] = []
    before = None
    while page := find(alice, "page", limit=4, before=before):
        paged += [found.snippet for found in page]
        before = page[-1].id
    assert paged == whole == [f"page {number}" for number in reversed(range(25))]
    assert look(alice, "page", limit=0) == []


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ({"limit": -1}, Code.CONFIG_INVALID),
        ({"limit": limits.SEARCH_RESULTS + 1}, Code.CONFIG_INVALID),
        ({"before": "0123456789"}, Code.UNKNOWN_MESSAGE),
        ({"before": "2026-11-20"}, Code.UNKNOWN_MESSAGE),
    ],
)
def test_a_page_that_cannot_be_is_refused_by_name(
    alice: SimPeer, how: dict[str, object], code: Code
) -> None:
    say(alice, "bob", "something")
    with pytest.raises(PeerError) as caught:
        look(alice, "something", **how)
    assert caught.value.code is code


def test_an_event_that_came_late_stands_where_it_was_said(
    world: Simulation, alice: SimPeer
) -> None:
    dave = SimPeer.make(world, "dave")
    befriend(alice, dave)
    first = say(dave, "alice", "early word")
    world.now += int(60.0 * 1000)
    say(alice, "bob", "late word")
    assert look(alice, "word") == ["late word"]
    pass_on(dave, alice, first)
    assert look(alice, "word") == ["late word", "early word"]


def test_what_claims_to_come_from_the_future_does_not_stay_on_top(
    world: Simulation, alice: SimPeer
) -> None:
    dave = SimPeer.make(world, "dave")
    befriend(alice, dave)
    event = say(dave, "alice", "word of tomorrow")
    pass_on(dave, alice, event)
    alice.database.connection.execute("UPDATE events SET at = ?", (2**52,))
    assert look(alice, "tomorrow") == ["word of tomorrow"]
    world.now += int(60.0 * 1000)
    say(alice, "bob", "word of today")
    assert look(alice, "word") == ["word of today", "word of tomorrow"]


def test_an_event_is_looked_at_once_however_often_somebody_asks(alice: SimPeer) -> None:
    assert not alice.database.read(indexing.is_behind)
    for number in range(3):
        say(alice, "bob", f"text {number}")
    assert alice.database.read(indexing.is_behind)
    assert alice.database.write(indexing.catch_up, 2)
    assert not alice.database.write(indexing.catch_up, 2)
    assert not alice.database.read(indexing.is_behind)
    assert len(look(alice, "text")) == 3


def test_what_was_dropped_is_found_no_more_and_a_copy_is_not_taken_back(
    world: Simulation, alice: SimPeer
) -> None:
    dave = SimPeer.make(world, "dave")
    befriend(alice, dave)
    event = say(dave, "alice", "secret")
    pass_on(dave, alice, event)
    assert look(alice, "secret") == ["secret"]
    alice.database.write(bodies.drop, number_of(alice, event), UnixMillis(1))
    assert look(alice, "secret") == []
    pass_on(dave, alice, event)
    assert look(alice, "secret") == []
    row = alice.database.connection.execute(
        "SELECT body, gone FROM events WHERE id = ?", (bytes.fromhex(event),)
    ).fetchone()
    assert row == (None, 1)


def test_what_changes_is_indexed_anew_whether_it_was_indexed_or_not(alice: SimPeer) -> None:
    event = say(alice, "bob", "as it was")
    alice.database.write(indexing.changed, number_of(alice, event))
    assert look(alice, "was") == ["as it was"]
    alice.database.write(indexing.changed, number_of(alice, event))
    assert look(alice, "was") == ["as it was"]


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    path = tmp_path / "database"
    with closing(open_file(path)) as connection:
        yield path, connection


def test_nothing_below_the_home_holds_a_word_that_went(
    on_disk: tuple[Path, sqlite3.Connection], alice: SimPeer
) -> None:
    path, connection = on_disk
    for number in range(300):
        say(alice, "bob", f"ordinary text of number {number}")
    event = say(alice, "bob", "Quetzalcoatlus")
    alice.database.write(indexing.catch_up)
    alice.database.commit()
    alice.database.connection.backup(connection)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert b"quetzalcoatlus" in path.read_bytes()
    connection.execute("BEGIN")
    bodies.drop(connection, number_of(alice, event), UnixMillis(1))
    connection.execute("COMMIT")
    assert indexing.is_behind(connection)
    rounds = 0
    while indexing.is_behind(connection):
        indexing.keep(connection)
        rounds += 1
        assert rounds < 100
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    below = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert b"quetzalcoatlus" not in below.lower()
    query = api.SearchMessages("ordinary", limit=1000)
    assert len(search.find(connection, query)) == 300


def test_an_edited_message_is_found_by_what_it_says_now_and_a_deleted_one_not_at_all(
    alice: SimPeer,
) -> None:
    for is_indexed in (False, True):
        event = say(alice, "bob", "former words")
        if is_indexed:
            assert look(alice, "former") == ["former words"]
        act(alice, acts.edit, event, "present words")
        assert look(alice, "former") == []
        assert look(alice, "present") == ["present words"]
        act(alice, acts.delete, event)
        assert look(alice, "present") == []
        assert look(alice, "former") == []


def test_a_search_that_takes_too_long_is_given_up_and_leaves_nothing_behind(alice: SimPeer) -> None:
    endless = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    with pytest.raises(PeerError) as refused:
        search._in_time(alice.database.connection, endless, (), 0.01)
    assert refused.value.code is Code.SEARCH_TOO_LONG
    say(alice, "bob", "found all the same")
    assert look(alice, "same") == ["found all the same"]
