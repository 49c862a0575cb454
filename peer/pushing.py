"""Sending linked devices what they lack: once for all writes of one commit, a long history piece by piece.

What lacks where is `syncing`'s to say; this is the loop around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from peer.effects import Effect, PushEvents
from peer.errors import PeerError
from peer.links import Links, PeerLink
from peer.log import live, syncing
from peer.store.database import Database
from wire import limits
from wire.errors import WireError


class Pushing:
    """What goes out on the links of one node.

    carry_out: does effects, on the link that is named with them. then: called after each round. spawn: makes a
    task that the node owns.
    """

    def __init__(
        self,
        database: Database,
        links: Links[PeerLink],
        *,
        carry_out: Callable[[list[Effect], PeerLink | None], None],
        then: Callable[[], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._database = database
        self._links = links
        self._carry_out = carry_out
        self._then = then
        self._spawn = spawn
        self._is_due = False

    def push(self, push: PushEvents) -> None:
        """Send each linked device but one what it lacks of a conversation, in the loop's next round."""
        for link in self._links.every():
            if link.device == push.except_device:
                continue
            is_free = link.pump.is_writable and not link.is_pushing
            if not is_free or not live.follow(link.session, push):
                link.session.touch(push.conversation)
        self.soon()

    def soon(self) -> None:
        """Have a round in the loop's next turn, one for all who ask."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._round)

    def push_on(self, link: PeerLink) -> None:
        """Send what the other end lacks; the rest of a long history goes piece by piece."""
        for message in live.take(link.session):
            link.pump.send(message)
        if link.is_pushing or not link.pump.is_open:
            return
        if link.session.behind and link.pump.is_writable:
            self._carry_out(self._database.read(syncing.next_batch, link.session), link)
        if link.session.behind:
            link.is_pushing = True
            self._spawn(self._push_rest(link))

    def _round(self) -> None:
        self._is_due = False
        for link in self._links.every():
            try:
                self.push_on(link)
            except (WireError, PeerError) as error:
                link.pump.close(error.code, error.detail[: limits.CLOSE_TEXT_CHARS])
        self._then()

    async def _push_rest(self, link: PeerLink) -> None:
        try:
            while link.pump.is_open:
                await link.pump.wait_writable()
                effects = self._database.read(syncing.next_batch, link.session)
                if not effects:
                    return
                self._carry_out(effects, link)
                await asyncio.sleep(0)  # talk of others goes in between
        finally:
            link.is_pushing = False
