"""Which links to friends' devices stand, and which of two stays; no socket and no clock in here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from peer.syncing import Session
from wire.ids import DeviceId, IdentityKey, LinkKey

if TYPE_CHECKING:
    from peer.pump import Pump


@dataclass(slots=True, eq=False)
class PeerLink:
    """One open link. initiator: the link key of the side that dialled. since: milliseconds, UTC."""

    pump: Pump
    session: Session
    friend: str
    initiator: LinkKey
    since: int
    path: str = "direct"
    is_pushing: bool = field(default=False)

    @property
    def device(self) -> DeviceId:
        """The device at the other end."""
        return self.session.device

    @property
    def identity(self) -> IdentityKey:
        """Whose device it is."""
        return self.session.identity


class Links:
    """Every open link by device: at most one each."""

    def __init__(self) -> None:
        self._by_device: dict[DeviceId, PeerLink] = {}

    def add(self, link: PeerLink) -> PeerLink | None:
        """Take a link that opened; gives the one that has to go, which may be this very one.

        Two sides that dialled at once see the same two links: both keep the one whose initiator has the
        smaller link key. Of two by the same initiator the newer stays: it knows that the other is dead.
        """
        other = self._by_device.get(link.device)
        if other is not None and other.initiator < link.initiator:
            return link
        self._by_device[link.device] = link
        return other

    def remove(self, link: PeerLink) -> None:
        """Take note that a link ended."""
        if self._by_device.get(link.device) is link:
            del self._by_device[link.device]

    def of_device(self, device: DeviceId) -> PeerLink | None:
        """Give the link to a device, or None."""
        return self._by_device.get(device)

    def of_identity(self, identity: bytes) -> list[PeerLink]:
        """List the links to all devices of an account."""
        return [link for link in self._by_device.values() if link.identity == identity]

    def every(self) -> list[PeerLink]:
        """List all links, by friend."""
        return sorted(self._by_device.values(), key=lambda link: (link.friend, link.device))
