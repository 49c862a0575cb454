"""The open data links of one node: which stand, which of two stays, how many there may be, and how they end."""

from __future__ import annotations

from msgspec import Struct

from peer.links import Links
from peer.reach.moved import Surroundings
from peer.reach.paths import RELAYED
from peer.transfers.bulk import Bulk
from peer.transfers.incoming import Incoming
from peer.transfers.talk import TransferTalk
from wire import limits
from wire.codes import Code
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey
from wire.messages.session import Ping

STOP_S = 3.0


class OpenLink(Struct, eq=False):
    """One open data link; the first five as of `peer.links.PeerLink`."""

    device: DeviceId
    identity: IdentityKey
    initiator: LinkKey
    is_ours: bool
    boot_id: BootId
    bulk: Bulk
    talk: TransferTalk
    path: str


class OpenLinks:
    """All that stand and all that are still ending, on the node's loop."""

    def __init__(self) -> None:
        self.every: list[OpenLink] = []  # those that are ending included
        self._kept: Links[OpenLink] = Links()

    @property
    def is_full(self) -> bool:
        """Whether there is no place for one more."""
        return len(self.every) >= limits.DATA_LINKS

    def refusal(self, device: DeviceId, *, is_ours: bool) -> Code | None:
        """Say why one more link cannot stay; some places are kept for those we dial ourselves."""
        if sum(link.device == device for link in self.every) >= limits.DATA_LINKS_PER_DEVICE:
            return Code.FLOOD
        most = limits.DATA_LINKS - (0 if is_ours else limits.TRANSFERS_AT_ONCE)
        return Code.TOO_MANY_TRANSFERS if len(self.every) >= most else None

    def add(self, link: OpenLink) -> None:
        """Take a link in; of several with one device all are ended but one, see `Links.add`."""
        self.every.append(link)
        for loser in self._kept.add(link):
            loser.bulk.close(Code.LINK_REPLACED)

    def ended(self, link: OpenLink) -> None:
        """Use a link no more."""
        self._kept.remove(link)

    def remove(self, link: OpenLink) -> None:
        """Take note that nothing is left of a link."""
        self.every.remove(link)

    def of_device(self, device: DeviceId) -> OpenLink | None:
        """Give the link to a device that is to be used, or None."""
        return self._kept.of_device(device)

    def close_relayed(self, device: DeviceId) -> None:
        """End what goes to a device through the relay: there is a better way now."""
        for link in self.every:
            if link.device == device and link.path == RELAYED:
                link.bulk.close(Code.LINK_REPLACED)

    def cut_lost(self, surroundings: Surroundings) -> None:
        """End what uses an address that this machine has no more."""
        for link in self.every:
            if surroundings.has_lost(link.bulk.near):
                link.bulk.abort()

    def ask(self, device: DeviceId) -> None:
        """Say something to a device on each of its links that has to be answered."""
        for link in self.every:
            if link.device == device:
                link.bulk.say(Ping(0))

    def cut_silent(self, device: DeviceId, silent_s: float) -> None:
        """End the links to a device over which nothing has come for so long."""
        for link in self.every:
            if link.device == device and link.bulk.silent_s >= silent_s:
                link.bulk.abort()

    def close(self, identity: IdentityKey, code: Code, device: DeviceId | None = None) -> None:
        """End the links with an account, or with one device of it."""
        for link in self.every:
            if link.identity == identity and device in (None, link.device):
                link.bulk.close(code)


def let_go(link: OpenLink) -> None:
    """Tell the transfers of a link that ended, and wait for its threads; in a thread."""
    for transfer in link.talk.incoming:
        transfer.detach(link.device, link.bulk.say)
    link.bulk.join(limits.SEND_STALL_S)
    link.bulk.dispose()


def stop_all(links: list[OpenLink], incoming: list[Incoming]) -> None:
    """End links and transfers; in a thread."""
    for link in links:
        if not link.bulk.join(STOP_S):
            link.bulk.abort()
    for transfer in incoming:
        transfer.close()
    for link in links:
        link.bulk.join(STOP_S)
        link.bulk.dispose()
