"""Offers between people of the simulated world: making them, answering them, and bringing the news over."""

from __future__ import annotations

from collections import Counter

from peer import api, conversations
from peer.effects import Effect, PushEvents
from peer.people import contacts
from peer.transfers import manager
from peer.transfers.manager import Contents
from tests.harness.simnet import SimPeer
from tests.harness.talk import pass_on
from wire.ids import OfferId
from wire.log.event import Content
from wire.transfer.holding import OfferKey

MIB = 1024 * 1024


def contents(title: str = "holiday", files: int = 3, size: int = 64 * MIB) -> Contents:
    """Give what an offer says of its contents."""
    return Contents(title, files, size, ("a.jpg", "b.jpg"), 99, b"m" * 32, [])


def offer(
    one: SimPeer, *to: str, what: Contents | None = None, offer_id: OfferId | None = None
) -> tuple[str, list[Effect]]:
    """Offer something durably; gives the offer's id and what follows."""
    chosen = offer_id or OfferId(one.entropy.bytes(16))
    made, effects = one.database.write(
        manager.offer, one.keys, to, chosen, what or contents(), one.world.wall(), one.entropy
    )
    one.database.commit()
    assert made.offer == chosen.hex()
    return made.offer, effects


def accept(one: SimPeer, prefix: str, folder: str = "/srv/in") -> tuple[api.Offer, list[Effect]]:
    """Take an offer durably."""
    taken = one.database.write(
        manager.accept, one.keys, prefix, folder, one.world.wall(), one.entropy
    )
    one.database.commit()
    return taken


def decline(one: SimPeer, prefix: str) -> tuple[api.Offer, list[Effect]]:
    """Refuse an offer durably."""
    refused = one.database.write(manager.decline, one.keys, prefix, one.world.wall(), one.entropy)
    one.database.commit()
    return refused


def bring(effects: list[Effect], one: SimPeer, to: SimPeer) -> list[Effect]:
    """Bring what some effects push to another peer, an event each, and give what follows there.

    The newest ones that are not there yet: what was said last may come first.
    """
    pushed = Counter(each.conversation for each in effects if isinstance(each, PushEvents))
    followed: list[Effect] = []
    for conversation, count in pushed.items():
        rows = one.database.connection.execute(
            "SELECT e.id FROM events e JOIN conversations v ON v.number = e.conversation"
            " WHERE v.id = ? AND e.device = ? ORDER BY e.number",
            (conversation, one.keys.device),
        ).fetchall()
        lacking = [event for (event,) in rows if not _has(to, event)]
        followed += pass_on(one, to, *(event.hex() for event in lacking[-count:]))
    return followed


def _has(one: SimPeer, event: bytes) -> bool:
    found = one.database.connection.execute("SELECT 1 FROM events WHERE id = ?", (event,))
    return found.fetchone() is not None


def states(one: SimPeer) -> list[tuple[str, str]]:
    """Give (direction, state) of every offer."""
    return [(o.direction, o.state) for o in one.database.read(manager.offers)]


def transfers(one: SimPeer) -> list[api.Transfer]:
    """Give every transfer."""
    return one.database.read(manager.transfers)


def key_of(one: SimPeer, offer_id: str) -> OfferKey:
    """Give the key of an offer of somebody."""
    return OfferKey(one.keys.device, OfferId(bytes.fromhex(offer_id)))


def say_about(one: SimPeer, friend: str, content: Content) -> list[Effect]:
    """Write an event about an offer; gives what follows."""
    contact = one.database.read(contacts.find_friend, friend)
    _, effects = one.database.write(
        conversations.add_own,
        one.keys,
        contact,
        content,
        now=one.world.wall(),
        entropy=one.entropy,
    )
    one.database.commit()
    return effects
