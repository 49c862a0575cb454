"""What the synchronous parts of a peer want done: values they return, which the node carries out.

Conversations, contacts and the transfer book are plain functions over a database connection; they
cannot send, dial or tell anybody. They return these, in order, and the node does them after the commit
of the very transaction that decided them.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from peer import api
from wire.codes import Code
from wire.ids import AccountName, ConversationId, DeviceId, Epoch, IdentityKey, OfferId
from wire.messages import Message
from wire.messages.conversation import SealedEvent


class Effect(Struct, frozen=True):
    """Something to be done after the commit; the subclasses are the closed list."""


class SendOnLink(Effect, frozen=True):
    """Send a message to one device if a link to it is open; else nothing: sync will bring it."""

    device: DeviceId
    message: Message


class WrittenEvent(Struct, frozen=True):
    """What this device wrote in the transaction. seq: its place in the chain of device and epoch."""

    device: DeviceId
    epoch: Epoch
    seq: int
    sealed: SealedEvent


class SignedReceipt(Struct, frozen=True):
    """What this device signed for what another brought in the transaction. chains: all it speaks of, none of them forked or doubted."""

    device: DeviceId  # this one
    brought_by: DeviceId
    chains: frozenset[tuple[DeviceId, Epoch]]
    signed: bytes


class PushEvents(Effect, frozen=True):
    """Send what is stored to every linked device of the conversation's members, own devices included.

    Receipts that are owed go with it. except_device: one that is owed nothing by this, as all of it came from there.
    news: all that changed, if it is no more than that; see `peer.log.live`.
    """

    conversation: ConversationId
    except_device: DeviceId | None = None
    news: WrittenEvent | SignedReceipt | None = None


class WantLink(Effect, frozen=True):
    """There is something for this friend: dial if no link is open or under way."""

    identity: IdentityKey


class CloseLinks(Effect, frozen=True):
    """Close every link with this account (and device, if named): removed, blocked, revoked."""

    identity: IdentityKey
    code: Code
    device: DeviceId | None = None


class TakenOff(Effect, frozen=True):
    """This device was taken off its account's list: nobody talks with it any more, and it ends its links."""


class GiveStateKey(Effect, frozen=True):
    """A link with another device of this account stands: it may lack the state key."""

    device: DeviceId


class TakeStateKey(Effect, frozen=True):
    """Another device of this account gave a state key: to be taken if it is the one that is missing here."""

    state_key: bytes

    def __repr__(self) -> str:
        return "TakeStateKey(...)"


class Ask(Effect, frozen=True):
    """Tell the tracker; kept in the database until it answers, its request id put in when it is sent."""

    message: Message


class FriendsChanged(Effect, frozen=True):
    """How the account stands with somebody changed: its other devices are to hear of it at once."""

    name: AccountName


class Tell(Effect, frozen=True):
    """Tell the faces. told: the event, or what makes it of values that do not change: then that is done when it is told."""

    told: api.Event | Callable[[], api.Event]

    @property
    def event(self) -> api.Event:
        """What is told."""
        return self.told if isinstance(self.told, api.Event) else self.told()


class NoteTyping(Effect, frozen=True):
    """A friend's device says that its person writes, or stopped."""

    friend: str
    device: DeviceId
    is_typing: bool


class WakeTransfers(Effect, frozen=True):
    """What should be fetched or served changed. offer: of which offer, None for any of them."""

    offer: OfferId | None = None


class OfferAgain(Effect, frozen=True):
    """Something that a friend was told is paused can be had again: their linked devices may ask now."""

    identity: IdentityKey


class ApplyPolicy(Effect, frozen=True):
    """The accept policy said something of an offer that is to be done now."""


class NoteDenial(Effect, frozen=True):
    """Something that came was not taken while its link goes on: the log names it. who: a device, or the tracker."""

    who: str
    what: str
    code: Code

    @classmethod
    def of(cls, device: DeviceId, what: str, code: Code) -> NoteDenial:
        """Give the denial of what a device sent."""
        return cls(device.hex()[:8], what, code)
