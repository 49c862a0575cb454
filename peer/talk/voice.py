"""Saying things on a running node: all that is asked for in one round of the loop is written in one go.

Each is kept by itself, in the order in which it was asked for: one that cannot be said keeps no other from it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator

from msgspec import Struct

from peer import api, conversations
from peer.accounts.keyholder import KeyHolder
from peer.audience import Audience
from peer.conversations import Saying
from peer.effects import Effect
from peer.errors import PeerError
from peer.history import history
from peer.store import done
from peer.store.database import Database
from peer.talk.arrivals import Arrivals
from peer.times import wall
from wire.errors import WireError
from wire.ids import account_name
from wire.machine import Entropy

Outcome = api.MessageState | BaseException
"""How a message stands that was kept (promise D1), or why it was not."""

Heard = Callable[[Outcome], None]
Written = tuple[Outcome, list[Effect]]


class _Wish(Struct, frozen=True):
    """One thing to be said. request_id: of the command, or empty. then: hears what became of it."""

    request_id: str
    to: str
    saying: Saying
    then: Heard


class Voice:
    """What one node says.

    keyholder: has the device's keys as they are now. carry_out: does effects of a committed transaction. audience: hears how
    far things come.
    """

    def __init__(
        self,
        database: Database,
        keyholder: KeyHolder,
        carry_out: Callable[[list[Effect]], None],
        audience: Audience,
        entropy: Entropy,
    ) -> None:
        self.arrivals = Arrivals(audience)
        self._database = database
        self._keyholder = keyholder
        self._carry_out = carry_out
        self._entropy = entropy
        self._wishes: list[_Wish] = []

    def say(self, command: api.SendText, request_id: str, then: Heard) -> None:
        """Keep what a command says; what was said under that id before is given as far as it has come.

        then: called in the loop's thread, right after what was said left on the links that stand: before any receipt
        can come, and without a friend waiting for that.
        """
        if not self._wishes:
            asyncio.get_running_loop().call_soon(self._begin)
        saying = Saying(command.text, command.reply_to)
        self._wishes.append(_Wish(request_id, command.to, saying, then))

    def _begin(self) -> None:
        wishes, self._wishes = self._wishes, []
        try:
            kept = self._database.begin_here(self._write, wishes)
        except PeerError as error:
            for wish in wishes:
                wish.then(error)
        else:
            kept.add_done_callback(lambda written: self._tell(wishes, written))

    def _tell(self, wishes: list[_Wish], kept: asyncio.Future[list[Written]]) -> None:
        error = kept.exception()
        written = kept.result() if error is None else [(error, [])] * len(wishes)
        for _, effects in written:
            self._carry_out(effects)
        asyncio.get_running_loop().call_soon(_answer, wishes, written)

    # --- in the transaction

    def _write(self, connection: sqlite3.Connection, wishes: list[_Wish]) -> list[Written]:
        """Write what was not written before; two wishes of one id are one."""
        keys = [wish.request_id or number for number, wish in enumerate(wishes)]
        before = done.find_all(connection, [key for key in keys if isinstance(key, str)])
        written: dict[str | int, Written] = {
            key: (_as_it_is(connection, result), []) for key, result in before.items()
        }
        friends: dict[str, dict[str | int, Saying]] = {}
        for key, wish in zip(keys, wishes, strict=True):
            if key not in written:
                friends.setdefault(wish.to, {}).setdefault(key, wish.saying)
        for to, sayings in friends.items():
            said = self._say_all(connection, to, list(sayings.values()))
            written.update(zip(sayings, said, strict=True))
            results = [(key, outcome) for key, (outcome, _) in zip(sayings, said, strict=True)]
            done.note_all(connection, _named(results), wall())
        found: list[Written] = []
        for key in keys:
            outcome, effects = written[key]
            written[key] = outcome, []  # they follow once
            found.append((outcome, effects))
        return found

    def _say_all(
        self, connection: sqlite3.Connection, to: str, sayings: list[Saying]
    ) -> list[Written]:
        """Say things to one friend; where one of them cannot be said, each alone."""
        try:
            keys, name = self._keyholder.profile.keys, account_name(to)
            return [*conversations.say_all(connection, keys, name, sayings, wall(), self._entropy)]
        except (PeerError, WireError) as error:
            if len(sayings) == 1:
                return [(error, [])]
        return [one for saying in sayings for one in self._say_all(connection, to, [saying])]


def _answer(wishes: list[_Wish], written: list[Written]) -> None:
    for wish, (outcome, _) in zip(wishes, written, strict=True):
        wish.then(outcome)


def _named(results: list[tuple[str | int, Outcome]]) -> Iterator[tuple[str, api.Result]]:
    """Give those that are asked for again by an id, and were kept."""
    for key, outcome in results:
        if isinstance(key, str) and isinstance(outcome, api.MessageState):
            yield key, outcome


def _as_it_is(connection: sqlite3.Connection, before: api.Relayed) -> api.MessageState:
    event = str(before.item["id"])
    return api.MessageState(event, history.state_of(connection, bytes.fromhex(event)))
