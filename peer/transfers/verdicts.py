"""What the accept policy says of a friend's offer: noted when it is shown, in the same transaction, once and for all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from fnmatch import fnmatchcase

from peer.effects import ApplyPolicy, Effect
from peer.people import contacts
from peer.settings import preferences
from peer.settings.quantities import OFF, size_bytes
from peer.store import own
from peer.transfers.offerings import OfferRow
from wire import limits
from wire.identity import peek_certificate

Connection = sqlite3.Connection


def judge(connection: Connection, row: OfferRow) -> list[Effect]:
    """Note what is to be done with an offer that is shown now; nothing where it waits for its person."""
    friend = contacts.of_identity(connection, row.identity)
    if friend is None or not may_be_taken(connection, row):
        return []
    verdict = preferences.held(connection, "accept.policy", friend)
    most = preferences.held(connection, "accept.max-size", friend)
    is_too_large = most != OFF and row.size > size_bytes(most)
    is_metered = preferences.held(connection, "metered") == preferences.ON
    if verdict == "ask" or (verdict == "auto" and (is_too_large or is_metered)):
        return []
    connection.execute("UPDATE offers SET verdict = ? WHERE number = ?", (verdict, row.number))
    return [ApplyPolicy()]


def may_be_taken(connection: Connection, row: OfferRow) -> bool:
    """Say whether an offer waits here, for a policy to take or refuse it.

    One to oneself is also for this device where another has taken it; but a machine that comes later does not fetch
    all that was ever sent.
    """
    if row.state == "offered" or not row.is_to_oneself:
        return row.state == "offered"
    (at,) = connection.execute("SELECT at FROM offers WHERE number = ?", (row.number,)).fetchone()
    made = peek_certificate(own.need_account(connection).certificate).created
    is_of_its_time: bool = at >= made - int(limits.CLOCK_LABEL_OFF_S * 1000)
    return row.state in ("accepted", "done") and is_of_its_time


def is_due(connection: Connection) -> bool:
    """Say whether something was said that is not done yet."""
    row = connection.execute("SELECT 1 FROM offers WHERE verdict IS NOT NULL LIMIT 1").fetchone()
    return row is not None


def all_match(paths: Iterable[str], types: str) -> bool:
    """Say whether every file's name matches one of some patterns, capitals or not.

    paths: relative, components joined by `/`. types: patterns with commas between.
    """
    patterns = [pattern.casefold() for pattern in types.split(",")]
    names = (path.rsplit("/", 1)[-1].casefold() for path in paths)
    return all(any(fnmatchcase(name, pattern) for pattern in patterns) for name in names)
