"""A tracker's services over SQLite in memory, asked as the writer asks them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TypeVar

import pytest

from tests.harness.people import Person, person
from tracker import accounts, friends
from tracker.effects import Caller, Outcome
from tracker.errors import TrackerError
from tracker.storage.migrate import open_in_memory
from tracker.storage.port import Account, Store
from tracker.storage.sqlite import SqliteStore
from wire.codes import Code
from wire.ids import IdentityKey
from wire.machine import UnixMillis

T = TypeVar("T")
NOW = UnixMillis(1_800_000_000_000)


class World:
    """One store, and what a test does to it."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection = open_in_memory()
        self.store: Store = SqliteStore(self.connection)

    def close(self) -> None:
        self.connection.close()

    def do(self, service: Callable[..., T], *arguments: object) -> T:
        """Call a service in a savepoint, as the writer does."""
        self.connection.execute("SAVEPOINT piece")
        try:
            result = service(self.store, *arguments)
        except TrackerError:
            self.connection.execute("ROLLBACK TO piece")
            self.connection.execute("RELEASE piece")
            raise
        self.connection.execute("RELEASE piece")
        return result

    def refused(self, service: Callable[..., object], *arguments: object) -> Code:
        """Call a service that must refuse, and must not even have tried to change anything."""
        before = self.connection.total_changes
        with pytest.raises(TrackerError) as caught:
            self.do(service, *arguments)
        assert self.connection.total_changes == before, "a refusal wrote"
        return caught.value.code

    # --- people

    def joins(self, name: str) -> Person:
        """Register somebody."""
        someone = person(name)
        self.do(accounts.register, someone.register(), someone.channel(), NOW)
        return someone

    def caller(self, someone: Person) -> Caller:
        """Admit somebody's acting device."""
        return self.do(accounts.admit, someone.keys.link_key)

    def account(self, someone: Person) -> Account:
        account = self.store.account_named(someone.name)
        assert account is not None
        return account

    def asks(self, asker: Person, target: Person, now: UnixMillis = NOW) -> bytes:
        """Carry a friend request; gives its signed bytes."""
        message = asker.ask(target)
        self.do(friends.ask_friend, self.caller(asker), message, now)
        return message.signed

    def answers(self, answerer: Person, asker: Person, signed: bytes, **how: bool) -> Outcome:
        message = answerer.answer(asker, signed, **how)
        return self.do(friends.answer_friend, self.caller(answerer), message, NOW)

    def befriend(self, one: Person, other: Person) -> None:
        """Make two friends as people do."""
        self.answers(other, one, self.asks(one, other))

    def identities(self, someone: Person) -> list[IdentityKey]:
        """Whom the store has as somebody's friends."""
        return [row.identity for row in self.store.friends_of(self.account(someone).id)]
