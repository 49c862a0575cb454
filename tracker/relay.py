"""The relay's books: who may be joined with whom, under which ticket, and how much they have carried.

Pure and in memory, over `now` and `wall`: nothing of it survives a restart, and nothing needs to. What
lives here: tickets, counts and quotas. What does not: the sockets that are joined (`splice`). The relay
connects to nothing by itself and can read nothing: what passes is a link between two devices, sealed end
to end.
"""

from __future__ import annotations

from collections import Counter

from msgspec import Struct, field

from tracker.config import Limits
from tracker.errors import TrackerError
from tracker.storage.port import AccountId
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId
from wire.machine import Entropy, Monotonic, UnixMillis

DAY_MS = 24 * 3600 * 1000

REFUSALS = ("off", "full", "account", "share", "ticket")
"""Why somebody was not joined, as it is counted."""


class Joint(Struct, eq=False):
    """Two halves that belong together.

    accounts, devices: whose they are, the asker's first. until: when the tickets lose their worth. joined:
    which halves came. carried_bytes: both directions together.
    """

    accounts: tuple[AccountId, AccountId]
    devices: tuple[DeviceId, DeviceId]
    until: Monotonic
    tickets: tuple[bytes, bytes]
    joined: set[int] = field(default_factory=set)
    carried_bytes: int = 0

    @property
    def pair(self) -> tuple[AccountId, AccountId]:
        """The two accounts, in one order whoever asked."""
        one, other = self.accounts
        return (one, other) if one <= other else (other, one)


class Books:
    """What one tracker's relay knows.

    chosen: the limits. is_on: whether the host lets it relay at all.
    """

    def __init__(self, chosen: Limits, entropy: Entropy, *, is_on: bool) -> None:
        self._chosen = chosen
        self._entropy = entropy
        self.is_on = is_on
        self._by_ticket: dict[bytes, tuple[Joint, int]] = {}
        self._joints: dict[Joint, None] = {}
        self._of_account: Counter[AccountId] = Counter()
        self._day = 0
        self._carried: Counter[tuple[AccountId, AccountId]] = Counter()
        self.relayed_bytes = 0  # this and the next two since the start
        self.opened = 0
        self.refused: Counter[str] = Counter(dict.fromkeys(REFUSALS, 0))

    def open(
        self,
        accounts: tuple[AccountId, AccountId],
        devices: tuple[DeviceId, DeviceId],
        now: Monotonic,
        wall: UnixMillis,
    ) -> Joint:
        """Make tickets for two devices that may meet; raises RELAY_OFF or RELAY_LIMIT, saying which."""
        self.check_on()
        self.expire(now)
        if len(self._joints) >= self._chosen.relays:
            raise self._limit("full", "as many as this tracker relays at once")
        for account in dict.fromkeys(accounts):
            if self._of_account[account] >= self._chosen.relays_per_account:
                raise self._limit("account", "as many as this tracker relays for one account")
        joint = Joint(
            accounts,
            devices,
            Monotonic(now + limits.TICKET_S),
            (self._entropy.bytes(limits.TICKET_BYTES), self._entropy.bytes(limits.TICKET_BYTES)),
        )
        if self._left_bytes(joint, wall) <= 0:
            seconds = (DAY_MS - wall % DAY_MS) // 1000 + 1
            raise self._limit("share", "the day's share of these two accounts is used up", seconds)
        self._joints[joint] = None
        self.opened += 1
        self._of_account.update(set(accounts))
        for side, ticket in enumerate(joint.tickets):
            self._by_ticket[ticket] = (joint, side)
        return joint

    def check_on(self) -> None:
        """Raise RELAY_OFF if the host does not let it relay."""
        if not self.is_on:
            self.refused["off"] += 1
            raise TrackerError(Code.RELAY_OFF)

    def join(self, ticket: bytes, now: Monotonic) -> tuple[Joint, int]:
        """Take a ticket, which counts once; gives the joint and whose half it is. Raises HANDSHAKE_FAILED."""
        found = self._by_ticket.pop(ticket, None)
        if found is None or found[0] not in self._joints or now >= found[0].until:
            self.refused["ticket"] += 1
            raise TrackerError(Code.HANDSHAKE_FAILED, "a relay ticket that is not valid")
        joint, side = found
        joint.joined.add(side)
        return joint, side

    def carry(self, joint: Joint, count: int, wall: UnixMillis) -> bool:
        """Count bytes that pass; False once the day's share of the two accounts is used up."""
        self._turn_day(wall)
        joint.carried_bytes += count
        self.relayed_bytes += count
        self._carried[joint.pair] += count
        return self._left_bytes(joint, wall) > 0

    def close(self, joint: Joint) -> None:
        """Forget a joint whose halves are gone; again changes nothing."""
        if joint not in self._joints:
            return
        del self._joints[joint]
        for ticket in joint.tickets:
            self._by_ticket.pop(ticket, None)
        for account in set(joint.accounts):
            self._of_account[account] -= 1
            if not self._of_account[account]:
                del self._of_account[account]

    def expire(self, now: Monotonic) -> list[Joint]:
        """Forget joints of which a half never came; gives them, so that the other can go, too."""
        late = [
            joint
            for joint in self._joints
            if len(joint.joined) < len(joint.tickets) and now >= joint.until
        ]
        for joint in late:
            self.close(joint)
        return late

    @property
    def open_count(self) -> int:
        """How many joints there are, those that are waited for included."""
        return len(self._joints)

    def _left_bytes(self, joint: Joint, wall: UnixMillis) -> int:
        self._turn_day(wall)
        return self._chosen.relay_pair_bytes - self._carried[joint.pair]

    def _turn_day(self, wall: UnixMillis) -> None:
        day = wall // DAY_MS
        if day != self._day:
            self._day = day
            self._carried.clear()

    def _limit(self, reason: str, why: str, retry_after_s: int = 60) -> TrackerError:
        self.refused[reason] += 1
        return TrackerError(Code.RELAY_LIMIT, why, retry_after_s=retry_after_s)
