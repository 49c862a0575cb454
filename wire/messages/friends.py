"""Messages about friendship: signed requests and answers that the tracker carries but cannot forge."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import AccountNameField, IdentityKeyField, Millis, RequestIdField
from wire.messages.accounts import SignedDeviceList
from wire.messages.presence import PresenceText, Show
from wire.messages.registry import Message, Purpose, message

SignedRequest = Annotated[bytes, Meta(min_length=1, max_length=limits.FRIEND_REQUEST_BYTES)]
SignedAnswer = Annotated[bytes, Meta(min_length=1, max_length=limits.FRIEND_REQUEST_BYTES)]


@message(0x0040, Purpose.TRACKER)
class AskUser(Message, frozen=True):
    """Ask whether a name exists and which identity the tracker has for it; answered by User."""

    request: RequestIdField
    name: AccountNameField


@message(0x0041, Purpose.TRACKER)
class User(Message, frozen=True):
    """Answer AskUser; the identity is the tracker's word only, a friend code is the proof."""

    request: RequestIdField
    name: AccountNameField
    identity: IdentityKeyField


@message(0x0042, Purpose.TRACKER)
class AskFriend(Message, frozen=True):
    """Carry a signed friend request to somebody; answered by Done (also where that person blocked me)."""

    request: RequestIdField
    name: AccountNameField
    signed: SignedRequest  # purpose `friend-request`


@message(0x0043, Purpose.TRACKER)
class FriendAsked(Message, frozen=True):
    """Deliver a friend request; sent at Enter for those that wait, and at once to those online."""

    name: AccountNameField  # of the asker
    signed: SignedRequest  # purpose `friend-request`
    at: Millis


@message(0x0044, Purpose.TRACKER)
class AnswerFriend(Message, frozen=True):
    """Carry the signed answer back; answered by Done. From a yes on the two are friends at the tracker."""

    request: RequestIdField
    name: AccountNameField  # of the asker
    is_yes: bool  # as in the signed answer
    signed: SignedAnswer  # a no is signed too


@message(0x0045, Purpose.TRACKER)
class FriendAnswered(Message, frozen=True):
    """Deliver the answer to the asker; kept until TakeAnswer, so that a lost link loses no answer."""

    name: AccountNameField  # of the answerer
    is_yes: bool  # as in the signed answer
    signed: SignedAnswer  # purpose `friend-answer`
    at: Millis


@message(0x0046, Purpose.TRACKER)
class TakeAnswer(Message, frozen=True):
    """The answer is stored here: the tracker may forget it; answered by Done."""

    request: RequestIdField
    name: AccountNameField


@message(0x0047, Purpose.TRACKER)
class RemoveFriend(Message, frozen=True):
    """End a friendship, or withdraw a request of mine; answered by Done."""

    request: RequestIdField
    name: AccountNameField


@message(0x0048, Purpose.TRACKER)
class FriendRemoved(Message, frozen=True):
    """Tell the other side (and the own other devices) that a friendship ended."""

    name: AccountNameField


@message(0x0049, Purpose.TRACKER)
class BlockUser(Message, frozen=True):
    """End any friendship and swallow that person's requests from now on; answered by Done."""

    request: RequestIdField
    name: AccountNameField


@message(0x004A, Purpose.TRACKER)
class UnblockUser(Message, frozen=True):
    """Take a block back; answered by Done."""

    request: RequestIdField
    name: AccountNameField


class Friend(Message, frozen=True):
    """One row of FriendsPage."""

    name: AccountNameField
    identity: IdentityKeyField
    show: Show
    text: PresenceText
    last_seen: Millis  # milliseconds since 1970; 0: unknown, or here


@message(0x004B, Purpose.TRACKER)
class FriendsPage(Message, frozen=True):
    """The friend list as the tracker has it, in pages after Entered."""

    friends: Annotated[tuple[Friend, ...], Meta(max_length=256)]  # in any order
    is_last: bool


@message(0x004C, Purpose.TRACKER)
class FriendAdded(Message, frozen=True):
    """Tell both sides' devices that two are friends now, with the new friend's presence."""

    friend: Friend  # who is a friend now


@message(0x004D, Purpose.TRACKER)
class DevicesChanged(Message, frozen=True):
    """Tell a friend that somebody's device list has a new counter."""

    name: AccountNameField
    device_list: SignedDeviceList


@message(0x004E, Purpose.PEER)
class AskFriendship(Message, frozen=True):
    """Ask for friendship without a tracker: the one thing a stranger may say, while the other takes requests."""

    signed: SignedRequest  # purpose `friend-request`; its target is the identity that was called


@message(0x004F, Purpose.PEER)
class AnswerFriendship(Message, frozen=True):
    """Give the answer to a request, whichever way that came; from a yes on the link is one of friends."""

    signed: SignedAnswer  # purpose `friend-answer`
