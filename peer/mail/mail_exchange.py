"""The talk with the tracker about mail: publishing prekeys, leaving items, fetching those that wait.

One task for as long as a tracker link lasts. What is due decides `postbox`, what comes is taken by `mailing`;
here is only the asking. Nothing is said to the tracker before it is committed here, and an item is forgotten
there only after what it held is.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from itertools import pairwise

from peer.effects import Effect, NoteDenial
from peer.errors import PeerError
from peer.identity import Profile
from peer.mail import lost, mailing, postbox, prekeys
from peer.people import standing
from peer.store.database import Database
from peer.store.devices import signing_key_of
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import peek_certificate
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import Entropy, UnixMillis
from wire.mailbox import Prekey, Route, read_prekey, seal_letter
from wire.messages import mailbox
from wire.messages.session import Done

log = logging.getLogger("peer.mail")
LOOK_S = 60.0  # when nothing said that something is due
PAUSE_S = 60.0  # a device whose mail was refused is left alone for so long
PUBLISH_S = 3600.0  # a weekly key may be due
PACE_S = 0.1  # between two looks, however much is said meanwhile
ITEM_BYTES = 16
NOTHING = mailbox.MailboxState(0, limits.PREKEYS, has_weekly=True)
"""How a mailbox stands of which nothing new was told."""


class MailExchange:
    """The mail of one node while tracker links come and go.

    linked: gives the devices with an open link now. on_effects: called after each commit.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        linked: Callable[[], Collection[DeviceId]],
        on_effects: Callable[[list[Effect]], None],
        entropy: Entropy,
    ) -> None:
        self._profile = profile
        self._database = database
        self._linked = linked
        self._on_effects = on_effects
        self._entropy = entropy
        self._news = asyncio.Event()
        self._pressed: set[IdentityKey] = set()  # something was said with these people
        self._look_at = 0.0  # on the loop's clock: then at everybody's mail
        self._publish_at = 0.0
        self._told = NOTHING
        self._is_told = asyncio.Event()
        self._left = 0  # as the first word on this link says, before anything was left on it
        self._paused: dict[DeviceId, tuple[IdentityKey, float]] = {}  # whose, and until when
        self._unpaused: set[IdentityKey] = set()  # whose pauses end, those that begin right now too
        self._noted: set[tuple[str, bytes]] = set()  # lists that something was told of
        self._turn = asyncio.Lock()
        self.has_taken = asyncio.Event()  # all that waited when the link began

    def press(self, identity: IdentityKey) -> None:
        """Take note that something was said with somebody: worth a try, also where none helped a moment ago."""
        self._pressed.add(identity)
        self._unpaused.add(identity)
        self._news.set()

    def look(self) -> None:
        """Take note that something may be due for anybody."""
        self._look_at = 0.0
        self._news.set()

    def told(self, state: mailbox.MailboxState) -> None:
        """Take the tracker's word on how the mailbox stands."""
        self._told = state
        if not self._is_told.is_set():
            self._left = state.left
        self._is_told.set()
        self._news.set()

    def begin(self) -> None:
        """Forget what was told on an earlier link, before the first word of another one can come."""
        self._is_told.clear()
        self.has_taken.clear()
        self._look_at = self._publish_at = 0.0

    async def keep(self, link: TrackerLink) -> None:
        """Fetch, publish and leave what there is, until cancelled or the link ends."""
        try:
            await self._is_told.wait()  # how the mailbox stands is the first that is said of it
            await self._database.write_patiently(lost.told_left, self._left, wall())
            while True:
                self._news.clear()
                wait_s = await self.run(link)
                await asyncio.sleep(PACE_S)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._news.wait()
        except PeerError as error:
            log.info("mail waits: %s", error)  # the link ended: the next one begins again
        finally:
            self.has_taken.set()

    async def run(self, link: TrackerLink) -> float:
        """Do all that is due now; gives in how many seconds to look again.

        Raises PeerError if the link ended.
        """
        async with self._turn:
            now_s = asyncio.get_running_loop().time()
            told, self._told = self._told, NOTHING
            if told.waiting:
                await self._fetch(link)
                self._look_at = 0.0  # receipts are owed, to whomever
            self.has_taken.set()
            is_doubted = told.waiting > 0 and self._database.read(prekeys.are_doubted)
            if told is not NOTHING or now_s >= self._publish_at or is_doubted:
                await self._publish(link, told.one_time, told.has_weekly)
                self._publish_at = now_s + PUBLISH_S
            pressed, self._pressed = (
                self._pressed,
                set(),
            )  # who is named meanwhile is looked at next
            of = None if now_s >= self._look_at else pressed
            if of is None:
                await self._ask_kept(link)
            due = await self._leave_all(link, of)
            wait_s = LOOK_S
            if due is not None:
                self._pressed |= pressed
                wait_s = min(max((due - wall()) / 1000, 0.0), LOOK_S)
            if of is None:
                self._look_at = now_s + wait_s  # what is due later is for whomever, too
            return wait_s

    # --- what comes

    async def _fetch(self, link: TrackerLink) -> None:
        after = 0
        while True:
            mail = await link.ask(partial(mailbox.AskMail, after=after), mailbox.Mail)
            if not mail.items:
                return
            numbers = [after, *(item.number for item in mail.items)]
            if any(later <= earlier for earlier, later in pairwise(numbers)):
                link.refuse(Code.NUMBER_RANGE, "mail whose numbers do not go up")
                return
            taken = await self._database.write_patiently(
                mailing.take, self._profile.keys, mail.items, wall(), self._entropy
            )
            for item in mail.items:
                self._paused.pop(item.device, None)  # it is there, and is answered at once
            self._on_effects(taken.effects)
            await link.ask(partial(mailbox.TakeMail, items=taken.numbers), Done)
            after = mail.items[-1].number
            if taken.has_used_keys:
                await self._database.scrub()

    async def _publish(self, link: TrackerLink, held: int, has_weekly: bool) -> None:
        is_doubted = self._database.read(prekeys.are_doubted)
        if is_doubted:
            held, has_weekly = 0, False
        while True:
            one_time, weekly = await self._database.write_patiently(
                prekeys.make, self._profile.keys, held, has_weekly, wall(), self._entropy
            )
            if not one_time and not weekly:
                return
            put = partial(mailbox.PutPrekeys, one_time=one_time, weekly=weekly, replaces=is_doubted)
            answer = await link.ask(put, mailbox.PrekeysHeld)
            if is_doubted:
                await self._database.write_patiently(prekeys.replaced, wall())
                is_doubted = False
            await self._database.write_patiently(prekeys.published, len(one_time))
            if answer.one_time <= held and not weekly:
                return
            held, has_weekly = answer.one_time, True

    # --- what goes

    async def _leave_all(
        self, link: TrackerLink, of: Collection[IdentityKey] | None
    ) -> UnixMillis | None:
        """Leave everything that is due, a round of one item for each device after the other.

        Gives when more will be due that a link may still bring.
        """
        now_s = asyncio.get_running_loop().time()
        while True:
            unpaused, self._unpaused = self._unpaused, set()
            self._paused = {
                device: (identity, at)
                for device, (identity, at) in self._paused.items()
                if at > now_s and identity not in unpaused
            }
            found, later = self._database.read(postbox.due, self._linked(), wall(), of)
            waiting = [one for one in found if one.device not in self._paused]
            if not waiting:
                return later
            for name in dict.fromkeys(one.name for one in waiting):
                mine = [one for one in waiting if one.name == name]
                keys = await self._prekeys(link, mine)
                for addressee in mine:
                    prekey = keys.get(addressee.device)
                    is_left = prekey is not None and await self._leave(link, addressee, prekey)
                    if not is_left:
                        self._paused[addressee.device] = (addressee.identity, now_s + PAUSE_S)

    async def _ask_kept(self, link: TrackerLink) -> None:
        """Ask about items that nobody receipted for long; those that are kept no more are due again."""
        for _ in range(limits.DEVICES):
            found = await self._database.write_patiently(lost.unsure, wall())
            if found is None:
                return
            to, items = found
            ask = partial(mailbox.AskKept, name=to.name, device=to.device, items=items)
            try:
                kept = (await link.ask(ask, mailbox.Kept)).items
            except PeerError as error:
                if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                    raise
                kept = items  # it says nothing about them
            self._on_effects(
                await self._database.write_patiently(lost.on_kept, to, items, kept, wall())
            )

    async def _prekeys(
        self, link: TrackerLink, mine: list[postbox.Addressee]
    ) -> dict[DeviceId, Prekey]:
        """Give a verified prekey for each device of one account that has one."""
        name, identity = mine[0].name, mine[0].identity
        try:
            found = await link.ask(
                lambda request: mailbox.AskPrekeys(request, name), mailbox.Prekeys
            )
        except PeerError as error:
            if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                raise
            return {}
        keys: dict[DeviceId, Prekey] = {}
        if found.identity != identity:
            return keys  # the tracker means somebody else: the pin counts
        certificates = tuple(device.certificate for device in found.devices)
        effects = await self._database.write_patiently(
            _note, name, found.device_list, certificates, wall()
        )
        if effects and (name, found.device_list) not in self._noted:
            self._on_effects(effects)  # an older list is told once, however often it is shown
            self._noted.add((name, found.device_list))
        for row in found.devices:
            try:
                device = peek_certificate(row.certificate).device
                signing_key = self._database.read(signing_key_of, device)
                if row.prekey and signing_key is not None:
                    keys[device] = read_prekey(row.prekey, device, signing_key)
            except RemoteProtocolError as error:
                self._on_effects([NoteDenial("the tracker", f"a prekey of {name}", error.code)])
        return keys

    async def _leave(self, link: TrackerLink, to: postbox.Addressee, prekey: Prekey) -> bool:
        """Leave one item; False where the tracker does not take it now."""
        keys, now = self._profile.keys, wall()
        parcel = self._database.read(postbox.compose, keys, to, now)
        if parcel is None:
            return True
        route = Route(keys.identity, keys.device, to.identity, to.device, prekey.number)
        item = self._entropy.bytes(ITEM_BYTES)
        try:
            sealed = seal_letter(parcel.letter, prekey.public, route, self._entropy)
            await link.ask(
                lambda request: mailbox.Deposit(
                    request, to.name, to.device, item, prekey.number, sealed
                ),
                Done,
            )
        except RemoteProtocolError as error:
            self._on_effects([NoteDenial("the tracker", f"a prekey of {to.name}", error.code)])
            return False
        except PeerError as error:
            if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                raise
            log.info("no mail for %s: %s", to.name, error)
            return False
        self._on_effects(await self._database.write_patiently(postbox.left, parcel, item, now))
        return True


def _note(
    connection: sqlite3.Connection,
    name: AccountName,
    device_list: bytes,
    certificates: tuple[bytes, ...],
    now: UnixMillis,
) -> list[Effect]:
    """Learn an account's devices, as far as they verify under its pin; an older list is told by name."""
    try:
        return standing.told_by_tracker(connection, name, device_list, certificates, now)
    except RemoteProtocolError as error:
        return [NoteDenial("the tracker", f"a device list of {name}", error.code)]
