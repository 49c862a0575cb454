"""Who is here: the sessions of each account, what it shows, and who is told when that changes.

Pure and in memory, over `now`: nothing of it survives a restart, devices come back and say it again. A
*seat* is one entered session of a device. An account is *shown* while it has a seat that is not unseen
and its word is neither INVISIBLE nor OFFLINE; friends see anything else as OFFLINE. Changes come
back as deliveries, each change encoded once; `coalesce` decides when they leave. The file is about who is
told; what services want said to whom comes through `tell` and `tell_all`.
"""

from __future__ import annotations

import heapq
from array import array
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from tracker.accounts import Snapshot
from tracker.effects import Caller, Party
from tracker.seats import Delivery, Here, Seat, Told, Word
from tracker.storage.port import AccountId
from wire import limits
from wire.codec import encode
from wire.ids import DeviceId
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.friends import Friend, FriendAdded, FriendsPage
from wire.messages.presence import PresenceChanged, SetPresence, Show
from wire.messages.reach import AddressesChanged, Directory

SessionT = TypeVar("SessionT")

FRIENDS_PER_PAGE = 256  # the schema's bound of one FriendsPage
FRIEND_BYTES = 96  # one row of a FriendsPage without its text: name, identity, three numbers

STALE_EXPIRIES = (
    1000  # entries of words that were replaced before they expired, then they are swept
)


class Roster(Generic[SessionT]):
    """The accounts that have an entered session."""

    def __init__(self) -> None:
        self._here: dict[AccountId, Here[SessionT]] = {}
        self._expiries: list[tuple[UnixMillis, AccountId]] = []

    # --- coming and going

    def enter(
        self,
        caller: Caller,
        session: SessionT,
        snapshot: Snapshot,
        word: Word,
        *,
        is_unseen: bool,
        is_idle: bool = False,
        now: UnixMillis,
    ) -> tuple[list[bytes], list[bytes], Told[SessionT]]:
        """Seat a device, in place of its earlier session if that is still there.

        word: what the device says at entering; it counts if no other seen device is here. Gives
        records for the device itself (its friends in pages; then, after what waits for it, what is shown
        already and where friends and own devices that are online can be dialled), and what others are
        told.
        """
        here = self._here.get(caller.account)
        if here is None:
            party = Party(caller.account, caller.name, caller.identity, snapshot.account.last_seen)
            friends = array("q", (row.id for row in snapshot.friends))
            here = self._here[caller.account] = Here(party, friends, Word(Show.OFFLINE), {})
        before = self._view(here)
        others_are_seen = any(
            not seat.is_unseen for device, seat in here.seats.items() if device != caller.device
        )
        if not is_unseen and not others_are_seen:
            self._say(here, word)
        seat = Seat(session, is_unseen, snapshot.device.certificate, None, is_idle)
        if snapshot.device.addresses:
            seat.addresses = self._addresses(caller, seat.certificate, snapshot.device.addresses)
        here.seats[caller.device] = seat
        pages = [encode(Purpose.TRACKER, page) for page in self._pages(snapshot)]
        more: list[bytes] = []
        if others_are_seen and here.word != word:
            more.append(encode(Purpose.TRACKER, self._own(here)))
        for friend in here.friends:
            more += self._where(AccountId(friend))
        more += [
            own.addresses
            for device, own in here.seats.items()
            if device != caller.device and own.addresses is not None and not own.is_unseen
        ]
        told = self._told(here, before, now)
        if before[0] and here.is_shown and not is_unseen and seat.addresses is not None:
            self._tell_friends(here, seat.addresses, ("at", caller.device), told.deliveries)
        return pages, more, told

    def leave(
        self, account: AccountId, device: DeviceId, session: SessionT, now: UnixMillis
    ) -> Told[SessionT]:
        """Take the seat of a session that ended; nothing if another one has taken it over."""
        here = self._here.get(account)
        seat = here.seats.get(device) if here else None
        if here is None or seat is None or seat.session is not session:
            return Told([])
        before = self._view(here)
        del here.seats[device]
        told = self._told(here, before, now)
        if not here.seats:
            del self._here[account]
        return told

    # --- what is shown

    def set_presence(self, caller: Caller, message: SetPresence, now: UnixMillis) -> Told[SessionT]:
        """Show this from now on, on behalf of all devices of the account."""
        here = self._here.get(caller.account)
        if here is None:
            return Told([])
        word = Word(message.show, message.text, UnixMillis(message.until))
        return self._change(here, word, caller.device, now)

    def set_idle(
        self, caller: Caller, session: SessionT, *, is_idle: bool, now: UnixMillis
    ) -> Told[SessionT]:
        """Take note that a person uses a device, or stopped; nothing for a session that was taken over."""
        here = self._here.get(caller.account)
        seat = here.seats.get(caller.device) if here else None
        if here is None or seat is None or seat.session is not session:
            return Told([])
        before = self._view(here)
        seat.is_idle = is_idle
        return self._told(here, before, now)

    def expire(self, now: UnixMillis) -> list[tuple[AccountId, Told[SessionT]]]:
        """Take back what was to be shown until an instant that has come."""
        told: list[tuple[AccountId, Told[SessionT]]] = []
        while self._expiries and self._expiries[0][0] <= now:
            until, account = heapq.heappop(self._expiries)
            here = self._here.get(account)
            if here is not None and here.word.until == until:
                told.append((account, self._change(here, Word(Show.AVAILABLE), None, now)))
        return told

    # --- what changes between people

    def befriended(self, one: Party, other: Party) -> list[Delivery[SessionT]]:
        """Tell both sides of their friendship, with presence and addresses of the other."""
        deliveries: list[Delivery[SessionT]] = []
        for mine, theirs in ((one, other), (other, one)):
            here = self._here.get(mine.account)
            if here is None:
                continue
            if theirs.account not in here.friends:
                here.friends.append(theirs.account)
            self._tell(here, FriendAdded(self._friend(theirs)), deliveries)
            for record in self._where(theirs.account):
                deliveries += [Delivery(seat.session, record) for seat in here.seats.values()]
        return deliveries

    def parted(self, one: AccountId, other: AccountId) -> None:
        """Forget that the two are friends."""
        for mine, theirs in ((one, other), (other, one)):
            here = self._here.get(mine)
            if here is not None and theirs in here.friends:
                here.friends.remove(theirs)

    def put_addresses(
        self, caller: Caller, certificate: bytes, signed: bytes
    ) -> list[Delivery[SessionT]]:
        """Tell friends and the own other devices where a device can be dialled now."""
        here = self._here.get(caller.account)
        seat = here.seats.get(caller.device) if here else None
        deliveries: list[Delivery[SessionT]] = []
        if here is None or seat is None:
            return deliveries
        seat.addresses = record = self._addresses(caller, certificate, signed)
        key = ("at", caller.device)
        if here.is_shown and not seat.is_unseen:
            self._tell_friends(here, record, key, deliveries)
        for device, own in here.seats.items():
            if device != caller.device:
                deliveries.append(Delivery(own.session, record, key))
        return deliveries

    def tell(
        self, account: AccountId, message: Message, except_device: DeviceId | None = None
    ) -> list[Delivery[SessionT]]:
        """Send a message to all devices of an account that are here, but one."""
        deliveries: list[Delivery[SessionT]] = []
        here = self._here.get(account)
        if here is not None:
            self._tell(here, message, deliveries, except_device=except_device)
        return deliveries

    def tell_all(self, accounts: Iterable[AccountId], message: Message) -> list[Delivery[SessionT]]:
        """Send a message to all devices of these accounts that are here."""
        record = encode(Purpose.TRACKER, message)
        return [
            Delivery(seat.session, record)
            for account in accounts
            if (here := self._here.get(account)) is not None
            for seat in here.seats.values()
        ]

    # --- questions

    def __contains__(self, account: AccountId) -> bool:
        return account in self._here

    def session_of(self, account: AccountId, device: DeviceId) -> SessionT | None:
        """Give the session of a device, if it is here."""
        here = self._here.get(account)
        seat = here.seats.get(device) if here else None
        return seat.session if seat else None

    def visible_session(
        self, by: AccountId, account: AccountId, device: DeviceId
    ) -> SessionT | None:
        """Give the session of a device as another account may know of it: none of one that is not shown."""
        here = self._here.get(account)
        seat = here.seats.get(device) if here else None
        if here is None or seat is None or seat.is_unseen:
            return None
        return seat.session if here.is_shown or by == account else None

    def sessions_of(self, account: AccountId) -> int:
        """Count the account's sessions, unseen ones included."""
        here = self._here.get(account)
        return len(here.seats) if here else 0

    def show_of(self, account: AccountId) -> Show:
        """Say what friends see of the account."""
        here = self._here.get(account)
        return here.show if here is not None and here.is_shown else Show.OFFLINE

    def mark_online(self, account: AccountId, directory: Directory) -> Directory:
        """Mark the devices in an answer that a friend may know to be online."""
        here = self._here.get(account)
        if here is None or not here.is_shown:
            return directory
        online = {seat.certificate for seat in here.seats.values() if not seat.is_unseen}
        return msgspec.structs.replace(
            directory,
            devices=tuple(
                msgspec.structs.replace(record, is_online=record.certificate in online)
                for record in directory.devices
            ),
        )

    # --- inside

    def _say(self, here: Here[SessionT], word: Word) -> None:
        here.word = word
        if word.until:
            heapq.heappush(self._expiries, (word.until, here.party.account))
            if len(self._expiries) > 2 * len(self._here) + STALE_EXPIRIES:
                self._expiries = [
                    (other.word.until, account)
                    for account, other in self._here.items()
                    if other.word.until
                ]
                heapq.heapify(self._expiries)

    def _change(
        self, here: Here[SessionT], word: Word, by: DeviceId | None, now: UnixMillis
    ) -> Told[SessionT]:
        before = self._view(here)
        self._say(here, word)
        told = self._told(here, before, now)
        self._tell(here, self._own(here), told.deliveries, except_device=by)
        return told

    def _view(self, here: Here[SessionT]) -> tuple[bool, Show, str]:
        """Give what friends see: whether anything, and what."""
        return (True, here.show, here.word.text) if here.is_shown else (False, Show.OFFLINE, "")

    def _told(
        self, here: Here[SessionT], before: tuple[bool, Show, str], now: UnixMillis
    ) -> Told[SessionT]:
        """Tell friends if what they see differs from `before`, with addresses at coming online."""
        after = self._view(here)
        deliveries: list[Delivery[SessionT]] = []
        if after == before:
            return Told(deliveries)
        was_shown, (is_shown, show, text) = before[0], after
        last_seen = now if was_shown and not is_shown else None
        if last_seen is not None:
            party = here.party
            here.party = Party(party.account, party.name, party.identity, last_seen)
        name = here.party.name
        change = PresenceChanged(name, show, text, 0 if is_shown else here.party.last_seen)
        self._tell_friends(here, encode(Purpose.TRACKER, change), ("is", name), deliveries)
        if is_shown and not was_shown:
            for device, seat in here.seats.items():
                if seat.addresses is not None and not seat.is_unseen:
                    self._tell_friends(here, seat.addresses, ("at", device), deliveries)
        return Told(deliveries, last_seen)

    def _tell_friends(
        self,
        here: Here[SessionT],
        record: bytes,
        key: object,
        deliveries: list[Delivery[SessionT]],
    ) -> None:
        for friend in here.friends:
            other = self._here.get(AccountId(friend))
            if other is not None:
                deliveries += [Delivery(seat.session, record, key) for seat in other.seats.values()]

    def _tell(
        self,
        here: Here[SessionT],
        message: Message,
        deliveries: list[Delivery[SessionT]],
        *,
        except_device: DeviceId | None = None,
    ) -> None:
        record = encode(Purpose.TRACKER, message)
        deliveries += [
            Delivery(seat.session, record)
            for device, seat in here.seats.items()
            if device != except_device
        ]

    def _own(self, here: Here[SessionT]) -> PresenceChanged:
        """Tell an account's own devices what it shows, invisibility included."""
        return PresenceChanged(here.party.name, here.word.show, here.word.text)

    def _friend(self, party: Party) -> Friend:
        here = self._here.get(party.account)
        if here is None:
            return Friend(party.name, party.identity, Show.OFFLINE, "", party.last_seen)
        is_shown, show, text = self._view(here)
        last_seen = 0 if is_shown else max(here.party.last_seen, party.last_seen)
        return Friend(party.name, party.identity, show, text, last_seen)

    def _pages(self, snapshot: Snapshot) -> Iterator[FriendsPage]:
        """Cut the friend list into pages of at most 32 KiB, the last one marked."""
        page: list[Friend] = []
        size_bytes = 0
        for row in snapshot.friends:
            friend = self._friend(Party(row.id, row.name, row.identity, row.last_seen))
            row_bytes = FRIEND_BYTES + len(friend.text.encode())
            if len(page) == FRIENDS_PER_PAGE or size_bytes + row_bytes > limits.PAGE_BYTES:
                yield FriendsPage(tuple(page), is_last=False)
                page, size_bytes = [], 0
            page.append(friend)
            size_bytes += row_bytes
        yield FriendsPage(tuple(page), is_last=True)

    def _where(self, account: AccountId) -> list[bytes]:
        """Give the records that say where a friend's devices that are online can be dialled."""
        here = self._here.get(account)
        if here is None or not here.is_shown:
            return []
        return [
            seat.addresses
            for seat in here.seats.values()
            if seat.addresses is not None and not seat.is_unseen
        ]

    def _addresses(self, caller: Caller, certificate: bytes, signed: bytes) -> bytes:
        change = AddressesChanged(caller.name, caller.device, certificate, signed)
        return encode(Purpose.TRACKER, change)
