"""A tracker in the simulated network: its own services over SQLite in memory, and what a peer's mail exchange asks.

It may be away, bring mail twice and in any order, and go back in time like any machine that is restored from a backup.
It keeps the account states of people, whose devices see by them that it did.
What passes between it and a peer are the messages of the wire; sockets and sessions have rings of their own.
"""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from dataclasses import replace
from typing import Any

from peer.accounts import account_state
from peer.mail import lost, mail_exchange, mailing, postbox, prekeys, restored
from peer.people import standing
from peer.store import own
from peer.store.devices import signing_key_of
from tests.harness.people import Person
from tests.harness.simnet import SimPeer, Simulation
from tests.tracker.world import World
from tracker import accounts, mailbox, state
from tracker.effects import Caller
from tracker.errors import TrackerError
from tracker.storage.sqlite import SqliteStore
from wire.account_state import AccountState
from wire.errors import RemoteProtocolError
from wire.identity import peek_certificate
from wire.ids import AccountName, RequestId
from wire.mailbox import Prekey, Route, read_prekey, seal_letter
from wire.messages.accounts import PutState
from wire.messages.mailbox import (
    AskKept,
    AskMail,
    AskPrekeys,
    Deposit,
    MailItem,
    PutPrekeys,
    TakeMail,
)

REQUEST = RequestId(1)
STATE_BYTES = 16  # that stand for an account state here: sealing it has rings of its own


class Office:
    """One tracker. dice: for the order in which it brings mail."""

    def __init__(self, world: Simulation, dice: random.Random) -> None:
        self.world = world
        self.dice = dice
        self.tracker = World()
        self.is_up = True
        self.people: dict[str, Person] = {}
        self._friends: set[tuple[str, str]] = set()
        self._shown: dict[tuple[str, str], tuple[int, bytes]] = {}
        self._image: sqlite3.Connection | None = None
        self._states: dict[bytes, AccountState] = {}  # what stands for each at the tracker -> it
        self.deposits = 0

    # --- accounts

    def joins(self, peer: SimPeer) -> None:
        """Register the account of a person's first device."""
        name = AccountName(peer.account)
        auth_seed = peer.entropy.bytes(32)
        someone = Person(name, peer.seed, auth_seed, peer.keys, peer.entropy)
        self.people[peer.account] = someone
        self.tracker.do(accounts.register, someone.register(), someone.channel(), self.world.wall())

    def adds(self, peer: SimPeer) -> None:
        """Take a further device of an account."""
        before = self.people[peer.account]
        someone = replace(before, keys=peer.keys, vault_counter=before.vault_counter + 1)
        self.people[peer.account] = someone
        account = self.tracker.account(someone).id
        self.tracker.do(
            accounts.add_device,
            account,
            someone.add_device(),
            someone.channel(),
            self.world.wall(),
        )

    def befriend(self, one: str, other: str) -> None:
        """Note that two are friends; the harness carries what they sign."""
        ids = [self.tracker.account(self.people[name]).id for name in (one, other)]
        self.tracker.store.befriend(ids[0], ids[1], self.world.wall())
        self._friends |= {(one, other), (other, one)}

    # --- trouble

    def save(self) -> None:
        """Make a backup."""
        self._image = sqlite3.connect(":memory:", isolation_level=None)
        self.tracker.connection.backup(self._image)

    def go_back(self) -> bool:
        """Be put back from the backup, if there is one of these very accounts and devices."""
        image = self._image
        if image is None or any(
            image.execute(f"SELECT count(*) FROM {table}").fetchone()
            != self.tracker.connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            for table in ("accounts", "devices")
        ):
            return False
        image.backup(self.tracker.connection)
        self.tracker.store = SqliteStore(self.tracker.connection)
        return True

    # --- what a peer does there

    def visit(self, peer: SimPeer) -> None:
        """Let a device take, publish and leave what there is, as far as the tracker lets it."""
        if not self.is_up:
            return
        caller = self.tracker.do(accounts.admit, peer.keys.link_key)
        self._show_devices(peer)
        self._tell_anew(peer)
        told = mailbox.state(self.tracker.store, caller.device)
        peer.database.write(lost.told_left, told.left, peer.wall())
        self.follow(peer, caller)
        self.fetch(peer, caller)
        self.publish(peer, caller)
        self.ask_kept(peer, caller)
        self.leave(peer, caller)

    def _show_devices(self, peer: SimPeer) -> None:
        """Show the newest lists of friends, as a tracker does when they change and when somebody comes."""
        for name in sorted(other for one, other in self._friends if one == peer.account):
            account = self.tracker.account(self.people[name])
            key = (peer.name, name)
            news = (peer.boots, account.device_list)
            if self._shown.get(key) == news:
                continue
            self._shown[key] = news
            certificates = tuple(
                device.certificate for device in self.tracker.store.devices_of(account.id)
            )
            peer.carry_out(
                peer.database.write(
                    standing.told_by_tracker,
                    name,
                    account.device_list,
                    certificates,
                    peer.wall(),
                )
            )
        peer.commit()

    def _tell_anew(self, peer: SimPeer) -> None:
        """Tell what a device has that was put back from a backup, as a node's sweep does."""
        if peer.database.read(restored.is_due):
            linked = {session.device for session in peer.sessions.values()}
            effects = peer.database.write(restored.tell, peer.keys, linked, peer.wall())
            peer.commit()
            peer.carry_out(effects)

    def follow(self, peer: SimPeer, caller: Caller) -> None:
        """Take what other devices put into the account state, and put what changed, as a node does when it enters."""
        known, version = (
            peer.database.read(own.state_version),
            self.tracker.store.state_version(caller.account),
        )
        if version < known:
            peer.database.write(lost.tracker_went_back, peer.wall())
        if version != known:
            content = self.tracker.store.state_slice(caller.account, 0, STATE_BYTES).content
            held = self._states[content] if version else AccountState(0, 0, peer.keys.device, ())
            peer.carry_out(peer.database.write(account_state.merge, held, version))
        snapshot = peer.database.write(account_state.due, peer.wall())
        if snapshot is not None:
            content = peer.entropy.bytes(STATE_BYTES)
            self._states[content] = snapshot.state
            asked = PutState(REQUEST, snapshot.base_version, 0, 1, content)
            answer: Any = self.tracker.do(state.put_state, caller, asked, content).answer
            peer.database.write(account_state.put, snapshot, answer.version)
        peer.commit()

    def fetch(self, peer: SimPeer, caller: Caller) -> None:
        """Take what waits, in whatever order; now and then the tracker does not hear that it was taken."""
        answer: Any = self.tracker.do(mailbox.ask_mail, caller, AskMail(REQUEST, 0)).answer
        items: list[MailItem] = list(answer.items)
        if not items:
            return
        self.dice.shuffle(items)
        items += [item for item in items if self.dice.random() < 0.1]
        taken = peer.database.write(
            mailing.take, peer.keys, tuple(items), peer.wall(), peer.entropy
        )
        peer.commit()
        peer.carry_out(taken.effects)
        if self.dice.random() < 0.9:
            numbers = tuple(sorted(set(taken.numbers)))
            self.tracker.do(mailbox.take_mail, caller, TakeMail(REQUEST, numbers))

    def publish(self, peer: SimPeer, caller: Caller) -> None:
        """Publish prekeys."""
        is_doubted = peer.database.read(prekeys.are_doubted)
        while True:
            told = mailbox.state(self.tracker.store, caller.device)
            one_time, weekly = peer.database.write(
                prekeys.make,
                peer.keys,
                0 if is_doubted else told.one_time,
                told.has_weekly and not is_doubted,
                peer.wall(),
                peer.entropy,
            )
            peer.commit()
            if not one_time and not weekly:
                return
            put = PutPrekeys(REQUEST, one_time, weekly, is_doubted)
            self.tracker.do(mailbox.put_prekeys, caller, put)
            if is_doubted:
                is_doubted = False
                peer.database.write(prekeys.replaced, peer.wall())
            peer.database.write(prekeys.published, len(one_time))
            peer.commit()

    def ask_kept(self, peer: SimPeer, caller: Caller) -> None:
        """Ask about items that nobody receipted for long."""
        while True:
            found = peer.database.write(lost.unsure, peer.wall())
            if found is None:
                peer.commit()
                return
            to, items = found
            answer: Any = self.tracker.do(
                mailbox.ask_kept, caller, AskKept(REQUEST, to.name, to.device, items)
            ).answer
            peer.carry_out(peer.database.write(lost.on_kept, to, items, answer.items, peer.wall()))
            peer.commit()

    def leave(self, peer: SimPeer, caller: Caller) -> None:
        """Leave all that is due; now and then the power fails before that is noted."""
        barred = set()
        while True:
            linked = {session.device for session in peer.sessions.values()}
            found, _ = peer.database.read(postbox.due, linked, peer.wall())
            waiting = [one for one in found if one.device not in barred]
            if not waiting:
                return
            to = waiting[0]
            prekey = self._prekey(peer, caller, to)
            parcel = peer.database.read(postbox.compose, peer.keys, to, peer.wall())
            if prekey is None or parcel is None:
                barred.add(to.device)
                continue
            route = Route(
                peer.keys.identity, peer.keys.device, to.identity, to.device, prekey.number
            )
            sealed = seal_letter(parcel.letter, prekey.public, route, peer.entropy)
            item = peer.entropy.bytes(16)
            deposit = Deposit(REQUEST, to.name, to.device, item, prekey.number, sealed)
            self.tracker.do(mailbox.deposit, caller, deposit, self.world.wall())
            self.deposits += 1
            if self.dice.random() < 0.02:
                peer.crash()
                return
            peer.carry_out(peer.database.write(postbox.left, parcel, item, peer.wall()))
            peer.commit()

    def _prekey(self, peer: SimPeer, caller: Caller, to: postbox.Addressee) -> Prekey | None:
        try:
            answer: Any = self.tracker.do(
                mailbox.ask_prekeys, caller, AskPrekeys(REQUEST, to.name), self.world.wall()
            ).answer
        except TrackerError:
            return None
        certificates = tuple(row.certificate for row in answer.devices)
        peer.carry_out(
            peer.database.write(
                mail_exchange._note, to.name, answer.device_list, certificates, peer.wall()
            )
        )
        peer.commit()
        for row in answer.devices:
            if peek_certificate(row.certificate).device == to.device and row.prekey:
                key = peer.database.read(signing_key_of, to.device)
                if key is not None:
                    with suppress(RemoteProtocolError):
                        return read_prekey(row.prekey, to.device, key)
        return None
