"""Alarms stand in `status` until they are over, and are told once."""

from __future__ import annotations

import pytest

from peer import queries
from peer.accounts import alarms, credentials
from peer.store import own
from tests.harness.simnet import SimPeer, Simulation
from tests.harness.talk import told
from wire.codes import Code
from wire.machine import UnixMillis


@pytest.fixture
def alice() -> SimPeer:
    return SimPeer.make(Simulation(1), "alice")


def codes(alice: SimPeer) -> list[str]:
    return [alarm["code"] for alarm in alice.database.read(queries.status_without_node).alarms]


def test_an_alarm_is_told_once_and_stands_until_it_ends(alice: SimPeer) -> None:
    write = alice.database.write
    [effect] = told(write(alarms.raise_, Code.LIST_ROLLBACK, "it went back"), "notice")
    assert effect == {"code": "list-rollback", "message": "it went back"}
    assert write(alarms.raise_, Code.LIST_ROLLBACK, "it went back") == []
    assert told(write(alarms.raise_, Code.LIST_ROLLBACK, "further"), "notice") != []
    [standing] = alice.database.read(alarms.standing)
    assert standing == {
        "code": "list-rollback",
        "message": "further",
        "remedy": Code.LIST_ROLLBACK.remedy,
    }
    write(alarms.end, Code.LIST_ROLLBACK)
    assert alice.database.read(alarms.standing) == []
    write(alarms.end, Code.LIST_ROLLBACK)


def test_a_vault_that_goes_up_is_told_and_one_that_goes_back_is_an_alarm(alice: SimPeer) -> None:
    write = alice.database.write
    write(own.set_vault, b"vault", 5)
    assert write(credentials.on_entered, 5) == []
    assert told(write(credentials.on_entered, 7), "notice")[0]["code"] == "password-changed"
    assert write(credentials.on_entered, 7) == []
    assert told(write(credentials.on_entered, 6), "notice")[0]["code"] == "vault-rollback"
    assert codes(alice) == ["vault-rollback"]
    assert write(credentials.on_entered, 6) == []
    assert write(credentials.on_entered, 7) == []  # it knows better again
    assert codes(alice) == []


def test_an_older_vault_is_never_kept(alice: SimPeer) -> None:
    write = alice.database.write
    write(own.set_vault, b"newer", 5)
    write(own.set_vault, b"older", 4)
    assert alice.database.connection.execute("SELECT vault, vault_counter FROM own").fetchone() == (
        b"newer",
        5,
    )


def test_a_deleted_account_is_an_alarm_until_it_comes_back(alice: SimPeer) -> None:
    alice.database.write(own.set_deleted, UnixMillis(1))
    me = alice.database.read(own.need_account)
    assert me.is_deleted
    assert not me.is_logged_in
    assert codes(alice) == ["account-deleted"]
    alice.database.write(own.remember, alice.keys, me.name, None, b"v", 2, UnixMillis(2))
    assert codes(alice) == []
