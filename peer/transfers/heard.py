"""What events about offers lead to: an offer, its withdrawal, an answer; this account's own ones alike.

Called once for each such event, when it is shown. A word about an offer that is not here yet is found
again when the offer comes: conversations may be brought up to date in any order.
"""

from __future__ import annotations

import sqlite3
from typing import TypeGuard

from peer.effects import Effect, WakeTransfers
from peer.log.membership import Conversation
from peer.log.notices import notice
from peer.transfers import ledger, offerings, verdicts
from peer.transfers.offerings import OfferRow
from wire import limits
from wire.codes import Code, code_of
from wire.ids import OfferId
from wire.log.event import (
    Answer,
    Content,
    Event,
    EventKind,
    Offer,
    OfferAnswer,
    Withdrawal,
    peek_header,
    read_body,
)
from wire.machine import UnixMillis
from wire.transfer.states import ENDED, TransferState

Connection = sqlite3.Connection

_OFFER_STATE = {
    OfferAnswer.ACCEPTED: "accepted",
    OfferAnswer.DECLINED: "declined",
    OfferAnswer.CANCELLED: "declined",
    OfferAnswer.FAILED: "accepted",
    OfferAnswer.DONE: "done",
}
_END = {
    OfferAnswer.DECLINED: (TransferState.DECLINED, Code.DECLINED),
    OfferAnswer.CANCELLED: (TransferState.CANCELLED, Code.CANCELLED),
    OfferAnswer.DONE: (TransferState.DONE, None),
}


def on_event(
    connection: Connection,
    conversation: Conversation,
    number: int,
    event: Event,
    now: UnixMillis,
    *,
    is_own: bool,
) -> list[Effect]:
    """Take an event that was shown. number: its row. is_own: a device of this account wrote it."""
    match event.content:
        case Offer() as offer:
            return _on_offer(connection, conversation, number, event, offer, now, is_own=is_own)
        case Withdrawal() | Answer() as word:
            clock = event.header.clock
            return _on_word(connection, conversation, word, clock, now, is_own=is_own)
        case _:
            return []


def _on_offer(
    connection: Connection,
    conversation: Conversation,
    number: int,
    event: Event,
    offer: Offer,
    now: UnixMillis,
    *,
    is_own: bool,
) -> list[Effect]:
    """Keep an offer. What a friend offers beyond the limit stands in the log and nowhere else."""
    if not is_own and offerings.pending(connection, conversation.number) >= limits.PENDING_OFFERS:
        text = f"{limits.PENDING_OFFERS} offers wait for an answer; further ones are not taken"
        return notice(connection, conversation, Code.TOO_MANY_OFFERS, text, now)
    row = offerings.add(
        connection,
        offer,
        device=event.header.device,
        conversation=conversation.number,
        event=number,
        is_own=is_own,
        at=event.header.at,
    )
    if row is None:
        return []
    if is_own:
        ledger.add_transfer(connection, row, now)
    effects: list[Effect] = [offerings.tell(connection, row.number)]
    for word, clock, is_word_own in _words_after(connection, conversation, event.header.clock):
        if word.offer == offer.offer:
            effects += _on_word(connection, conversation, word, clock, now, is_own=is_word_own)
    if not is_own:
        effects += verdicts.judge(connection, offerings.of_number(connection, row.number))
    return effects


def _on_word(
    connection: Connection,
    conversation: Conversation,
    word: Withdrawal | Answer,
    clock: int,
    now: UnixMillis,
    *,
    is_own: bool,
) -> list[Effect]:
    """Take a word about an offer: a withdrawal is its author's own, an answer the other side's.

    clock: of the word. One that does not stand after its offer counts for nobody, whichever came first here.
    """
    is_of_author = isinstance(word, Withdrawal)
    effects: list[Effect] = []
    for row in offerings.before(
        connection, conversation.number, word.offer, clock, is_own=is_own is is_of_author
    ):
        if isinstance(word, Withdrawal):
            effects += withdrawn(connection, row, now)
        else:
            effects += answered(connection, row, word.answer, now, why=word.code)
    return effects


def withdrawn(connection: Connection, row: OfferRow, now: UnixMillis) -> list[Effect]:
    """Take a withdrawal: of the friend's offer, or of one of ours."""
    effects = offerings.raise_to(connection, row, "withdrawn")
    transfer = ledger.transfer_for(connection, row)
    if transfer is not None:
        effects += ledger.move(
            connection, transfer[0], TransferState.CANCELLED, now, code=Code.OFFER_WITHDRAWN
        )
    return [*effects, WakeTransfers(OfferId(row.key.offer))]


def answered(
    connection: Connection, row: OfferRow, answer: OfferAnswer, now: UnixMillis, *, why: str = ""
) -> list[Effect]:
    """Take an answer: of the friend to an offer of ours, or of another own device to one of the friend's.

    why: it failed, a code. What failed there is accepted again, or has come to another device of the friend.
    """
    if row.is_own and answer is OfferAnswer.FAILED:
        return _failed_there(connection, row, why, now)
    effects = offerings.raise_to(connection, row, _OFFER_STATE[answer])
    transfer = ledger.transfer_for(connection, row)
    if (
        row.is_own
        and answer in {OfferAnswer.ACCEPTED, OfferAnswer.DONE}
        and transfer is not None
        and transfer[1] is TransferState.FAILED
    ):
        transfer = ledger.add_transfer(connection, row, now), TransferState.WAITING
        effects.append(ledger.tell_transfer(connection, transfer[0]))
    is_of_other_device = not row.is_own and answer is OfferAnswer.DONE
    if transfer is not None and answer in _END and not is_of_other_device:
        number, before = transfer
        state, code = _END[answer]
        if state is TransferState.DONE and before not in ENDED:
            ledger.complete(connection, number)
        effects += ledger.move(connection, number, state, now, code=code)
    return [*effects, WakeTransfers(OfferId(row.key.offer))]


def _failed_there(connection: Connection, row: OfferRow, why: str, now: UnixMillis) -> list[Effect]:
    transfer = ledger.transfer_for(connection, row)
    if transfer is None:
        return []
    code = code_of(why)
    text = f"{row.friend} could not take it: {code.what}"
    return ledger.move(connection, transfer[0], TransferState.FAILED, now, code=code, detail=text)


def _words_after(
    connection: Connection, conversation: Conversation, clock: int
) -> list[tuple[Withdrawal | Answer, int, bool]]:
    """List what was said about offers after a point of a conversation and is shown already.

    Each with its clock, and whether this account said it.
    """
    rows = connection.execute(
        "SELECT e.header, e.body, e.clock, e.is_own FROM events e JOIN chains h ON h.number = e.chain"
        f" WHERE e.conversation = ? AND e.clock > ? AND e.kind IN ({EventKind.WITHDRAWAL:d},"
        f" {EventKind.ANSWER:d}) AND e.held = 0 AND e.is_fork = 0"
        " AND (h.forked_at = 0 OR e.seq < h.forked_at) ORDER BY e.clock, e.device, e.id",
        (conversation.number, clock),
    ).fetchall()
    words = [
        (read_body(peek_header(header), body), clock, bool(mine))
        for header, body, clock, mine in rows
    ]
    return [word for word in words if _is_word(word)]


def _is_word(
    word: tuple[Content | None, int, bool],
) -> TypeGuard[tuple[Withdrawal | Answer, int, bool]]:
    return isinstance(word[0], Withdrawal | Answer)
