"""What events about offers lead to: an offer, its withdrawal, an answer; this account's own ones alike.

Called once for each such event, when it is shown. A word about an offer that is not here yet is found
again when the offer comes: conversations may be brought up to date in any order.

With oneself each device speaks for itself: the one that offers takes its offer back, and each of the others
takes it or not. One that does not want it keeps nobody else from it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Set as AbstractSet

from msgspec import Struct

from peer.effects import Effect, WakeTransfers
from peer.log import membership
from peer.log.membership import Conversation
from peer.log.notices import notice
from peer.log.oneself import other_devices
from peer.store import own
from peer.transfers import ledger, offerings, verdicts
from peer.transfers.offerings import OfferRow
from wire import limits
from wire.codes import Code, code_of
from wire.ids import DeviceId, OfferId
from wire.log.event import (
    Answer,
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
_REFUSALS = frozenset({OfferAnswer.DECLINED, OfferAnswer.CANCELLED})
_FINAL = _REFUSALS | {OfferAnswer.DONE}


class _Word(Struct, frozen=True):
    """A word about an offer, and who said it when. is_own: as of `OfferRow`."""

    content: Withdrawal | Answer
    clock: int
    device: DeviceId
    is_own: bool

    def is_about(self, row: OfferRow) -> bool:
        """Whether it counts for an offer of its id: a withdrawal is its author's own, an answer the other side's."""
        is_of_author = isinstance(self.content, Withdrawal)
        if row.is_to_oneself:
            return (row.key.device == self.device) is is_of_author
        return row.is_own is (self.is_own is is_of_author)


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
    device = event.header.device
    if conversation.is_with_oneself:
        is_own = device == own.this_device(connection)[0]
    match event.content:
        case Offer() as offer:
            return _on_offer(connection, conversation, number, event, offer, now, is_own=is_own)
        case Withdrawal() | Answer() as content:
            word = _Word(content, event.header.clock, device, is_own)
            return _on_word(connection, conversation, word, now)
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
    for word in _words_after(connection, conversation, event.header.clock):
        if word.content.offer == offer.offer:
            effects += _on_word(connection, conversation, word, now)
    if not is_own:
        effects += verdicts.judge(connection, offerings.of_number(connection, row.number))
    return effects


def _on_word(
    connection: Connection,
    conversation: Conversation,
    word: _Word,
    now: UnixMillis,
) -> list[Effect]:
    """Take a word about an offer; one that does not stand after it counts for nobody, whichever came first here."""
    effects: list[Effect] = []
    content = word.content
    for row in offerings.before(connection, conversation.number, content.offer, word.clock):
        if not word.is_about(row):
            continue
        if isinstance(content, Withdrawal):
            effects += withdrawn(connection, row, now)
        elif word.is_own or not _is_no_matter(connection, conversation, row, content):
            effects += answered(connection, row, content.answer, now, why=content.code)
    return effects


def _is_no_matter(
    connection: Connection, conversation: Conversation, row: OfferRow, answer: Answer
) -> bool:
    """Say whether another own device does not want what was offered to oneself, while there are others yet."""
    if not row.is_to_oneself or answer.answer not in _REFUSALS:
        return False
    return not row.is_own or bool(_others_without(connection, conversation, row, _REFUSALS))


def _others_without(
    connection: Connection,
    conversation: Conversation,
    row: OfferRow,
    answers: AbstractSet[OfferAnswer],
) -> set[bytes]:
    """Give the other own devices that said none of these last about an offer to oneself."""
    (clock,) = connection.execute("SELECT clock FROM events WHERE id = ?", (row.event,)).fetchone()
    last = {
        word.device: word.content.answer
        for word in _words_after(connection, conversation, clock)
        if isinstance(word.content, Answer) and word.content.offer == row.key.offer
    }
    others = other_devices(connection)
    return {one for one in others if last.get(DeviceId(one)) not in answers}


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


def is_wanted(connection: Connection, offer: OfferId) -> bool:
    """Say whether somebody may yet come for an own offer who never had it.

    With oneself each of the other devices may, until it has answered; with a friend one of theirs is enough, which has it
    for the others.
    """
    rows = connection.execute(
        "SELECT number, state FROM offers WHERE is_own AND offer = ? AND state IN ('offered', 'accepted', 'done')",
        (offer,),
    ).fetchall()
    for number, state in rows:
        row = offerings.of_number(connection, number)
        if state != "done":
            return True
        if row.is_to_oneself:
            conversation = membership.of_number(connection, row.conversation)
            if _others_without(connection, conversation, row, _FINAL):
                return True
    return False


def _words_after(connection: Connection, conversation: Conversation, clock: int) -> list[_Word]:
    """List what was said about offers after a point of a conversation and is shown already."""
    this, _ = own.this_device(connection)
    rows = connection.execute(
        "SELECT e.header, e.body, e.clock, e.device, e.is_own FROM events e JOIN chains h ON h.number = e.chain"
        f" WHERE e.conversation = ? AND e.clock > ? AND e.kind IN ({EventKind.WITHDRAWAL:d},"
        f" {EventKind.ANSWER:d}) AND e.held = 0 AND e.is_fork = 0"
        " AND (h.forked_at = 0 OR e.seq < h.forked_at) ORDER BY e.clock, e.device, e.id",
        (conversation.number, clock),
    ).fetchall()
    words: list[_Word] = []
    for header, body, at, device, mine in rows:
        content = read_body(peek_header(header), body)
        is_own = device == this if conversation.is_with_oneself else bool(mine)
        if isinstance(content, Withdrawal | Answer):
            words.append(_Word(content, at, DeviceId(device), is_own))
    return words
