"""Putting the account state to the tracker and fetching what other devices of the account put there.

Put by compare-and-swap: who comes second gets STATE_CONFLICT, fetches, merges and puts again. Pins, verified
marks and blocks go at once, the rest at most once a minute and before a clean stop. What decides lives in
`peer.accounts.account_state`; here is only the talk about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Protocol, TypeVar

from peer import api
from peer.accounts import account_state
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.identity import Profile
from peer.mail import lost, prekeys
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire import limits
from wire.account_state import AccountState, open_state, pages_of, seal_state
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import AccountName, RequestId
from wire.machine import Entropy
from wire.messages import Message, accounts
from wire.messages.session import Done
from wire.state_key import open_state_key, state_key_hash

AnswerT = TypeVar("AnswerT", bound=Message)
TRIES = 10  # one for each device that may put at the same time
FETCH_TRIES = 3  # a state that changes while its pages are read is read anew


class Asks(Protocol):
    """Whoever asks the tracker: a link of its own, or a node's uplink."""

    async def ask(self, build: Callable[[RequestId], Message], answer: type[AnswerT]) -> AnswerT:
        """Ask one thing; raises PeerError."""
        ...


async def fetch(
    link: TrackerLink, state_key: bytes, name: AccountName
) -> tuple[int, AccountState | None]:
    """Give (version, state) as the tracker has it; (0, None) where nothing was ever put.

    Raises PeerError(STATE_INVALID) for one that no device of the account sealed, and what the link raises.
    """
    version, box = await fetch_box(link)
    if box is None:
        return version, None
    try:
        return version, open_state(box, state_key, name)
    except RemoteProtocolError as error:
        raise PeerError(error.code, error.detail) from error


async def fetch_box(link: Asks) -> tuple[int, bytes | None]:
    """Give (version, sealed state) as the tracker has it; (0, None) where nothing was ever put.

    Raises PeerError(STATE_INVALID) for one that is too long, STATE_CONFLICT for one that never rests.
    """
    for _ in range(FETCH_TRIES):
        first = await _page(link, 0)
        if first.pages == 0:
            return first.version, None
        if first.pages * limits.PAGE_BYTES > limits.ACCOUNT_STATE_BYTES:
            raise PeerError(Code.STATE_INVALID, f"the account state has {first.pages} pages")
        pages = [first]
        while len(pages) < first.pages and pages[-1].version == first.version:
            pages.append(await _page(link, len(pages)))
        if pages[-1].version == first.version:
            return first.version, b"".join(page.content for page in pages)
    raise PeerError(Code.STATE_CONFLICT)


async def _page(link: Asks, page: int) -> accounts.State:
    return await link.ask(lambda request: accounts.AskState(request, page), accounts.State)


class StateExchange:
    """The account state of one node while tracker links come and go.

    on_effects: called after each commit with what entries of other devices led to. on_state_key: called with the
    state key that another device renewed, before anything is sealed by it here; gives whether the disk has it.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        on_effects: Callable[[list[Effect]], None],
        on_state_key: Callable[[bytes], Awaitable[bool]],
        entropy: Entropy,
    ) -> None:
        self._on_state_key = on_state_key
        self._state_key = profile.state_key
        self._profile = profile
        self._database = database
        self._on_effects = on_effects
        self._entropy = entropy
        self._is_pressing = asyncio.Event()
        self._turn = asyncio.Lock()
        self.trouble: str | None = None  # why the state cannot be taken; then none is put over it

    def is_current(self) -> bool:
        """Say whether the state key here is the one that the newest device list names."""
        named = self._database.read(own.own_list).state_key_hash
        return named in (b"", state_key_hash(self._state_key))

    def renewed(self, state_key: bytes) -> None:
        """Go on with the state key that this device drew; what it knows is put anew, sealed by that."""
        self._state_key = state_key
        self.press()

    async def offered(self, state_key: bytes) -> None:
        """Take the state key that another own device gives, if it is the one that is missing here."""
        named = self._database.read(own.own_list).state_key_hash
        if not self.is_current() and state_key_hash(state_key) == named:
            await self._hold(state_key)
            self._is_pressing.set()

    async def _hold(self, state_key: bytes) -> bool:
        """Go on with a state key that the newest list names; gives whether the disk has it."""
        is_kept = await self._on_state_key(state_key)
        if state_key_hash(state_key) == self._database.read(own.own_list).state_key_hash:
            self._state_key = state_key  # else it was renewed once more meanwhile
        return is_kept

    def press(self) -> None:
        """Take note that something changed which should not wait a minute."""
        self._is_pressing.set()

    async def entered(self, link: TrackerLink, version: int) -> None:
        """Take what was put while this device was away; version: of the state at the tracker now.

        One that is lower than known shows that the tracker went back to a backup, and lost mail with it.
        """
        known = self._database.read(own.state_version)
        if version < known:
            await self._database.write_patiently(lost.tracker_went_back, wall())
        if version != known or not self.is_current():
            await self.changed(link)

    async def changed(self, link: TrackerLink) -> None:
        """Fetch and merge; what does not open is told, and left as it is at the tracker."""
        async with self._turn:
            await self._take(link)

    async def keep(self, link: TrackerLink) -> None:
        """Put what changes here, until cancelled or the link ends."""
        with suppress(PeerError):  # the link ended: the next one begins again
            while True:
                await self.put(link)
                with suppress(TimeoutError):
                    async with asyncio.timeout(limits.STATE_PUT_EVERY_S):
                        await self._is_pressing.wait()

    async def put(self, link: TrackerLink) -> None:
        """Put what the tracker does not hold yet, if there is anything.

        Raises PeerError if the link ended; what the tracker refused for now is put the next time.
        """
        async with self._turn:
            self._is_pressing.clear()
            if self.trouble is not None and self.is_current():
                await self._take(link)
            for _ in range(TRIES):
                snapshot = await self._database.write_patiently(account_state.due, wall())
                if snapshot is None or self.trouble is not None or not self.is_current():
                    return
                state_key = self._state_key
                try:
                    version = await self._put_pages(link, snapshot)
                except PeerError as error:
                    if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                        raise
                    if error.code is not Code.STATE_CONFLICT:
                        return
                    await self._take(link)
                else:
                    if state_key == self._state_key and self.is_current():
                        await self._database.write_patiently(account_state.put, snapshot, version)
                        return
                    # The key was renewed meanwhile: what lies there now is as good as not put.

    async def _put_pages(self, link: TrackerLink, snapshot: account_state.Snapshot) -> int:
        """Put all pages; gives the version they made."""
        profile = self._profile
        box = seal_state(snapshot.state, self._state_key, profile.name, self._entropy)
        pages = pages_of(box)

        def page(number: int, request: RequestId) -> accounts.PutState:
            return accounts.PutState(
                request, snapshot.base_version, number, len(pages), pages[number]
            )

        for number in range(len(pages) - 1):
            await link.ask(partial(page, number), Done)
        answer = await link.ask(partial(page, len(pages) - 1), accounts.StatePut)
        return answer.version

    async def _heal(self, link: TrackerLink, message: str) -> None:
        """Put our own state over one that does not open, if we ever had what the devices share.

        What other devices know beyond it they put again when they see the new one. A device that never had
        it would only wipe out what may still be mended.
        """
        counter = self._database.read(own.state_counter)
        if counter == 0:
            self.trouble = message
            return
        page = await _page(link, 0)
        nothing = AccountState(counter, 0, self._profile.keys.device, ())
        self._on_effects(
            await self._database.write_patiently(account_state.merge, nothing, page.version)
        )

    async def _take_key(self, link: TrackerLink) -> bool:
        """Take the state key that another device renewed, sealed to a prekey of ours; False if there is none."""
        keys = self._profile.keys
        named = self._database.read(own.own_list).state_key_hash
        for copy in (await _page(link, 0)).copies:
            private = self._database.read(prekeys.private_of, copy.prekey)
            if copy.device != keys.device or private is None:
                continue
            with suppress(RemoteProtocolError):
                state_key = open_state_key(copy, private, keys.identity, named)
                if await self._hold(state_key):  # else the copy is opened another time
                    await self._database.write_patiently(prekeys.use_up, copy.prekey)
                return self.is_current()
        return False

    async def _take(self, link: TrackerLink) -> None:
        if not self.is_current() and not await self._take_key(link):
            self.trouble = "the state key was renewed, and this device has not got it yet"
            return
        try:
            version, state = await fetch(link, self._state_key, self._profile.name)
        except PeerError as error:
            if error.code is not Code.STATE_INVALID:
                raise
            body: dict[str, object] = {"code": error.code.value, "message": error.message}
            self._on_effects([Tell(api.Event("notice", body))])
            await self._heal(link, error.message)
            return
        self.trouble = None
        if state is None:
            state = AccountState(0, 0, self._profile.keys.device, ())
        self._on_effects(await self._database.write_patiently(account_state.merge, state, version))
