"""Finding what was said by its words: the newest first, page by page. What the index is: `peer.history.indexing`."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from peer import api
from peer.errors import PeerError
from peer.history import words
from peer.history.history import find_event
from peer.history.indexing import mark_of, text_of
from peer.people import contacts
from peer.store import own
from peer.times import rfc3339
from wire import limits
from wire.codes import Code
from wire.log.event import EventKind

Connection = sqlite3.Connection

STEPS = 10_000  # of SQLite's machine between two looks at the clock: well below a millisecond
SNIPPET_BEFORE, SNIPPET_CHARS = 32, 96
"""Of a text, before its first hit and in all: a line of a terminal beside names and times."""


def find(connection: Connection, query: api.SearchMessages) -> list[api.Found]:
    """Give the newest lines that hold all that is looked for; the index is up to date.

    It is given up after SEARCH_S, whatever is looked for. Raises PeerError with SEARCH_TOO_LONG, TEXT_LENGTH, SEARCH_EMPTY, NO_SUCH_FRIEND, CONFIG_INVALID for a limit that is none,
    UNKNOWN_MESSAGE or AMBIGUOUS_ID for a line that is not there.
    """
    me = own.need_account(connection)
    terms = words.read_terms(query.text)
    if not 0 <= query.limit <= limits.SEARCH_RESULTS:
        raise PeerError(
            Code.CONFIG_INVALID,
            f"a search gives 0 to {limits.SEARCH_RESULTS} results",
            remedy="use --limit N, and --before ID for those behind them",
        )
    match = words.as_match(terms)
    if query.friend is not None:
        within = _conversations(connection, query.friend)
        if not within:
            return []  # nothing was ever said
        match = f"({within}) AND {match}"  # blanks bind tighter
    before = _place_of(connection, query.before)
    rows = _in_time(
        connection,
        "SELECT e.number, e.id, v.id, c.name, e.is_own, e.kind, e.at, e.body FROM found f"
        " CROSS JOIN words w ON w.place = f.rowid CROSS JOIN events e ON e.number = w.event"
        " JOIN conversations v ON v.number = e.conversation JOIN contacts c ON c.number = v.contact"
        " WHERE f.folded MATCH ? AND f.rowid < ? AND e.held = 0 AND e.replaced IS NULL"
        " AND e.body IS NOT NULL ORDER BY f.rowid DESC LIMIT ?",
        (match, before, query.limit),
    )
    results: list[api.Found] = []
    for number, event, conversation, friend, is_own, kind, at, body in rows:
        text = text_of(connection, number, kind, body)
        snippet, hits = _snippet(text, terms)
        results.append(
            api.Found(
                id=event.hex(),
                conversation=conversation.hex(),
                friend=friend,
                sender=me.name if is_own else friend,
                at=rfc3339(at),
                kind="offer" if kind == EventKind.OFFER else "message",
                snippet=snippet,
                hits=hits,
            )
        )
    return results


def _in_time(
    connection: Connection, question: str, values: tuple[object, ...], within_s: float | None = None
) -> list[tuple[Any, ...]]:
    """Give the rows of a question; raises PeerError(SEARCH_TOO_LONG) after SEARCH_S, or `within_s`."""
    ends = time.monotonic() + (limits.SEARCH_S if within_s is None else within_s)
    connection.set_progress_handler(lambda: time.monotonic() > ends, STEPS)
    try:
        return connection.execute(question, values).fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        raise PeerError(Code.SEARCH_TOO_LONG) from error
    finally:
        connection.set_progress_handler(None, 0)


def _conversations(connection: Connection, friend: str) -> str:
    """Give what the index looks for in talk with one person; empty if there was none."""
    contact = contacts.find(connection, friend)
    if contact is None:
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {friend!r}")
    rows = connection.execute(
        "SELECT number FROM conversations WHERE contact = ?", (contact.number,)
    )
    return " OR ".join(f'"{mark_of(number)}"' for (number,) in rows)


def _place_of(connection: Connection, prefix: str | None) -> int:
    """Give the place of a line, that of the end of time for None."""
    if prefix is None:
        return 2**63 - 1
    number, _ = find_event(connection, prefix)
    row = connection.execute("SELECT place FROM words WHERE event = ?", (number,)).fetchone()
    if row is None:
        raise PeerError(Code.UNKNOWN_MESSAGE, f"no words are kept of the message {prefix[:64]}")
    return int(row[0])


def _snippet(text: str, terms: list[words.Term]) -> tuple[str, list[list[int]]]:
    """Give a piece of a text on one line, and where in it the hits are."""
    found = words.hits(text, terms)
    first = found[0][0] if found else 0
    start = 0 if len(text) <= SNIPPET_CHARS else max(0, first - SNIPPET_BEFORE)
    end = min(len(text), start + SNIPPET_CHARS)
    head, tail = "…" if start else "", "…" if end < len(text) else ""
    piece = "".join(" " if character.isspace() else character for character in text[start:end])
    hits = [
        [one - start + len(head), min(other, end) - start + len(head)]
        for one, other in found
        if start <= one < end
    ]
    return head + piece + tail, hits
