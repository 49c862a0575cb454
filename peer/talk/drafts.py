"""Drafts: words to a friend that were not said yet, the same on all devices of the account."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from peer import api
from peer.errors import PeerError
from peer.people import contacts
from peer.talk import personal
from wire import limits
from wire.codes import Code

Connection = sqlite3.Connection
DRAFT = "draft/"
"""And the friend's name; value: UTF-8."""


def draft(connection: Connection, name: str, text: str | None) -> api.Draft:
    """Keep what will be said to a friend, empty for nothing; None only gives what is kept.

    Raises PeerError with NO_SUCH_FRIEND, BLOCKED, TEXT_INVALID, and MESSAGE_TOO_LONG for more than
    DRAFT_BYTES: it has to travel in the account state.
    """
    friend = contacts.find_recipient(connection, name)
    if text is not None:
        personal.write(connection, DRAFT, friend, _checked(text) or None)
    kept = personal.read(connection, DRAFT, friend) or b""
    return api.Draft(name, kept.decode(errors="replace"))


def said(connection: Connection, friend: contacts.Contact, texts: Collection[str]) -> None:
    """Forget the draft whose words were said now."""
    kept = personal.read(connection, DRAFT, friend)
    if kept is not None and kept in {text.encode() for text in texts}:
        personal.write(connection, DRAFT, friend, None)


def _checked(text: str) -> bytes:
    try:
        raw = text.encode()
    except UnicodeEncodeError as error:
        raise PeerError(Code.TEXT_INVALID, "the draft is not valid UTF-8") from error
    if len(raw) > limits.DRAFT_BYTES:
        raise PeerError(Code.MESSAGE_TOO_LONG, f"a draft has at most {limits.DRAFT_BYTES} bytes")
    return raw
