"""Which links to other devices stand, and which of two stays; no socket and no clock in here.

Talk and data links alike: of one device pair and purpose one stays (design, section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Generic, Protocol, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from peer import api
from peer.log.sessions import Session
from peer.pump import Pump
from peer.reach.paths import (
    DIRECT,
    NONE,
    PATHS,
    PUNCHED,
    RELAYED,
    WHY_HIDDEN,
    rank_of,
    why_not_better,
)
from peer.times import rfc3339
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey


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

    @property
    def path(self) -> str:
        """How it goes, as `status` shows it."""


Kept = TypeVar("Kept", bound=Linked)


class PeerLink(Struct, eq=False):
    """One open link.

    initiator: the link key of the side that dialled; is_ours: whether that is us. boot_id: of the other
    end's present run. since: milliseconds, UTC. is_answered: began with our answer to their request, and nothing was heard since.
    """

    pump: Pump
    session: Session
    friend: str
    initiator: LinkKey
    is_ours: bool
    boot_id: BootId
    since: int
    path: str = DIRECT
    is_pushing: bool = False
    is_answered: bool = False

    @property
    def device(self) -> DeviceId:
        """The device at the other end."""
        return self.session.device

    @property
    def identity(self) -> IdentityKey:
        """Whose device it is."""
        return self.session.identity

    def told(self, state: str) -> api.Event:
        """Tell the faces what became of it: `up` or `down`."""
        return api.Event(
            "link",
            {
                "friend": self.friend,
                "device": self.device.hex(),
                "path": self.path,
                "state": state,
            },
        )

    def status(self, why_not_punched: str | None) -> api.LinkStatus:
        """Show it to a person. why_not_punched: why dialling at one moment did not work."""
        machine = self.pump.link
        trip_s = None if machine is None else machine.round_trip_s
        return api.LinkStatus(
            friend=self.friend,
            device=self.device.hex(),
            path=self.path,
            verified=True,
            rtt_ms=None if trip_s is None else round(trip_s * 1000, 2),
            since=rfc3339(self.since),
            why_not_better=why_not_better(self.path, why_not_punched),
        )


class Links(Generic[Kept]):
    """Every open link of one purpose by device: one each, but for the moment in which a dialler makes up its mind."""

    def __init__(self) -> None:
        self._by_device: dict[DeviceId, list[Kept]] = {}

    def add(self, link: Kept, settled: Collection[Kept] = ()) -> list[Kept]:
        """Take a link that opened; gives those that have to go, which may include this very one.

        settled: those that stand for longer than two sides take that dial at once. Whoever dials all the same
        has none of them any more that is as good: it has another address now, or its end was lost.

        A link of a former run of the other end is dead. Two sides that dialled at once see the same two
        links, and both keep the one with the better path, else the one whose initiator has the smaller link key. Of two by the same
        initiator, that one decides: as the dialler we keep the older, as the other side both, the newest
        two at most, until the dialler closes one.
        """
        others = self._by_device.setdefault(link.device, [])
        rank = rank_of(link.path)
        losers = [
            other
            for other in others
            if other.boot_id != link.boot_id
            or (not link.is_ours and other in settled and rank <= rank_of(other.path))
        ]
        rivals = [other for other in others if other not in losers]
        best = min((rank_of(other.path) for other in rivals), default=len(PATHS))
        if best < rank:
            losers.append(link)
        elif best > rank:
            losers += rivals
        elif any(other.initiator < link.initiator for other in rivals):
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

    def every_of_device(self, device: DeviceId) -> list[Kept]:
        """List the links to a device, the newest last."""
        return list(self._by_device.get(device, ()))

    def of_identity(self, identity: bytes) -> list[Kept]:
        """List the links to all devices of an account."""
        return [link for link in self.every() if link.identity == identity]

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        """Give with whom a link stands that both sides dialled, the oldest first; True where it is ours to begin."""
        return [
            (link.device, link.identity, link.is_ours)
            for link in self.every()
            if link.path == PUNCHED
        ]

    def every(self) -> list[Kept]:
        """List all links."""
        return [link for found in self._by_device.values() for link in found]


def list_links(
    links: Links[PeerLink],
    friends: list[api.Friend],
    *,
    why_no_relay: Callable[[str], str | None],
    why_not_punched: Callable[[DeviceId], str | None],
    hides: Callable[[IdentityKey], bool],
    files: Callable[[DeviceId], bool],
    is_told: bool,
) -> list[api.LinkStatus]:
    """List the link of every device, and each friend without one.

    why_no_relay: of a friend, by name. hides: says whether our address is kept from somebody. files: says
    whether a link for files stands with a device. is_told: whether a tracker tells who is there now.
    """
    every = sorted(links.every(), key=lambda link: (link.friend, link.device))
    listed = []
    for link in every:
        shown = link.status(why_not_punched(link.device))
        if link.path == RELAYED and hides(link.identity):
            shown = replace(shown, why_not_better=WHY_HIDDEN)
        listed.append(replace(shown, files_link=files(link.device)))
    linked = {link.friend for link in listed}
    for friend in friends:
        if friend.friend not in linked:
            why = why_not_linked(friend, why_no_relay(friend.friend), is_told=is_told)
            listed.append(api.LinkStatus(friend.friend, None, NONE, False, None, None, why))
    return listed


def why_not_linked(friend: api.Friend, no_relay: str | None, *, is_told: bool) -> str:
    """Say why there is no link with a friend. no_relay: why the relay did not help. is_told: as of `list_links`."""
    if friend.key_changed is not None:
        return "another identity key is shown: see friend accept-key"
    if not is_told:
        return (
            "no tracker says where they are; neither the local network nor an address they signed last"
            " leads to them yet"
        )
    if friend.presence == "offline":
        return "offline"
    return f"no address answered yet{'' if no_relay is None else f'; {no_relay}'}"
