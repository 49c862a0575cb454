"""The links with friends' devices: taken in, kept to one each, served in order; asyncio lives here.

What happens elsewhere: who may link (`contacts`), which of two links stays (`links`), how a friend is
dialled (`dialer`), what is said on a link (`syncing`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from peer import api
from peer.accounts.state_links import StateLinks
from peer.dialer import Dialer
from peer.effects import Effect, PushEvents
from peer.errors import PeerError
from peer.identity import Profile
from peer.links import Links, PeerLink, list_links
from peer.log.sessions import Session
from peer.people import contacts, roster
from peer.people.ownlist import ListWatch
from peer.people.roster import Target
from peer.pump import Pump
from peer.pushing import Pushing
from peer.reach import outward, punching, relaying, shown
from peer.reach.candidates import Candidate
from peer.reach.doorway import Doorway
from peer.reach.lan import Lan
from peer.reach.meeting import Meeting
from peer.reach.moved import DOUBT_S, Surroundings
from peer.reach.paths import RELAYED
from peer.reach.reception import Reception
from peer.reach.whereabouts import Vicinity
from peer.serving import INBOX_MESSAGES, Serving
from peer.store import own
from peer.store.database import Database
from peer.store.devices import check_list, known_counter
from peer.times import wall
from peer.transfers.datalinks import TransferLinks
from wire.codes import Code
from wire.errors import WireError
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey
from wire.link import (
    LinkAged,
    LinkClosed,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    MessageReceived,
    Remote,
    Role,
)
from wire.machine import Entropy
from wire.messages import Message, Purpose
from wire.messages.reach import AskDial
from wire.messages.session import Hello


class Linking:
    """All links of one node.

    vicinity: kept up to date by the node. spawn: makes a task that the node owns. carry_out: does effects
    of a committed transaction; the link they came from is named with them. own_addresses: gives our signed
    address record as it was published last, empty for none. ask_relay, ask_punch: ask the tracker. lists: hears what friends know of our device list.
    came_by: gives the path of a link that was dialled to us, by the address it comes from. lan: who is near.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        boot_id: BootId,
        vicinity: Vicinity,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        carry_out: Callable[[list[Effect], PeerLink | None], None],
        own_addresses: Callable[[], bytes],
        ask_relay: relaying.Ask,
        ask_punch: punching.Ask,
        lists: ListWatch,
        came_by: Callable[[str], str],
        lan: Lan,
        entropy: Entropy,
    ) -> None:
        self._own_addresses = own_addresses
        self._lists = lists
        self._profile = profile
        self._database = database
        self._boot_id = boot_id
        self._spawn = spawn
        self._carry_out = carry_out
        self._entropy = entropy
        self._is_closing = False
        self._links: Links[PeerLink] = Links()
        self.reception = Reception(profile.keys, self._on_event, entropy, came_by)
        self.refusals = self.reception.refusals
        self.meeting = Meeting(
            profile,
            ask_relay=ask_relay,
            ask_punch=ask_punch,
            surroundings=vicinity,
            find=self._find,
            hello=self.hello,
            on_event=self.reception.on_event,
            add=self.reception.add,
            spawn=spawn,
            hides=self.hides,
            want=self.want,
            entropy=entropy,
        )
        self.doorway = Doorway(
            profile.keys,
            database,
            is_open=lambda: lan.is_open,
            linked=self._links.of_identity,
            hello=self.hello,
            on_event=self.reception.on_event,
            add=self.reception.add,
            adopt=self._adopt,
            carry_out=lambda effects: carry_out(effects, None),
            spawn=spawn,
            entropy=entropy,
        )
        self.reception.shows_key = lambda: lan.is_open
        self.data_links: TransferLinks | None = None  # the node's, from when it stands
        self.dialer = Dialer(
            profile,
            database,
            vicinity=vicinity,
            hello=self.hello,
            nearby=lambda identity, device: lan.nearby.places(identity, device, wall()),
            on_old_list=lists.refused_by,
            path=self.path,
            hides=self.hides,
            meet=self._meet,
            on_event=self._on_event,
            spawn=spawn,
            entropy=entropy,
        )
        self._pushing = Pushing(
            database, self._links, carry_out=carry_out, then=self.dialer.dial_wanted, spawn=spawn
        )
        self._serving = Serving(
            profile.keys,
            database,
            self._links,
            self._pushing,
            self.doorway,
            data_links=lambda: self.data_links,
            carry_out=carry_out,
            entropy=entropy,
        )

    # --- what the node wants

    def take_files(self, data_links: TransferLinks) -> None:
        """Let data links in from now on."""
        self.data_links = data_links
        self.reception.takes_files = True

    def send(self, device: DeviceId, message: Message) -> None:
        """Send to a device that is linked; else nothing: sync will bring it."""
        link = self._links.of_device(device)
        if link is not None:
            link.pump.send(message)

    def push(self, push: PushEvents) -> None:
        """Send each linked device but one what it lacks of a conversation, in the loop's next round."""
        self._pushing.push(push)

    def want(self, identity: IdentityKey) -> None:
        """Dial the devices of an account, but for those that are linked or being dialled, in the loop's next round."""
        self.dialer.want_soon(identity)
        self._pushing.soon()

    def want_all(self) -> None:
        """Dial every device that is not linked and whose turn has come."""
        if not self._is_closing:
            self.dialer.want_all()

    @property
    def own_state(self) -> StateLinks:
        """What goes between devices of this account beside talk."""
        return self._serving.own_state

    def close(self, identity: IdentityKey, code: Code, device: DeviceId | None = None) -> None:
        """Close the links with an account, or with one device of it."""
        for link in self._links.of_identity(identity):
            if device is None or link.device == device:
                link.pump.close(code)

    async def leave(self) -> None:
        """Say goodbye on every link, those of files too, and to every one that would still open."""
        if self.data_links is not None:
            await self.data_links.close()
        self._is_closing = True
        self.reception.close_all(Code.SHUTTING_DOWN, self.dialer.pumps)

    async def end(self) -> None:
        """See to it that no connection is left, whatever became of `leave`."""
        await self.reception.gone(Code.SHUTTING_DOWN, self.dialer.pumps)

    def cut_lost(self, surroundings: Surroundings) -> None:
        """End what uses an address that this machine has no more: it is dialled anew at once."""
        surroundings.cut(link.pump for link in self._links.every())
        if self.data_links is not None:
            self.data_links.cut_lost(surroundings)

    def status(self, *, is_told: bool) -> list[api.LinkStatus]:
        """List every friend's link; one without says so. is_told: whether a tracker tells who is there now."""
        for link in self._links.every():
            link.path = self.dialer.path_of(link.pump, link.identity, link.device)
        return list_links(
            self._links,
            self._database.read(roster.list_friends, online_only=False),
            why_no_relay=self.dialer.why_no_relay,
            why_not_punched=self.meeting.punching.why_not.get,
            hides=self.hides,
            files=lambda device: self.data_links is not None and self.data_links.stands(device),
            is_told=is_told,
        )

    def linked_friends(self) -> set[str]:
        """Give the names of friends with whom a link stands."""
        return {link.friend for link in self._links.every()}

    # --- one link's life

    def _on_event(self, pump: Pump, event: LinkEvent) -> None:
        match event:
            case LinkIdentified(remote=remote):
                self._on_identified(pump, remote)
            case LinkOpened(remote=remote):
                self._on_opened(pump, remote)
            case MessageReceived(message=message):
                if pump.inbox is not None:
                    pump.inbox.put_nowait(message)
                    if pump.inbox.qsize() >= INBOX_MESSAGES:
                        pump.hold()
            case LinkAged():
                pump.close(Code.GOODBYE, "this link has lived long enough")
            case LinkClosed(code=code):
                if pump.inbox is not None:
                    pump.inbox.put_nowait(None)
                    self._note_fault(pump, code)

    def _note_fault(self, pump: Pump, code: Code) -> None:
        """Leave a device alone for a while whose link ended in a way that would only come again."""
        if code.retry == "never" and code is not Code.LINK_REPLACED:
            for link in (each for each in self._links.every() if each.pump is pump):
                self.dialer.misbehaved(link.device)

    def _on_identified(self, pump: Pump, remote: Remote) -> None:
        link = pump.link
        if link is None or remote.certificate is None or not isinstance(remote.hello, Hello):
            return
        identity = remote.certificate.identity
        if pump.path != RELAYED and self.hides(identity):
            link.refuse(Code.NOT_ADMITTED, "by the relay only")
            return
        try:
            self._database.read(contacts.may_link, identity)
            self._database.read(check_list, identity, remote.hello.device_list)
        except (WireError, PeerError) as error:
            is_stranger = error.code is Code.NOT_ADMITTED
            if not is_stranger or not self.doorway.lets_in(pump, identity):
                link.refuse(error.code, error.detail)
                return
        link.admit(self.hello(identity))

    def _on_opened(self, pump: Pump, remote: Remote) -> None:
        machine = pump.link
        if machine is None or remote.certificate is None or not isinstance(remote.hello, Hello):
            return
        if self._is_closing:
            pump.close(Code.SHUTTING_DOWN)
            return
        certificate = remote.certificate
        pump.path = self.dialer.path_of(pump, certificate.identity, certificate.device)
        if pump.purpose is Purpose.DATA:
            self.reception.handed_over(pump)
            if self.data_links is not None:
                self.data_links.take(pump, certificate.device, certificate.identity)
            return
        try:
            self._database.read(contacts.may_link, certificate.identity)
        except WireError as error:
            if not self.doorway.take(pump, remote):
                pump.close(error.code)
            return
        self._adopt(pump, remote)

    def _adopt(self, pump: Pump, remote: Remote) -> None:
        """Serve an open link with a friend, or with another device of ours."""
        machine, certificate = pump.link, remote.certificate
        if machine is None or certificate is None or not isinstance(remote.hello, Hello):
            return
        contact = self._database.read(contacts.may_link, certificate.identity)
        is_ours = machine.role is Role.INITIATOR
        link = PeerLink(
            pump=pump,
            session=Session(certificate.device, certificate.identity),
            friend=contact.name,
            initiator=LinkKey(self._profile.keys.link_key) if is_ours else remote.link_key,
            is_ours=is_ours,
            boot_id=BootId(remote.hello.boot_id),
            since=wall(),
            path=pump.path,
        )
        self._lists.heard(link.identity, remote.hello.known_counter)
        older = self._links.every_of_device(link.device)
        if older:
            self._spawn(self._doubt(link.device, older))
        losers = self._links.add(link, [each for each in older if each.pump.is_settled])
        for loser in losers:
            loser.pump.close(Code.LINK_REPLACED)
        if link not in losers:
            self.dialer.arrived(link.device)
            if pump.path != RELAYED and self.data_links is not None:
                self.data_links.better_path(link.device)
            if pump.inbox is None:
                pump.inbox = asyncio.Queue()
            self._spawn(self._serving.serve(link, remote.hello, pump.inbox))
            pump.measure()  # or nothing were known of it before the first heartbeat

    async def _doubt(self, device: DeviceId, older: list[PeerLink]) -> None:
        """See whether older links lead to a device that linked once more: it may be in another place by now."""
        for link in older:
            link.pump.doubt(DOUBT_S)
        if self.data_links is not None:
            await self.data_links.doubt(device, DOUBT_S)

    # --- what data links need

    def hello(self, identity: IdentityKey) -> Hello:
        """Give our first record to somebody."""
        known = self._database.read(known_counter, identity)
        me = self._database.read(own.need_account)
        return Hello(me.certificate, me.device_list, known, self._boot_id)

    def target(self, identity: IdentityKey, device: DeviceId) -> Target | None:
        """Give how a device is reached, or None where that is not known."""
        targets = self._database.read(roster.dial_targets, identity)
        return next((target for target in targets if target.device == device), None)

    def hides(self, identity: IdentityKey) -> bool:
        """Say whether our address is to be kept from somebody."""
        if outward.is_proxied():
            return not self._database.read(shown.is_shown_by_choice, identity)
        return self._database.read(shown.is_hidden_from, identity)

    def devices(self) -> set[DeviceId]:
        """Give the devices with an open link."""
        return {link.device for link in self._links.every()}

    def places(self, target: Target) -> list[Candidate]:
        """Give the addresses of a device that are worth a dial, best first: the one that talk comes from."""
        link = self._links.of_device(target.device)
        talks = "" if link is None else link.pump.peer
        return sorted(self.dialer.places(target), key=lambda place: place.host != talks)

    def path(self, device: DeviceId) -> str | None:
        """Say how the control link to a device goes; None if none stands."""
        link = self._links.of_device(device)
        return None if link is None else link.path

    async def meet_for_files(self, target: Target, *, is_ahead: bool = False) -> Code | None:
        """Get a data link the way talk goes, see `Meeting.files`."""
        return await self.meeting.files(target, self.path(target.device), is_ahead=is_ahead)

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        """Give with whom talk was punched, see `Links.punched`."""
        return self._links.punched()

    async def _meet(self, target: Target) -> None:
        if target.is_there and not self._is_closing:
            await self.meeting.talk(target)

    def _find(self, name: str, device: DeviceId) -> Target | None:
        identity = self._database.read(roster.identity_named, name)
        return None if identity is None or self._is_closing else self.target(identity, device)

    def measure(self, device: DeviceId) -> tuple[float, bool] | None:
        """Measure the round trip of talk with a device, see `Pump.measure`; None where there is no link."""
        link = self._links.of_device(device)
        return None if link is None else link.pump.measure()

    def ask_to_dial(self, device: DeviceId) -> None:
        """Ask a device over its control link to dial us a data link, if we can be dialled at all."""
        addresses = self._own_addresses()
        link = self._links.of_device(device)
        if addresses and link is not None and not self.hides(link.identity):
            self.send(device, AskDial(addresses))

    def offer_again(self, identity: IdentityKey) -> None:
        """Ask the linked devices of an account for a data link: there is something for them again."""
        for link in self._links.of_identity(identity):
            self.ask_to_dial(link.device)
