"""Whose key is whose, with real programs: safety numbers, and a friend who comes back with another key."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tests.harness.actors import PASSWORD, Peer


def test_two_friends_compare_their_safety_number(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    shown = alice.one("friend", "verify", "bob")
    assert shown == {"friend": "bob", "number": shown["number"], "verified": False}
    typed = " ".join(shown["number"][at : at + 5] for at in range(0, 60, 5))
    assert bob.one("friend", "verify", "alice", "--number", typed)["verified"] is True
    bob.node.event("friend", friend="alice", state="verified")
    assert [friend["verified"] for friend in bob.do("friend", "list")] == [True]
    assert [friend["verified"] for friend in alice.do("friend", "list")] == [False]
    wrong = ("1" if typed[0] == "0" else "0") + typed[1:]
    outcome = alice.try_to("friend", "verify", "bob", "--number", wrong)
    assert (outcome.code, outcome.error["code"]) == (1, "safety-number-mismatch")
    assert alice.try_to("friend", "verify", "bob", "--number", "12345").code == 2
    assert alice.try_to("friend", "verify", "carol").error["code"] == "no-such-friend"


def test_safety_numbers_without_a_node(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    for friend in friends:
        friend.node.stop()
    number = bob.one("friend", "verify", "alice")["number"]
    assert alice.one("friend", "verify", "bob", "--number", number)["verified"] is True
    assert alice.one("friend", "verify", "bob")["verified"] is True
    outcome = alice.try_to("friend", "accept-key", "bob", "00" * 32)
    assert (outcome.code, outcome.error["code"]) == (1, "key-unchanged")


def test_a_keyring_spares_the_password_and_where_none_answers_the_password_opens(
    tmp_path: Path,
) -> None:
    pytest.importorskip("keyrings.alt.file")
    in_a_file = {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(tmp_path / "data"),
    }
    none = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    with closing(Peer(tmp_path, "alice", environment=in_a_file)) as alice:
        alice.register(None)
        del alice.environment["HOBNOB_PASSWORD"]
        assert alice.one("whoami")["sealed"] == "keyring"
        assert alice.up().stop() == 0
        alice.environment |= none
        refused = alice.try_to("presence", "away")
        assert (refused.code, refused.error["code"]) == (1, "locked")
        assert "keyring" in refused.error["message"]
        opened = alice.try_to("presence", "away", HOBNOB_PASSWORD=PASSWORD)
        assert opened.code == 0, opened
