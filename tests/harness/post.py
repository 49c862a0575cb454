"""A tracker's mailboxes for simulated peers: what a test may lose, double and reorder."""

from __future__ import annotations

import itertools
import sqlite3
from dataclasses import dataclass, field

from peer.mail import mailing, postbox, prekeys
from peer.store.devices import signing_key_of
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire import limits
from wire.ids import AccountName, DeviceId
from wire.mailbox import Prekey, Route, read_prekey, seal_letter
from wire.messages.mailbox import MailItem


@dataclass
class Post:
    """What a tracker keeps for everybody; a test may lose, double and reorder it."""

    world: Simulation
    keys: dict[DeviceId, list[bytes]] = field(default_factory=dict)
    weekly: dict[DeviceId, bytes] = field(default_factory=dict)
    items: dict[DeviceId, list[MailItem]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def publish(self, peer: SimPeer) -> None:
        device = peer.keys.device
        while True:
            held = len(self.keys.setdefault(device, []))
            one_time, weekly = peer.database.write(
                prekeys.make,
                peer.keys,
                held,
                device in self.weekly,
                peer.world.wall(),
                peer.entropy,
            )
            peer.database.commit()
            if not one_time and not weekly:
                return
            self.keys[device] += one_time
            if weekly:
                self.weekly[device] = weekly
            peer.database.write(prekeys.published, len(one_time))
            peer.database.commit()

    def key_for(self, sender: SimPeer, device: DeviceId) -> Prekey:
        signed = self.keys[device].pop(0) if self.keys.get(device) else self.weekly[device]
        key = sender.database.read(signing_key_of, device)
        assert key is not None
        return read_prekey(signed, device, key)

    def leave(self, sender: SimPeer) -> int:
        """Let a device leave all that is due; gives how many items."""
        count = 0
        while True:
            now = sender.world.wall()
            linked = {one.device for one in sender.sessions.values()}
            found, _ = sender.database.read(postbox.due, linked, now)
            found = [one for one in found if one.device in self.weekly]
            if not found:
                return count
            for to in found:
                parcel = sender.database.read(postbox.compose, sender.keys, to, now)
                assert parcel is not None
                prekey = self.key_for(sender, to.device)
                route = Route(
                    sender.keys.identity, sender.keys.device, to.identity, to.device, prekey.number
                )
                sealed = seal_letter(parcel.letter, prekey.public, route, sender.entropy)
                assert len(sealed) <= limits.MAIL_ITEM_BYTES
                item = sender.entropy.bytes(16)
                self.items.setdefault(to.device, []).append(
                    MailItem(
                        next(self.numbers),
                        sender.database.read(_name),
                        sender.keys.device,
                        item,
                        prekey.number,
                        now,
                        sealed,
                    )
                )
                sender.carry_out(sender.database.write(postbox.left, parcel, item, now))
                sender.commit()
                count += 1

    def fetch(self, peer: SimPeer) -> int:
        """Let a device take what waits for it; gives how many items."""
        items = tuple(self.items.pop(peer.keys.device, []))
        taken = peer.database.write(mailing.take, peer.keys, items, peer.world.wall(), peer.entropy)
        assert taken.numbers == tuple(item.number for item in items)
        peer.commit()
        peer.carry_out(taken.effects)
        return len(items)

    def spoil(self, peer: SimPeer) -> int:
        """Flip a bit of all that waits for a device: it does not open; gives how many items that are."""
        waiting = self.items.get(peer.keys.device, [])
        self.items[peer.keys.device] = [
            MailItem(one.number, one.name, one.device, one.item, one.prekey, one.at,
                     bytes((one.sealed[0] ^ 1,)) + one.sealed[1:])
            for one in waiting
        ]  # fmt: skip
        return len(waiting)

    def settle(self, *peers: SimPeer) -> None:
        """Let everybody leave and take until nothing moves."""
        for _ in range(20):
            moved = sum(self.leave(peer) + self.fetch(peer) for peer in peers)
            if not moved:
                return
        raise AssertionError("mail goes round and round")


def _name(connection: sqlite3.Connection) -> AccountName:
    return AccountName(connection.execute("SELECT name FROM own").fetchone()[0])


def town(seed: int = 1) -> tuple[Simulation, Post, SimPeer, SimPeer]:
    world = Simulation(seed)
    post = Post(world)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    for peer in (alice, bob):
        post.publish(peer)
    return world, post, alice, bob


def say(peer: SimPeer, to: str, *texts: str) -> None:
    for text in texts:
        peer.say(to, text)
    peer.world.run(peer.world.now + 100)


def states(peer: SimPeer) -> list[str]:
    rows = peer.database.connection.execute("SELECT state FROM outbox ORDER BY event").fetchall()
    return [state for (state,) in rows]


def later(world: Simulation, ms: int = 6000) -> None:
    world.run(world.now + ms)
