"""A roster with people on it, as the tests of presence use it."""

from __future__ import annotations

from typing import Any

from tests.harness.people import Person
from tests.tracker.world import NOW, World
from tracker import accounts
from tracker.effects import Caller
from tracker.presence import Roster
from tracker.seats import Delivery, Told, Word
from wire.codec import decode
from wire.ids import RequestId
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.friends import Friend
from wire.messages.presence import SetPresence, Show

LATER = UnixMillis(NOW + 5000)
HERE = Word(Show.AVAILABLE)


def read(record: bytes) -> Any:
    message = decode(Purpose.TRACKER, record)
    assert message is not None
    return message


def said(deliveries: list[Delivery[str]]) -> list[tuple[str, Message]]:
    return [(delivery.session, read(delivery.record)) for delivery in deliveries]


class Town:
    """People with accounts, and the roster that sees them come and go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.roster: Roster[str] = Roster()
        self.callers: dict[str, Caller] = {}

    def join(self, *names: str) -> list[Person]:
        return [self.world.joins(name) for name in names]

    def caller(self, who: Person) -> Caller:
        return self.world.caller(who)

    def come(
        self,
        who: Person,
        session: str,
        word: Word = HERE,
        *,
        is_unseen: bool = False,
        is_idle: bool = False,
        now: UnixMillis = NOW,
    ) -> tuple[list[Message], list[Message], Told[str]]:
        caller = self.caller(who)
        snapshot = self.world.do(accounts.enter, caller, UnixMillis(0), now)
        pages, more, told = self.roster.enter(
            caller, session, snapshot, word, is_unseen=is_unseen, is_idle=is_idle, now=now
        )
        return [read(page) for page in pages], [read(record) for record in more], told

    def go(self, who: Person, session: str, now: UnixMillis = LATER) -> Told[str]:
        caller = self.caller(who)
        told = self.roster.leave(caller.account, caller.device, session, now)
        if told.last_seen is not None:
            self.world.store.put_last_seen(caller.account, told.last_seen)
        return told

    def shows(self, who: Person, show: Show, text: str = "", until: int = 0) -> Told[str]:
        message = SetPresence(RequestId(1), show, text, until)
        return self.roster.set_presence(self.caller(who), message, LATER)

    def uses(self, who: Person, session: str, *, is_idle: bool) -> Told[str]:
        return self.roster.set_idle(self.caller(who), session, is_idle=is_idle, now=LATER)

    def publishes(self, who: Person) -> list[Delivery[str]]:
        caller, signed = self.caller(who), who.addresses().signed
        self.world.store.put_addresses(caller.device, signed)
        return self.roster.put_addresses(caller, who.keys.certificate, signed)

    def add_device(self, who: Person) -> Person:
        laptop = who.with_device("laptop")
        account = self.world.account(who).id
        self.world.do(accounts.add_device, account, laptop.add_device(), laptop.channel(), NOW)
        return laptop


def friend(who: Person, show: Show, text: str = "", last_seen: int = 0) -> Friend:
    return Friend(who.name, who.identity, show, text, last_seen)
