"""Which links to other devices stand, and which of two stays; no socket and no clock in here.

Talk and data links alike: of one device pair and purpose one stays (design, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from peer import api
from peer.sessions import Session
from peer.times import rfc3339
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey

if TYPE_CHECKING:
    from peer.pump import Pump


class Linked(Protocol):
    """What decides which link stays; see `PeerLink`."""

    @property
    def device(self) -> DeviceId:
        """The device at the other end."""

    @property
    def identity(self) -> IdentityKey:
        """Whose device it is."""

    @property
    def initiator(self) -> LinkKey:
        """The link key of the side that dialled."""

    @property
    def is_ours(self) -> bool:
        """Whether that is us."""

    @property
    def boot_id(self) -> BootId:
        """The other end's present run."""


Kept = TypeVar("Kept", bound=Linked)


@dataclass(slots=True, eq=False)
class PeerLink:
    """One open link.

    initiator: the link key of the side that dialled; is_ours: whether that is us. boot_id: of the other
    end's present run. since: milliseconds, UTC.
    """

    pump: Pump
    session: Session
    friend: str
    initiator: LinkKey
    is_ours: bool
    boot_id: BootId
    since: int
    path: str = "direct"
    is_pushing: bool = False

    @property
    def device(self) -> DeviceId:
        """The device at the other end."""
        return self.session.device

    @property
    def identity(self) -> IdentityKey:
        """Whose device it is."""
        return self.session.identity

    @property
    def status(self) -> api.LinkStatus:
        """Show it to a person."""
        machine = self.pump.link
        trip_s = None if machine is None else machine.round_trip_s
        return api.LinkStatus(
            friend=self.friend,
            device=self.device.hex(),
            path=self.path,
            verified=True,
            rtt_ms=None if trip_s is None else round(trip_s * 1000, 2),
            since=rfc3339(self.since),
            why_not_better=None,
        )


class Links(Generic[Kept]):
    """Every open link of one purpose by device: one each, but for the moment in which a dialler makes up its mind."""

    def __init__(self) -> None:
        self._by_device: dict[DeviceId, list[Kept]] = {}

    def add(self, link: Kept) -> list[Kept]:
        """Take a link that opened; gives those that have to go, which may include this very one.

        A link of a former run of the other end is dead. Two sides that dialled at once see the same two
        links, and both keep the one whose initiator has the smaller link key. Of two by the same
        initiator, that one decides: as the dialler we keep the older, as the other side both, the newest
        two at most, until the dialler closes one.
        """
        others = self._by_device.setdefault(link.device, [])
        losers = [other for other in others if other.boot_id != link.boot_id]
        rivals = [other for other in others if other.boot_id == link.boot_id]
        if any(other.initiator < link.initiator for other in rivals):
            losers.append(link)
        elif any(other.initiator == link.initiator for other in rivals):
            if link.is_ours:
                losers.append(link)
            else:
                losers += rivals[:-1]
        else:
            losers += rivals
        if link not in losers:
            others.append(link)
        self._by_device[link.device] = [other for other in others if other not in losers]
        return losers

    def remove(self, link: Kept) -> None:
        """Take note that a link ended."""
        left = [other for other in self._by_device.get(link.device, ()) if other is not link]
        if left:
            self._by_device[link.device] = left
        else:
            self._by_device.pop(link.device, None)

    def of_device(self, device: DeviceId) -> Kept | None:
        """Give the newest link to a device, or None."""
        found = self._by_device.get(device)
        return found[-1] if found else None

    def of_identity(self, identity: bytes) -> list[Kept]:
        """List the links to all devices of an account."""
        return [link for link in self.every() if link.identity == identity]

    def every(self) -> list[Kept]:
        """List all links."""
        return [link for found in self._by_device.values() for link in found]
