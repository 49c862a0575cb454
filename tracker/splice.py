"""The relay's sockets: two halves that show tickets of one joint, and bytes that pass between them.

Knows asyncio; who may meet and how much may pass is `relay`'s. A half that cannot write holds the other's
reading, so what waits here is bounded: two transports' buffers and RELAY_EARLY_BYTES before the other came.
"""

from __future__ import annotations

import asyncio
import logging
import time

from tracker.config import Limits
from tracker.effects import Caller
from tracker.relay import Books, Joint
from tracker.storage.port import AccountId
from wire import limits
from wire.ids import DeviceId
from wire.machine import Entropy, Monotonic, UnixMillis

BURST_S = 0.25
"""How far ahead of its rate a pair may be before it is held."""

BUFFER_BYTES = 256 * 1024  # of a half that does not read as fast as the other sends

log = logging.getLogger("tracker")


class Pace:
    """A rate that is not exceeded for longer than BURST_S. rate_bytes_per_s: above 0."""

    def __init__(self, rate_bytes_per_s: int) -> None:
        self._rate = rate_bytes_per_s
        self._paid_until = 0.0

    def spend(self, count: int, now: float) -> float:
        """Count bytes that pass; gives the seconds for which no more should come."""
        self._paid_until = max(self._paid_until, now) + count / self._rate
        return max(0.0, self._paid_until - now - BURST_S)


class Splices:
    """All joints of one tracker whose halves are here or awaited."""

    def __init__(self, chosen: Limits, entropy: Entropy, *, is_on: bool) -> None:
        self._chosen = chosen
        self.books = Books(chosen, entropy, is_on=is_on)
        self._pairs: dict[Joint, Pair] = {}
        self._pace = Pace(chosen.relay_bytes_per_s)

    def open(
        self, asker: Caller, other: tuple[AccountId, DeviceId], now: Monotonic, wall: UnixMillis
    ) -> tuple[bytes, bytes]:
        """Give tickets for the asker and for another device; raises RELAY_OFF or RELAY_LIMIT."""
        account, device = other
        joint = self.books.open((asker.account, account), (asker.device, device), now, wall)
        return joint.tickets

    def join(self, ticket: bytes, transport: asyncio.Transport, first: bytes) -> Half:
        """Take a connection that showed a ticket, and what it sent behind it; raises HANDSHAKE_FAILED."""
        loop = asyncio.get_running_loop()
        joint, side = self.books.join(ticket, Monotonic(loop.time()))
        pair = self._pairs.get(joint)
        if pair is None:
            pair = self._pairs[joint] = Pair(self, joint, loop)
        return pair.join(side, transport, first)

    def spend(self, joint: Joint, count: int, now: float, wall: UnixMillis) -> tuple[bool, float]:
        """Count bytes of one joint; gives whether more may pass today, and how long to wait for all's sake."""
        return self.books.carry(joint, count, wall), self._pace.spend(count, now)

    @property
    def rate_bytes_per_s(self) -> int:
        """What one pair may carry."""
        return self._chosen.relay_pair_bytes_per_s

    def sweep(self, now: Monotonic) -> None:
        """End the joints of which a half never came, and those on which nothing passes any more."""
        for joint in self.books.expire(now):
            self._end(joint, "the other half never came")
        for joint, pair in list(self._pairs.items()):
            if now >= pair.passed_at + limits.RELAY_IDLE_S:
                self._end(joint, "nothing passed for a while")

    def part(self, one: AccountId, other: AccountId) -> None:
        """End what two accounts have here: they are friends no more."""
        for joint in [joint for joint in self._pairs if set(joint.accounts) == {one, other}]:
            self._end(joint, "the two are friends no more")

    def close_device(self, device: DeviceId) -> None:
        """End what one device has here: it was taken off, or it left for good."""
        for joint in [joint for joint in self._pairs if device in joint.devices]:
            self._end(joint, "a device was taken off")

    def close_all(self) -> None:
        """End everything: the tracker ends."""
        for joint in list(self._pairs):
            self._end(joint, "this tracker ends")

    def ended(self, joint: Joint) -> None:
        """Take note that a pair is gone."""
        self._pairs.pop(joint, None)
        self.books.close(joint)

    def _end(self, joint: Joint, why: str) -> None:
        pair = self._pairs.get(joint)
        if pair is not None:
            pair.close(why)


class Pair:
    """The two halves of one joint."""

    def __init__(self, splices: Splices, joint: Joint, loop: asyncio.AbstractEventLoop) -> None:
        self._splices = splices
        self._joint = joint
        self._loop = loop
        self._pace = Pace(splices.rate_bytes_per_s)
        self._halves: dict[int, Half] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._is_closed = False
        self.is_held = False  # for the rate's sake
        self.passed_at = Monotonic(loop.time())

    def join(self, side: int, transport: asyncio.Transport, first: bytes) -> Half:
        """Take one half; with the second one what waited passes."""
        half = self._halves[side] = Half(self, transport)
        half.receive(first)
        other = self._halves.get(1 - side)
        if other is not None:
            half.meet(other)
            other.meet(half)
        return half

    def count(self, count: int) -> None:
        """Count what passes; hold both halves while they are ahead of a rate, end them at the day's share."""
        now = self._loop.time()
        self.passed_at = Monotonic(now)
        wall = UnixMillis(time.time_ns() // 1_000_000)
        may_go_on, wait_s = self._splices.spend(self._joint, count, now, wall)
        if not may_go_on:
            self.close("the day's share of the two accounts is used up")
            return
        wait_s = max(wait_s, self._pace.spend(count, now))
        if wait_s > 0 and not self.is_held:
            self.is_held = True
            self._timer = self._loop.call_later(wait_s, self._let_go)
            self._settle()

    def close(self, why: str) -> None:
        """Let what was written leave, and end both halves; again changes nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        for half in self._halves.values():
            half.close()
        self._splices.ended(self._joint)
        log.info("relayed %d bytes of two devices: %s", self._joint.carried_bytes, why)

    def _let_go(self) -> None:
        self.is_held = False
        self._settle()

    def _settle(self) -> None:
        for half in self._halves.values():
            half.settle()


class Half(asyncio.Protocol):
    """One connection of a pair; see asyncio.Protocol."""

    def __init__(self, pair: Pair, transport: asyncio.Transport) -> None:
        self._pair = pair
        self._transport = transport
        self._other: Half | None = None
        self._early = bytearray()  # what came before the other half
        self.is_full = False  # we take no more writes
        self._is_reading = True
        transport.set_write_buffer_limits(high=BUFFER_BYTES)

    def meet(self, other: Half) -> None:
        """Pass on to the other half from now on, what waited first."""
        self._other = other
        early, self._early = bytes(self._early), bytearray()
        if early:
            other.write(early)
        self.settle()

    def receive(self, data: bytes) -> None:
        """Pass bytes on, or keep the first few until there is somebody to pass them to."""
        if not data:
            return
        if self._other is None:
            self._early += data
        else:
            self._other.write(data)
        self._pair.count(len(data))
        self.settle()

    def write(self, data: bytes) -> None:
        """Send what the other half said."""
        if not self._transport.is_closing():
            self._transport.write(data)

    def settle(self) -> None:
        """Read on or hold, as things stand."""
        other = self._other
        is_full = len(self._early) >= limits.RELAY_EARLY_BYTES if other is None else other.is_full
        may_read = not is_full and not self._pair.is_held
        if may_read is not self._is_reading and not self._transport.is_closing():
            self._is_reading = may_read
            if may_read:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self) -> None:
        """End this connection once what is written has left."""
        self._transport.close()

    # --- asyncio's side

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        self.receive(data)

    def pause_writing(self) -> None:
        """Hold the other half: what it says cannot leave."""
        self.is_full = True
        if self._other is not None:
            self._other.settle()

    def resume_writing(self) -> None:
        """Let the other half go on."""
        self.is_full = False
        if self._other is not None:
            self._other.settle()

    def eof_received(self) -> bool:
        """End both halves."""
        self._pair.close("one half ended")
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's contract
        """End both halves."""
        self._pair.close("one half ended")
