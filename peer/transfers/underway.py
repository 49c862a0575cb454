"""The transfers that come of one node: which are open, which are being closed, which wait for their time.

Bookkeeping on the node's loop: nothing here decides, sends or touches a disk.
"""

from __future__ import annotations

import asyncio
from typing import Any

from peer.transfers.incoming import Incoming
from peer.transfers.lent import Lent
from wire.ids import DeviceId
from wire.messages.transfer import Verified
from wire.transfer.holding import OfferKey


class UnderWay:
    """Transfers by their rows in the book. open: those that may ask over a link."""

    def __init__(self) -> None:
        self.open: dict[int, Incoming] = {}
        self._closing: dict[int, asyncio.Event] = {}
        self._not_before: dict[int, float] = {}
        self._held: dict[int, DeviceId] = {}  # set aside since that device's person paused them
        self._patience: dict[int, float] = {}  # how long those waited last
        self._refused: set[int] = set()
        self._told: dict[int, Verified] = {}  # of those set aside: what their sender heard last

    @property
    def busy(self) -> set[int]:
        """The rows whose work folders are open, or still being closed."""
        return {*self.open, *self._closing}

    def lent(self, key: OfferKey) -> Lent | None:
        """Give what others may have of an offer that comes, or None where none of it is open."""
        for transfer in self.open.values():
            if transfer.due.key == key:
                return transfer.lent
        return None

    def may_begin(self, number: int, now: float) -> bool:
        """Say whether a transfer may be opened or may ask again. now: seconds, of the loop."""
        return number not in self._closing and now >= self._not_before.get(number, 0.0)

    def forget_all_but(self, due: set[int]) -> None:
        """Forget what was noted of transfers that are over. due: the rows that are not."""
        noted: dict[int, Any]
        for noted in (self._not_before, self._held, self._patience, self._told):
            for number in noted.keys() - due:
                del noted[number]
        self._refused &= due

    def take_out(self, number: int) -> Incoming:
        """Take a transfer out to be closed: nobody opens it anew before `closed`."""
        self._closing[number] = asyncio.Event()
        return self.open.pop(number)

    def closed(self, transfer: Incoming) -> None:
        """Take note that nothing of a transfer is open any more."""
        self._closing.pop(transfer.due.number).set()

    async def all_closed(self) -> None:
        """Wait until what is being closed now is closed."""
        for closing in list(self._closing.values()):
            await closing.wait()

    def set_aside(
        self, transfer: Incoming, now: float, wait_s: tuple[float, float], *, is_held: bool
    ) -> None:
        """Let a transfer wait. now: seconds, of the loop. wait_s: first, then twice as long each time up to this.

        What brought something meanwhile waits as at first. is_held: its friend's person paused it, until they
        say that it goes on.
        """
        number = transfer.due.number
        self._told[number] = transfer.progress()
        if is_held:
            self._held[number] = transfer.due.key.device
        elif transfer.verified_bytes > transfer.resumed_at:
            self._patience.pop(number, None)
        first, most = wait_s
        waits = self._patience[number] = min(2 * self._patience.get(number, first / 2), most)
        self._not_before[number] = now + waits

    def told_but(self, due: set[int]) -> dict[int, Verified]:
        """Give what the sender heard last of each that was set aside and is not due any more."""
        return {number: said for number, said in self._told.items() if number not in due}

    def let_ask(self, device: DeviceId) -> None:
        """Let what a device's person had paused ask again at once."""
        for number in [number for number, by in self._held.items() if by == device]:
            del self._held[number]
            self._patience.pop(number, None)
            self._not_before.pop(number, None)

    def is_refused_again(self, number: int) -> bool:
        """Take note that a friend does not know an offer; True from the second time on."""
        is_again = number in self._refused
        self._refused.add(number)
        return is_again
