"""The rows of transfers: beginning, changing and showing them; what they mean is decided elsewhere.

Plain functions over a connection. A transfer's state follows the table of `wire.transfer.states`; what
cannot follow any more, because it ended meanwhile, changes nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from peer import api
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.prefixes import read_prefix
from peer.store import own
from peer.transfers import offerings, sharing
from peer.transfers.asking import Source
from peer.transfers.blame import AT_SOURCE, error_of
from peer.transfers.offerings import OfferRow
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.machine import UnixMillis
from wire.transfer.holding import OfferKey
from wire.transfer.states import ENDED, FOLLOWS, TransferState

Connection = sqlite3.Connection
ENDED_VALUES = frozenset(state.value for state in ENDED)

FRIEND, SLOT, SOURCE, SPACE, FOLDER = "friend", "slot", "source", "space", "folder"
PAUSED, SOURCE_OFFLINE, TRACKER = "friend-paused", "source-offline", "tracker"
FRIEND_SPACE, FRIEND_FOLDER, OTHER_DEVICE = "friend-space", "friend-folder", "other-device"
"""What a transfer waits for: the friend, its turn, somebody who has the file, space, the folder; the friend's going on;
of one with several sources, one that has the rest; the tracker, without which the two cannot meet for files; the
friend's space and folder; another own device, which sends it and knows how far it is."""

WAITS_HERE = {Code.NO_SPACE: SPACE, Code.FOLDER_GONE: FOLDER}
HELD_HERE = {
    **{reason: code for code, reason in WAITS_HERE.items()},
    SOURCE_OFFLINE: Code.SOURCE_OFFLINE,
    TRACKER: Code.TRACKER_UNREACHABLE,
}
HELD_THERE = {
    Code.NO_SPACE: FRIEND_SPACE,
    Code.FOLDER_GONE: FRIEND_FOLDER,
    Code.PAUSED: PAUSED,
}


class Live(Struct, frozen=True):
    """What only the running node knows of a transfer.

    rate: bytes per second over the last seconds, or None. path: of its link, as `status` names it. resumed_at:
    bytes that were verified when it went on after an interruption, or None. sources: of one that comes.
    """

    files_done: int
    verified_bytes: int
    resent_bytes: int
    rate: float | None
    path: str | None
    resumed_at: int | None = None
    sources: tuple[Source, ...] = ()


class TransferRow(Struct, frozen=True):
    """One transfer, as far as decisions need it. offer: the row of its offer."""

    number: int
    offer: int
    is_out: bool
    state: TransferState


def transfer_id(key: OfferKey, receiver: bytes) -> bytes:
    """Give a transfer's id, the same at both ends. receiver: 32 bytes, identity of who receives."""
    return sha256(b"hobnob transfer" + key.device + key.offer + receiver)[:16]


def add_transfer(
    connection: Connection,
    offer: OfferRow,
    now: UnixMillis,
    folder: str | None = None,
) -> int:
    """Begin the transfer of an offer and give its row; one that stood there before is forgotten.

    folder: absolute path, of one that comes; None for one that leaves.
    """
    receiver = offer.identity if offer.is_own else own.need_account(connection).identity
    connection.execute(
        "DELETE FROM transfers WHERE offer = ? AND contact = ?", (offer.number, offer.contact)
    )
    is_here = not offer.is_own or offer.key.device == own.this_device(connection)[0]
    cursor = connection.execute(
        "INSERT INTO transfers (id, offer, contact, is_out, state, reason, folder, made)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            transfer_id(offer.key, receiver),
            offer.number,
            offer.contact,
            offer.is_own,
            TransferState.WAITING.value,
            FRIEND if is_here else OTHER_DEVICE,
            None if folder is None else os.fsencode(folder),
            now,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def transfer_for(connection: Connection, offer: OfferRow) -> tuple[int, TransferState] | None:
    """Give the row and state of an offer's transfer with the friend of its conversation, or None."""
    row = connection.execute(
        "SELECT number, state FROM transfers WHERE offer = ? AND contact = ?",
        (offer.number, offer.contact),
    ).fetchone()
    return None if row is None else (row[0], TransferState(row[1]))


def find(connection: Connection, prefix: str) -> TransferRow:
    """Give the one transfer whose id begins so.

    prefix: 8 or more hex digits. Raises PeerError with UNKNOWN_TRANSFER or AMBIGUOUS_ID.
    """
    text = read_prefix(prefix, Code.UNKNOWN_TRANSFER)
    rows = connection.execute(
        "SELECT number, offer, is_out, state FROM transfers"
        " WHERE substr(lower(hex(id)), 1, ?) = ? LIMIT 2",
        (len(text), text),
    ).fetchall()
    if not rows:
        raise PeerError(
            Code.UNKNOWN_TRANSFER, f"no transfer has an id that begins with {text[:64]}"
        )
    if len(rows) > 1:
        raise PeerError(Code.AMBIGUOUS_ID)
    number, offer, is_out, state = rows[0]
    return TransferRow(number, offer, bool(is_out), TransferState(state))


def move(
    connection: Connection,
    number: int,
    state: TransferState,
    now: UnixMillis,
    *,
    reason: str | None = None,
    code: Code | None = None,
    detail: str = "",
) -> list[Effect]:
    """Take a transfer to a state if that may follow, and tell the faces; nothing for one that ended.

    reason: of a waiting one. code, detail: why it failed or was called off.
    """
    row = connection.execute(
        "SELECT state, reason, detail FROM transfers WHERE number = ?", (number,)
    ).fetchone()
    if row is None:
        return []
    before = TransferState(row[0])
    if state is before:
        if not FOLLOWS[state] or (reason, detail or None) == row[1:]:
            return []
    elif state not in FOLLOWS[before]:
        return []
    is_ended = not FOLLOWS[state]
    connection.execute(
        "UPDATE transfers SET state = ?, reason = ?, code = ?, detail = ?,"
        " started = coalesce(started, ?), ended = ? WHERE number = ?",
        (
            state.value,
            reason,
            None if code is None else code.value,
            detail or None,
            now if state is TransferState.RUNNING else None,
            now if is_ended else None,
            number,
        ),
    )
    return tell_shown(connection, number)


def state_of(connection: Connection, number: int) -> TransferState | None:
    """Give the state of a transfer, or None if there is none any more."""
    row = connection.execute("SELECT state FROM transfers WHERE number = ?", (number,)).fetchone()
    return None if row is None else TransferState(row[0])


def is_paused(connection: Connection, number: int) -> bool:
    """Say whether a person holds a transfer here."""
    return state_of(connection, number) is TransferState.PAUSED


def progressed(
    connection: Connection,
    number: int,
    *,
    files_done: int,
    verified_bytes: int,
    resent_bytes: int,
) -> None:
    """Note how far a transfer is: less than before where a power cut took some of it back.

    Never beyond what was offered. How far one came that ended is told last; what is done only goes up, and so
    does what came twice.
    """
    connection.execute(
        "UPDATE transfers SET files_done = max(iif(state = 'done', files_done, 0), min(?1, o.files)),"
        " verified_bytes = max(iif(state = 'done', verified_bytes, 0), min(?2, o.size)),"
        " resent_bytes = max(resent_bytes, ?3)"
        " FROM (SELECT number AS its, files, size FROM offers) o"
        " WHERE transfers.number = ?4 AND o.its = transfers.offer",
        (files_done, verified_bytes, resent_bytes, number),
    )


def complete(connection: Connection, number: int) -> None:
    """Note that all of a transfer was verified, but for what could not be had."""
    (skipped,) = connection.execute(
        "SELECT skipped FROM transfers WHERE number = ?", (number,)
    ).fetchone()
    if not any(_is_lost(each) for each in json.loads(skipped)):
        connection.execute(
            "UPDATE transfers SET (files_done, verified_bytes) = (SELECT o.files, o.size"
            " FROM offers o WHERE o.number = transfers.offer) WHERE number = ?",
            (number,),
        )


def note_lost(
    connection: Connection, number: int, lost: Sequence[dict[str, str]], size_bytes: int
) -> list[Effect]:
    """Note which files of an outgoing transfer the friend was told cannot be had; size_bytes: of all of them.

    It may be known before or after the friend says that the rest has come.
    """
    text, state = connection.execute(
        "SELECT skipped, state FROM transfers WHERE number = ?", (number,)
    ).fetchone()
    known = json.loads(text)
    fresh = [each for each in lost if each not in known]
    if not fresh:
        return []
    connection.execute(
        "UPDATE transfers SET skipped = ? WHERE number = ?", (json.dumps(known + fresh), number)
    )
    if state == TransferState.DONE.value and not any(map(_is_lost, known)):
        connection.execute(
            "UPDATE transfers SET files_done = max(files_done - ?, 0),"
            " verified_bytes = max(verified_bytes - ?, 0) WHERE number = ?",
            (len(fresh), size_bytes, number),
        )
    return [tell_transfer(connection, number)]


def _is_lost(skipped: dict[str, str]) -> bool:
    """Tell a file that could not be had from what was never offered."""
    return skipped["reason"] in {code.value for code in AT_SOURCE}


def note_skipped(connection: Connection, key: OfferKey, skipped: list[dict[str, str]]) -> list[int]:
    """Note what was left out of an own offer, and give its transfers, one per friend."""
    rows = connection.execute(
        "UPDATE transfers SET skipped = ? WHERE is_out AND offer IN"
        " (SELECT number FROM offers WHERE offer = ? AND device = ?) RETURNING number",
        (json.dumps(skipped), key.offer, key.device),
    ).fetchall()
    return sorted(row[0] for row in rows)


def note_missing(connection: Connection, number: int, missing: Sequence[dict[str, str]]) -> None:
    """Note the files of an incoming transfer that the friend could not give."""
    connection.execute(
        "UPDATE transfers SET skipped = ? WHERE number = ?", (json.dumps(list(missing)), number)
    )


def places(connection: Connection) -> dict[int, int]:
    """Give the places in the queue, from 1, by the rows of those that wait for their turn."""
    rows = connection.execute(
        "SELECT number FROM transfers WHERE NOT is_out AND ended IS NULL AND state = ?"
        " AND reason = ? ORDER BY number",
        (TransferState.WAITING.value, SLOT),
    )
    return {number: place for place, (number,) in enumerate(rows, 1)}


def end_all_with(connection: Connection, contact: int, code: Code, now: UnixMillis) -> list[Effect]:
    """Call off every transfer with somebody, and every offer that is not over; code: why."""
    effects: list[Effect] = []
    numbers = connection.execute(
        "SELECT number FROM transfers WHERE contact = ? AND ended IS NULL ORDER BY number",
        (contact,),
    ).fetchall()
    for (number,) in numbers:
        effects += move(connection, number, TransferState.CANCELLED, now, code=code)
    standing = connection.execute(
        "SELECT o.number FROM offers o JOIN conversations v ON v.number = o.conversation"
        " WHERE v.contact = ? AND o.state IN ('offered', 'accepted') ORDER BY o.number",
        (contact,),
    ).fetchall()
    for (number,) in standing:
        effects += offerings.raise_to(
            connection, offerings.of_number(connection, number), "withdrawn"
        )
    return effects


def tell_transfer(connection: Connection, number: int, live: Live | None = None) -> Tell:
    """Give what tells the faces of a transfer."""
    return Tell(api.Event("transfer", api.as_json(shown_transfer(connection, number, live))))


def tell_shown(connection: Connection, number: int, live: Live | None = None) -> list[Effect]:
    """Give what tells the faces of a transfer; nothing for one that is not shown, or not there any more."""
    row = connection.execute(
        f"SELECT 1 FROM transfers t WHERE t.number = ? AND {_IS_SHOWN}", (number,)
    ).fetchone()
    return [] if row is None else [tell_transfer(connection, number, live)]


def shown_transfer(connection: Connection, number: int, live: Live | None = None) -> api.Transfer:
    """Give one transfer as people see it."""
    lives = {} if live is None else {number: live}
    return _shown_transfers(connection, "WHERE t.number = ?", (number,), lives)[0]


def shown_transfers(
    connection: Connection, live: Mapping[int, Live], *, only_open: bool = False
) -> list[api.Transfer]:
    """Give every transfer, or every one that has not ended, as people see it; oldest first.

    live: by the row's number, what the running node knows better.
    """
    which = f"{_IS_SHOWN} AND t.ended IS NULL" if only_open else _IS_SHOWN
    return _shown_transfers(connection, f"WHERE {which} ORDER BY t.number", (), live)


_IS_SHOWN = "(t.types IS NULL OR t.state = 'failed')"
"""One that is begun for its list of files alone is none yet to its person: the offer waits for an answer."""

_TRANSFER_COLUMNS = (
    "SELECT t.number, t.id, o.offer, t.is_out, c.name, o.title, t.saved_as, o.files, t.files_done,"
    " t.skipped, CASE WHEN t.state = 'waiting' AND t.reason = 'slot' THEN (SELECT count(*) FROM"
    " transfers q WHERE q.ended IS NULL AND q.state = 'waiting' AND q.reason = 'slot'"
    " AND q.number <= t.number) END, o.size, t.verified_bytes, t.resent_bytes, t.state, t.reason,"
    " t.code, t.detail FROM transfers t JOIN offers o ON o.number = t.offer"
    " JOIN contacts c ON c.number = t.contact"
)


def _shown_transfers(
    connection: Connection, condition: str, values: tuple[object, ...], live: Mapping[int, Live]
) -> list[api.Transfer]:
    rows = connection.execute(f"{_TRANSFER_COLUMNS} {condition}", values).fetchall()
    return [_shown_transfer(connection, row[1:], live.get(row[0])) for row in rows]


def _shown_transfer(
    connection: Connection, row: tuple[Any, ...], live: Live | None
) -> api.Transfer:
    id_, offer, is_out, friend, title, saved_as, files, files_done, skipped, place, size = row[:11]
    verified, resent, state, reason, code, detail = row[11:]
    if state in ENDED_VALUES:
        live = None  # what the book says of one that has ended is final
    running = live if state == TransferState.RUNNING.value else None
    rate = None if running is None else running.rate
    if live is not None:
        files_done, verified = min(live.files_done, files), min(live.verified_bytes, size)
        resent = max(resent, live.resent_bytes)
    return api.Transfer(
        id=id_.hex(),
        offer=offer.hex(),
        direction="out" if is_out else "in",
        friend=friend,
        name=title,
        saved_as=None if saved_as is None else os.fsdecode(saved_as),
        files=files,
        files_done=files_done,
        skipped=json.loads(skipped),
        place=place,
        bytes=size,
        verified_bytes=verified,
        resent_bytes=resent,
        rate=rate,
        eta=round((size - verified) / rate, 1) if rate else None,
        state=state,
        reason=reason,
        path=None if running is None else running.path,
        resumed_at=None if running is None else running.resumed_at,
        sources=[] if live is None else sharing.shown_sources(connection, live.sources),
        error=None if code is None else error_of(code, detail, is_out=is_out, friend=friend),
    )
