"""What is said in one round of the loop is written together, and each thing is kept by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peer import api
from peer.commands import begin_command
from peer.errors import PeerError
from peer.history import transcript
from peer.node import Node
from peer.talk.voice import Outcome
from tests.harness.homes import make_account, running
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import WireError


@pytest.fixture
async def alice(tmp_path: Path) -> AsyncIterator[Node]:
    """Give a node with two friends whom nobody can reach."""
    await make_account(tmp_path / "alice", "alice", None)
    async with running(tmp_path / "alice") as node:
        for name in ("bob", "carol"):
            await node.database.write(_befriend, name)
        yield node


def _befriend(connection: sqlite3.Connection, name: str) -> None:
    connection.execute(
        "INSERT INTO contacts (name, identity, state, since) VALUES (?, ?, 'friends', 1)",
        (name, sha256(name.encode())),
    )


async def said(node: Node, *wishes: tuple[str, api.SendText]) -> list[Outcome]:
    """Say things in one round; gives what became of each, in the order in which it was told."""
    heard: list[Outcome] = []
    are_all = asyncio.Event()

    def hear(outcome: Outcome) -> None:
        heard.append(outcome)
        if len(heard) == len(wishes):
            are_all.set()

    for request_id, command in wishes:
        assert begin_command(node, command, request_id, hear)
    async with asyncio.timeout(90):
        await are_all.wait()
    return heard


def texts(node: Node, friend: str) -> list[str]:
    return [line.text for line in node.database.read(transcript.messages, friend)]


def code_of(outcome: Outcome) -> Code:
    assert isinstance(outcome, PeerError | WireError)
    return outcome.code


async def test_all_of_a_round_share_a_commit_and_keep_their_order(alice: Node) -> None:
    before = alice.database.commits
    wishes = [
        (f"{number:032x}", api.SendText(("bob", "carol")[number % 2], f"number {number}"))
        for number in range(20)
    ]
    outcomes = await said(alice, *wishes)
    assert alice.database.commits - before < 10  # the node has others of its own
    assert all(isinstance(one, api.MessageState) and one.state == "queued" for one in outcomes)
    assert texts(alice, "bob") == [f"number {number}" for number in range(0, 20, 2)]
    assert texts(alice, "carol") == [f"number {number}" for number in range(1, 20, 2)]


async def test_what_cannot_be_said_keeps_nothing_else_from_it(alice: Node) -> None:
    outcomes = await said(
        alice,
        ("", api.SendText("bob", "first")),
        ("", api.SendText("bob", "  ")),
        ("", api.SendText("dave", "nobody")),
        ("", api.SendText("b", "no name")),
        ("", api.SendText("bob", "to what?", reply_to="ab" * 32)),
        ("", api.SendText("bob", "last")),
    )
    assert [code_of(one) for one in outcomes[1:5]] == [
        Code.MESSAGE_EMPTY,
        Code.NO_SUCH_FRIEND,
        Code.NAME_LENGTH,
        Code.UNKNOWN_MESSAGE,
    ]
    assert texts(alice, "bob") == ["first", "last"]


async def test_one_id_is_one_message_in_one_round_and_in_another(alice: Node) -> None:
    wish = ("ab" * 16, api.SendText("bob", "only once"))
    first, again = await said(alice, wish, wish)
    [later] = await said(alice, wish)
    assert first == again == later
    assert texts(alice, "bob") == ["only once"]


async def test_a_refusal_is_not_remembered(alice: Node) -> None:
    [refused] = await said(alice, ("ab" * 16, api.SendText("bob", " ")))
    assert code_of(refused) is Code.MESSAGE_EMPTY
    [kept] = await said(alice, ("ab" * 16, api.SendText("bob", "now with words")))
    assert isinstance(kept, api.MessageState)


async def test_a_disk_that_refuses_is_told_to_everybody_and_keeps_nothing(alice: Node) -> None:
    await alice.database.write(
        lambda connection: (
            connection.execute(
                "CREATE TRIGGER refuse BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'no'); END"
            ).rowcount
        )
    )
    outcomes = await said(
        alice, ("", api.SendText("bob", "one")), ("", api.SendText("carol", "two"))
    )
    assert [code_of(one) for one in outcomes] == [Code.DATABASE_FAILED] * 2
    assert texts(alice, "bob") == texts(alice, "carol") == []


async def test_other_commands_are_none_of_its_business(alice: Node) -> None:
    assert not begin_command(alice, api.GetStatus(), "", lambda _: None)
