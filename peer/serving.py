"""What comes on links of friends, taken in order, each to its end.

What lives here: one link's service. What does not: which links there are (`linking`), what is said on one (`syncing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peer import asks
from peer.accounts.state_links import StateLinks
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.links import Links, PeerLink
from peer.log import live, syncing
from peer.pushing import Pushing
from peer.reach.doorway import Doorway
from peer.store.database import Database
from peer.store.devices import note_addresses
from peer.times import wall
from peer.transfers.datalinks import TransferLinks
from wire import limits
from wire.errors import WireError
from wire.identity import DeviceKeys
from wire.machine import Entropy
from wire.messages import Message
from wire.messages.accounts import StateEntries
from wire.messages.friends import AskFriendship
from wire.messages.reach import AskDial
from wire.messages.session import Hello

INBOX_MESSAGES = 64
"""Received and not yet stored, of one link; beyond it the other side's stream is held."""


class Serving:
    """Serves the links of one node.

    doorway: hears who asks for friendship. data_links: gives the node's, None while it moves no files. carry_out: does effects
    of a committed transaction; the link they came from is named with them.
    """

    def __init__(
        self,
        keys: DeviceKeys,
        database: Database,
        links: Links[PeerLink],
        pushing: Pushing,
        doorway: Doorway,
        *,
        data_links: Callable[[], TransferLinks | None],
        carry_out: Callable[[list[Effect], PeerLink | None], None],
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._database = database
        self._links = links
        self._pushing = pushing
        self._doorway = doorway
        self._data_links = data_links
        self._carry_out = carry_out
        self._entropy = entropy
        self.own_state = StateLinks(database, links, carry_out)

    async def serve(
        self, link: PeerLink, hello: Hello, inbox: asyncio.Queue[Message | None]
    ) -> None:
        """Take what comes on one link, in order, until it ends."""
        self._tell(link, "up")
        self._doorway.tell_again(link)
        try:
            signed = (hello.certificate, hello.device_list)
            effects = await self._database.write_patiently(
                syncing.opened, link.device, link.identity, *signed, wall()
            )
            self._carry_out(effects, link)
            if link.identity == self._keys.identity:
                await self.own_state.opened(link.device)
            if (data_links := self._data_links()) is not None:
                data_links.linked(link.device)
            while (message := await inbox.get()) is not None:
                await self._on_message(link, message)
                if inbox.qsize() < INBOX_MESSAGES // 2:
                    link.pump.release()
        except (WireError, PeerError) as error:
            link.pump.close(error.code, error.detail[: limits.CLOSE_TEXT_CHARS])
        finally:
            self._links.remove(link)
            self.own_state.closed(link.device)
            self._tell(link, "down")

    async def _on_message(self, link: PeerLink, message: Message) -> None:
        keys, database = self._keys, self._database
        if link.is_answered and not isinstance(message, AskFriendship):
            link.is_answered = False
            await database.write_patiently(asks.heard, link.friend)
        if isinstance(message, AskDial):
            await self._asked_to_dial(link, message)
        if isinstance(message, StateEntries):
            await self.own_state.heard(link.device, message)
        if isinstance(message, AskFriendship):  # they lost what makes us friends: it is said again
            await self._doorway.asked(link.identity, message)
        if syncing.is_stored(message):
            write = database.write_patiently
            if syncing.is_told_again(message):
                write = database.write_unsynced
            elif live.is_brief(message):
                write = database.write_here_patiently
            effects = await write(
                syncing.store, keys, link.device, link.identity, message, wall(), self._entropy
            )
            syncing.stored(link.session, message)
            self._carry_out(effects, link)
        if syncing.is_compared(message):
            self._carry_out(database.read(syncing.compare, link.session, message), link)
            self._pushing.push_on(link)
        await link.pump.wait_writable()

    async def _asked_to_dial(self, link: PeerLink, asked: AskDial) -> None:
        """Dial a data link to a device that asks for one, where it says that it listens now."""
        await self._database.write_patiently(note_addresses, link.device, asked.signed)
        if (data_links := self._data_links()) is not None:
            data_links.asked_to_dial(link.identity, link.device)

    def _tell(self, link: PeerLink, state: str) -> None:
        self._carry_out([Tell(link.told(state))], None)
