"""Homes of former versions, opened by this one: all that was there is there, a copy of the old beside it."""

from __future__ import annotations

import stat
from typing import Any

import pytest

from peer.control import client
from peer.store.opening import schema_steps
from tests.e2e.conftest import MakePeer
from tests.harness.frozen import SCHEMAS, TEXTS, rows, thaw

NEWEST = schema_steps()[-1][0]


def test_there_is_a_home_of_every_former_version() -> None:
    former = [number for number, _ in schema_steps()[:-1]]
    missing = set(former) - set(SCHEMAS)
    assert not missing, "before a step is added: python -m tests.harness.freezing"


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_home_of_a_former_version_goes_on_with_everything_in_it(
    make_peer: MakePeer, schema: Any
) -> None:
    alice = make_peer("alice")
    database = thaw(schema, alice.home)
    before = rows(database)
    shown = alice.do("history", "bob")
    assert [item["text"] for item in shown if item["kind"] == "message"] == TEXTS
    states = [item["state"] for item in shown if item["from"] == "alice"]
    assert states == ["delivered", "delivered", "queued"]
    copy = database.with_name(f"peer.sqlite3.schema-{schema}")
    assert copy.exists() is (schema < NEWEST)
    if copy.exists():
        assert rows(copy) == before
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows(database)["version"] == [(NEWEST,)]

    def ask(command: str, **words: object) -> list[Any]:
        return list(client.ask(alice.home, command, words))

    with alice.up() as node:
        [who] = ask("WhoAmI")
        assert (who["account"], len(who["devices"])) == ("alice", 1)
        if schema >= 5:
            assert [item["state"] for item in ask("ListOffers")] == ["done", "offered"]
            assert [item["state"] for item in ask("ListTransfers")] == ["done"]
        assert sorted(item["friend"] for item in ask("ListFriends")) == ["bob", "carol"]
        [said] = ask("SendText", to="bob", text="by the new version")
        assert said["state"] == "queued"
        assert node.stop() == 0
    shown = alice.do("history", "bob")
    assert shown[-1]["text"] == "by the new version"
    assert not any(item["forked"] for item in shown)
