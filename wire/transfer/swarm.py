"""Which of several sources is asked for which chunks next: rarest first, from a starting place of one's own.

A transfer whose offer went to others, too, has the offering device for a source and any of the others that
hold verified chunks. The offering device is asked only for what no other source has or is fetching, unless the
others are slower than it is. What a source claims is believed for planning alone: chunks that come count
against signed digests, and who stalls is given up. Pure: `now` is an argument.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import Have, Span
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet

_NEVER = Monotonic(0.0)
_MEMORY_S = 3.0  # of what a rate is made of
_RATE_COUNTS_S = 30.0  # then the offering device is tried again
_PROBE_S = (
    3.0  # others alone are asked for so long at most before the offering device's rate is tried
)
_PROBE_LEAST_S = 0.25
_PROBE_SHARE = 0.1  # of the time in which they would bring all that is missing
_NEARLY = 0.9  # of the offering device's rate: others below it are too slow alone
_RARITY_SPANS = 256  # looked at in one choice
_RACE_AFTER_S = 2.0  # a source needs longer for its last range: another may be asked, too
_LAST_RACE_AFTER_S = 10.0  # the same, and the offering device may be asked
_RACE_BYTES = 2 * limits.MIB
_LOOK_S = 1.0  # what at most counts as waited between two looks: for more we did not look, or read
RETRY_S = 15.0  # the offering device stalled: it is asked again


class Wait(Struct):
    """How long we have waited in vain for a sign of a source, by our own looks: not while we were held ourselves."""

    sign_at: Monotonic = _NEVER
    waited_s: float = 0.0

    def look(self, sign_at: Monotonic, now: Monotonic, passed_s: float) -> float:
        """Give the seconds waited. sign_at: of the newest sign; passed_s: since the last look, as far as it counts."""
        if sign_at > self.sign_at:
            self.sign_at, self.waited_s = sign_at, 0.0
            passed_s = min(passed_s, now - sign_at)
        self.waited_s += passed_s
        return self.waited_s


class Member(Struct):
    """One source. held: places it says it has; None: everything, the offering device."""

    held: RangeSet | None
    claimed: RangeSet = field(default_factory=RangeSet)  # it is fetching them
    progress_at: Monotonic = _NEVER  # it told of something new
    haves: float = 0.0  # in hand, see HELD_HAVES
    heard_at: Monotonic = _NEVER
    asked_bytes: int = 0
    quiet_since: Monotonic = _NEVER  # it owes something, and brought nothing
    brought_at: Monotonic | None = None
    silent_until: Monotonic = _NEVER  # it stalled: not asked before
    byte: Wait = field(default_factory=Wait)  # of what it owes
    chunk: Wait = field(default_factory=Wait)
    _bytes: float = 0.0
    _seconds: float = 0.0

    @property
    def rate(self) -> float | None:
        """Bytes per second it brought lately, None before that is known."""
        return self._bytes / self._seconds if self._seconds > 0 else None

    def ask(self, size: int, now: Monotonic) -> None:
        """Take note that it is asked for so many bytes."""
        if not self.asked_bytes:
            self.quiet_since = now
        self.asked_bytes += size

    def bring(self, size: int, now: Monotonic, *, owed_bytes: int | None = None) -> None:
        """Take note that it brought so many bytes; owed_bytes: so many of them it was asked for, unless all."""
        passed = max(now - self.quiet_since, 1e-4)
        keeps = math.exp(-passed / _MEMORY_S)
        self._bytes = self._bytes * keeps + size
        self._seconds = self._seconds * keeps + passed
        self.quiet_since = now
        self.brought_at = now
        self.asked_bytes -= size if owed_bytes is None else owed_bytes


class Swarm:
    """The sources of one transfer. offering: that device. start: the place where one's own share begins."""

    def __init__(self, places: Places, *, offering: DeviceId, start: int) -> None:
        self._places = places
        self._offering = offering
        self._start = start
        self.members: dict[DeviceId, Member] = {}
        self._alone_since: Monotonic | None = None  # the offering device had nothing of its own
        self._looked_at: Monotonic | None = None

    def join(self, device: DeviceId, now: Monotonic) -> None:
        """Take a source in."""
        held = None if device == self._offering else RangeSet()
        self.members[device] = Member(held, heard_at=now, haves=float(limits.HELD_HAVES))

    def leave(self, device: DeviceId) -> None:
        """Forget a source."""
        self.members.pop(device, None)

    def on_have(self, device: DeviceId, have: Have, now: Monotonic) -> None:
        """Take what a holder says; raises RemoteProtocolError with FLOOD or NUMBER_RANGE."""
        member = self.members[device]
        earned = (now - member.heard_at) / limits.HAVE_EVERY_S
        member.haves = min(float(limits.HELD_HAVES), member.haves + earned) - 1
        member.heard_at = now
        if member.haves < 0 or member.held is None:
            raise RemoteProtocolError(Code.FLOOD, "it tells too often what it has")
        held = self._read(have.held)
        claimed = self._read(have.fetching)
        if self._places.bytes_of(claimed) > limits.CLAIM_BYTES:
            raise RemoteProtocolError(Code.NUMBER_RANGE, "it fetches more than may be asked for")
        if held or (claimed and not member.claimed):
            member.progress_at = now
        member.held.update(held)
        if member.held.spans > limits.HELD_SPANS:
            raise RemoteProtocolError(Code.FLOOD, "what it has lies in too many pieces")
        member.claimed = claimed

    def lacks(self, device: DeviceId, first: int, stop: int) -> None:
        """Take note that a holder could not give what it said it has: places first to stop - 1."""
        held = self.members[device].held
        if held is not None:
            held.remove(first, stop)

    def window(self, device: DeviceId) -> int:
        """Say how many bytes may be asked of a source and not be here."""
        member = self.members[device]
        rate = member.rate
        if rate is None:
            return limits.WINDOW_LEAST_BYTES
        wanted = int(rate * limits.WINDOW_AHEAD_S)
        return min(limits.WINDOW_BYTES, max(limits.WINDOW_LEAST_BYTES, wanted))

    def choose(
        self, device: DeviceId, missing: RangeSet, signed: RangeSet, now: Monotonic
    ) -> list[tuple[int, int]]:
        """Give what to ask of a source, best first: places (first, stop) that are missing.

        signed: places whose digests are signed; only those may come from a holder.
        """
        member = self.members[device]
        if now < member.silent_until or not missing:
            return []
        if member.held is not None:
            wanted = missing.intersection(member.held).intersection(signed)
            return self._rarest(device, wanted)
        alone = missing.copy()
        for other in self._others(device):
            alone.difference_update(other.held or RangeSet())
            if now - other.progress_at < limits.CLAIM_S:
                alone.difference_update(other.claimed)
        if alone:
            self._alone_since = None
            return list(self._turned(alone))
        if self._alone_since is None:
            self._alone_since = now
        return list(self._turned(missing)) if self._are_slow(device, missing, now) else []

    def race(
        self,
        device: DeviceId,
        owed: Mapping[DeviceId, RangeSet],
        signed: RangeSet,
        now: Monotonic,
    ) -> list[tuple[int, int]]:
        """Give what to ask an idle source for that a slower one was asked for before; nothing is missing else.

        owed: places each source was asked for, and nobody else was.
        """
        member = self.members[device]
        if now < member.silent_until or member.asked_bytes:
            return []
        for other, its in owed.items():
            slow = self.members[other]
            waited = now - slow.quiet_since
            left_s = max(slow.asked_bytes / slow.rate if slow.rate else 0.0, waited)
            own_s = _RACE_BYTES / member.rate if member.rate else _RACE_AFTER_S
            patience_s = _RACE_AFTER_S if member.held is not None else _LAST_RACE_AFTER_S
            if other == device or not its or left_s < max(patience_s, 2 * own_s):
                continue
            places = its
            if member.held is not None:
                places = its.intersection(member.held).intersection(signed)
            if places:
                return list(places)[-1:]
        return []

    def stalled(self, now: Monotonic, alive: Mapping[DeviceId, Monotonic]) -> list[DeviceId]:
        """List the sources that owe something and bring nothing, while there are several.

        alive: when the last byte of any kind came from each. Asked for again and again: a process that stood still, or
        whose disk did, finds what came meanwhile unread, and blames nobody for that time.
        """
        passed_s = _LOOK_S if self._looked_at is None else min(now - self._looked_at, _LOOK_S)
        self._looked_at = now
        found: list[DeviceId] = []
        for device, member in self.members.items():
            if not member.asked_bytes:
                continue
            since = member.quiet_since
            silent_s = member.byte.look(max(since, alive.get(device, since)), now, passed_s)
            chunkless_s = member.chunk.look(since, now, passed_s)
            others_bring = any(
                other.brought_at is not None and other.brought_at > since
                for other in self._others(device)
            )
            if silent_s >= limits.STALL_S or (chunkless_s >= limits.SLOW_S and others_bring):
                found.append(device)
        return found if len(self.members) > 1 else []

    # --- inside

    def _others(self, device: DeviceId) -> Iterator[Member]:
        return (
            member for each, member in self.members.items() if each not in (device, self._offering)
        )

    def _are_slow(self, device: DeviceId, missing: RangeSet, now: Monotonic) -> bool:
        """Say whether the others, tried alone for a while, bring less than the offering device could.

        How long they are tried goes by what there is to win: who joins late and lacks little would be done by then.
        """
        rate = sum(other.rate or 0.0 for other in self._others(device))
        left_s = self._places.bytes_of(missing) / rate if rate else math.inf
        probe_s = min(_PROBE_S, max(_PROBE_LEAST_S, _PROBE_SHARE * left_s))
        if self._alone_since is None or now - self._alone_since < probe_s:
            return False
        member = self.members[device]
        at = member.brought_at
        if member.rate is None or at is None or now - at > _RATE_COUNTS_S:
            return True
        others = list(self._others(device))
        takers = 1 + sum(
            other.held is not None and other.held.count < self._places.count for other in others
        )  # who are served by it, too, if each asks it for more
        return rate < _NEARLY * member.rate / takers

    def _turned(self, places: RangeSet) -> Iterator[tuple[int, int]]:
        """Give ranges from the starting place on, then those before it."""
        yield from places.within(self._start, self._places.count)
        yield from places.within(0, self._start)

    def _rarest(self, device: DeviceId, wanted: RangeSet) -> list[tuple[int, int]]:
        """Order what a holder is asked for: what fewest others have comes first."""
        others = [other.held for other in self._others(device) if other.held]
        others = [held for held in others if held is not self.members[device].held]
        found: list[tuple[int, tuple[int, int]]] = []
        for span, _ in zip(self._turned(wanted), range(_RARITY_SPANS), strict=False):
            cuts = set(span)
            for held in others:
                for inner in held.within(*span):
                    cuts.update(inner)
            edges = sorted(cuts)
            for first, stop in itertools.pairwise(edges):
                found.append((sum(first in held for held in others), (first, stop)))
        found.sort(key=lambda each: each[0])
        return [span for _, span in found]

    def _read(self, spans: Iterable[Span]) -> RangeSet:
        found = RangeSet((span.first, span.first + span.count) for span in spans)
        if found and max(stop for _, stop in found) > self._places.count:
            raise RemoteProtocolError(Code.NUMBER_RANGE, "the offer has not so many chunks")
        return found


def own_start(count: int, own: bytes, others: Iterable[bytes], dice: float) -> int:
    """Give the place where one's own share of `count` chunks begins.

    own, others: identities the offer is known to go to; dice: 0.0 to 1.0, of this device: where in the share.
    """
    everybody = sorted({own, *others})
    return int(count * (everybody.index(own) + dice) / len(everybody)) % max(count, 1)
