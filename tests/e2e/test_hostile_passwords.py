"""A tracker that lies while the password is changed or the account deleted: no password is lost, no old vault sealed anew."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, Outcome, Peer
from tests.harness.liars import THEN, Answer, Lie, LyingTracker
from tests.independent.link import Ended
from tests.independent.msgpack import Value

NEW = "eight green cats"


@pytest.fixture
def liar() -> Iterator[LyingTracker]:
    with LyingTracker() as tracker:
        yield tracker


@pytest.fixture
def alice(liar: LyingTracker, make_peer: MakePeer) -> Peer:
    alice = make_peer("alice")
    alice.register(liar.address)
    return alice


def answering(said: str, *content: Value) -> Lie:
    def lie(fields: list[Value]) -> list[Answer]:
        return [(said, [fields[0], *content])]

    return lie


def passwd(alice: Peer) -> Outcome:
    return alice.try_to("passwd", HOBNOB_NEW_PASSWORD=NEW)


def opens(alice: Peer) -> bool:
    """Say whether the former password still opens the home."""
    return alice.try_to("presence", "away", HOBNOB_PASSWORD=PASSWORD).code == 0


def test_weak_parameters_are_refused_before_either_password_is_used(
    liar: LyingTracker, alice: Peer
) -> None:
    liar.lies["AskKdf"] = answering("Kdf", bytes(16), 8192, 3, 4, False)
    for verb in (("passwd",), ("account", "delete", "--yes")):
        outcome = alice.try_to(*verb, HOBNOB_NEW_PASSWORD=NEW)
        assert (outcome.code, outcome.error["code"]) == (1, "kdf-too-weak")
    assert liar.asked("LogIn") == []
    assert opens(alice)


def test_a_vault_that_is_old_damaged_or_anothers_is_not_sealed_anew(
    liar: LyingTracker, alice: Peer
) -> None:
    vault, device_list = liar.account[8], liar.account[11]
    assert isinstance(vault, bytes)
    damaged = vault[:-1] + bytes([vault[-1] ^ 1])
    lies: list[tuple[list[Value], str]] = [
        ([liar.identity, damaged, 1], "vault-invalid"),
        ([liar.identity, vault, 2], "vault-rollback"),
        ([bytes(32), vault, 1], "key-mismatch"),
    ]
    for content, code in lies:
        liar.lies["LogIn"] = answering("LoggedIn", *content, THEN, device_list, 0)
        outcome = passwd(alice)
        assert (outcome.code, outcome.error["code"]) == (1, code)
    assert liar.asked("ChangePassword") == []
    assert opens(alice)


def test_an_answer_that_never_comes_is_named_and_the_same_words_go_on(
    liar: LyingTracker, alice: Peer
) -> None:
    def hang_up(_fields: list[Value]) -> list[Answer]:
        raise Ended("no answer")

    liar.lies["ChangePassword"] = hang_up
    outcome = passwd(alice)
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-unreachable")
    assert "former" in outcome.error["message"]
    assert "same two passwords" in outcome.error["remedy"]
    assert opens(alice)
    del liar.lies["ChangePassword"]
    assert passwd(alice).code == 0
    assert not opens(alice)
    first, second = liar.asked("ChangePassword")
    assert first[8] == second[8] == 2  # the vault's counter
    assert first[1] != second[1]  # fresh salt
    assert first[7] != second[7]


def test_a_refused_change_leaves_the_former_password(liar: LyingTracker, alice: Peer) -> None:
    liar.lies["ChangePassword"] = answering("Refused", "vault-rollback", "vault 9 is known", 0)
    outcome = passwd(alice)
    assert (outcome.code, outcome.error["code"]) == (1, "vault-rollback")
    assert opens(alice)


def test_a_deletion_that_is_refused_changes_nothing(liar: LyingTracker, alice: Peer) -> None:
    liar.lies["DeleteAccount"] = answering("Refused", "tracker-failed", "", 0)
    outcome = alice.try_to("account", "delete", "--yes")
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-failed")
    assert alice.one("status")["alarms"] == []
    assert opens(alice)
