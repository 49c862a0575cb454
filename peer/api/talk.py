"""What may be asked about single messages and about how a conversation is kept, and what that gives."""

from __future__ import annotations

from typing import ClassVar

from peer.api.command import Command, Need
from peer.api.results import Result


class EditText(Command, frozen=True):
    """Let an own message read otherwise. Gives one MessageChanged."""

    id: str
    text: str
    wait_s: float | None = None  # as for SendText, of the event that says so
    is_sent_enough: bool = False  # as for SendText


class DeleteText(Command, frozen=True):
    """Ask everybody to drop an own message. Gives one MessageChanged."""

    id: str
    wait_s: float | None = None
    is_sent_enough: bool = False


class React(Command, frozen=True):
    """Put an emoji on a line in place of an earlier one; the same again, or none, takes it back.

    Gives one MessageChanged.
    """

    id: str
    mark: str
    wait_s: float | None = None
    is_sent_enough: bool = False


class PinText(Command, frozen=True):
    """Keep a line in sight of everybody in its conversation, or no more. Gives one MessageChanged."""

    id: str
    is_pinned: bool = True
    wait_s: float | None = None
    is_sent_enough: bool = False


class ForwardText(Command, frozen=True):
    """Say the words of a message to somebody else, with the name of who wrote them. Gives one MessageState."""

    id: str
    to: str
    wait_s: float | None = None
    is_sent_enough: bool = False


class MuteFriend(Command, frozen=True):
    """Let nobody be disturbed by what a friend says, for a while or for good, or end that. Gives one Muted."""

    need: ClassVar[Need] = Need.STORE
    name: str
    is_muted: bool = True
    for_s: float | None = None


class KeepDraft(Command, frozen=True):
    """Keep what will be said to a friend, on all own devices; None only shows it. Gives one Draft.

    It is forgotten once its very words are said.
    """

    need: ClassVar[Need] = Need.STORE
    to: str
    text: str | None = None


class SendTyping(Command, frozen=True):
    """Tell a friend who is linked that somebody writes, or stopped. Gives one TypingTold.

    A face says it as often as it likes: the node keeps to a pace that the wire allows.
    """

    to: str
    is_typing: bool = True


class MessageChanged(Result, frozen=True):
    """What was said of a message, and how far that came.

    event: the id of what says it, None where it was so before and nothing had to be said.
    """

    id: str
    event: str | None
    state: str | None  # of that event: queued, sent, delivered, read, failed


class Muted(Result, frozen=True):
    """Whether nobody is disturbed by what a friend says. until: None for good, or where it is not muted."""

    friend: str
    muted: bool
    until: str | None


class Draft(Result, frozen=True):
    """What will be said to a friend; empty for nothing."""

    friend: str
    text: str


class TypingTold(Result, frozen=True):
    """Whether a device of the friend was told just now."""

    friend: str
    told: bool
