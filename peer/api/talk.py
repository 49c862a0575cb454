"""What may be asked about single messages and about how a conversation is kept; results are in `results`."""

from __future__ import annotations

from dataclasses import dataclass

from peer.api.command import Command


@dataclass(frozen=True, slots=True)
class EditText(Command):
    """Let an own message read otherwise. Gives one MessageChanged."""

    id: str
    text: str
    wait_s: float | None = None  # as for SendText, of the event that says so
    is_sent_enough: bool = False  # as for SendText


@dataclass(frozen=True, slots=True)
class DeleteText(Command):
    """Ask everybody to drop an own message. Gives one MessageChanged."""

    id: str
    wait_s: float | None = None
    is_sent_enough: bool = False


@dataclass(frozen=True, slots=True)
class React(Command):
    """Put an emoji on a line in place of an earlier one; the same again, or none, takes it back.

    Gives one MessageChanged.
    """

    id: str
    mark: str
    wait_s: float | None = None
    is_sent_enough: bool = False


@dataclass(frozen=True, slots=True)
class PinText(Command):
    """Keep a line in sight of everybody in its conversation, or no more. Gives one MessageChanged."""

    id: str
    is_pinned: bool = True
    wait_s: float | None = None
    is_sent_enough: bool = False


@dataclass(frozen=True, slots=True)
class ForwardText(Command):
    """Say the words of a message to somebody else, with the name of who wrote them. Gives one MessageState."""

    id: str
    to: str
    wait_s: float | None = None
    is_sent_enough: bool = False
