"""What a person does to offers and transfers under way: take back, call off, hold, let go on.

Plain functions inside one transaction, like `manager`'s. Taking back and calling off are words in the log,
so the other side learns of them however often either is away; holding is this device's own affair, and the
other side is told when it asks.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.conversations import add_own
from peer.effects import Effect, OfferAgain, WakeTransfers
from peer.errors import PeerError
from peer.people.standing import check_may_write
from peer.store import own
from peer.transfers import heard, ledger, manager, offerings
from peer.transfers.ledger import TransferRow
from peer.transfers.offerings import OfferRow
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import OfferId
from wire.log.event import OfferAnswer, Withdrawal
from wire.machine import Entropy, UnixMillis
from wire.transfer.states import ENDED, TransferState

Connection = sqlite3.Connection

_STANDS = frozenset({"offered", "accepted"})


def withdraw(
    connection: Connection, keys: DeviceKeys, prefix: str, now: UnixMillis, entropy: Entropy
) -> tuple[api.Offer, list[Effect]]:
    """Take an own offer back from everybody who does not have it; taking it back again changes nothing.

    prefix: of the offer's id, 8 or more hex digits. Gives the offer as it is with the first friend. Raises
    PeerError with UNKNOWN_OFFER, AMBIGUOUS_ID, OFFER_NOT_OWN, OFFER_ANSWERED where nobody is left, or
    DEVICE_REVOKED where nobody would hear of it.
    """
    rows = offerings.find_outgoing(connection, prefix)
    standing = [row for row in rows if row.state in _STANDS]
    if not standing and all(row.state != "withdrawn" for row in rows):
        raise PeerError(Code.OFFER_ANSWERED, "nobody is left to take this offer")
    effects: list[Effect] = []
    if standing:
        check_may_write(connection)
    for row in standing:
        effects += _take_back(connection, keys, row, now, entropy)
    return offerings.shown(connection, rows[0].number), effects


def cancel(
    connection: Connection, keys: DeviceKeys, prefix: str, now: UnixMillis, entropy: Entropy
) -> tuple[api.Transfer, list[Effect]]:
    """Call a transfer off, from either side; calling it off again changes nothing.

    One that leaves is taken back from that friend alone. One that failed stays failed, but its friend learns
    that it is not wanted any more. prefix: of the transfer's id, 8 or more hex digits. Raises PeerError with
    UNKNOWN_TRANSFER, AMBIGUOUS_ID or TRANSFER_OVER.
    """
    row = ledger.find(connection, prefix)
    offer = offerings.of_number(connection, row.offer)
    effects: list[Effect] = []
    if row.state in (TransferState.DONE, TransferState.DECLINED):
        raise _over(row)
    if row.state is TransferState.CANCELLED:
        pass
    elif offer.state not in _STANDS:  # another device of this account has it: no word is owed
        code = Code.CANCELLED
        effects = ledger.move(connection, row.number, TransferState.CANCELLED, now, code=code)
        effects.append(_wake(connection, row))
    elif row.is_out:
        effects = _take_back(connection, keys, offer, now, entropy)
    else:
        effects = _call_off(connection, keys, offer, now, entropy)
    return ledger.shown_transfer(connection, row.number), effects


def pause(
    connection: Connection, prefix: str, now: UnixMillis
) -> tuple[api.Transfer, list[Effect]]:
    """Hold a transfer until it is resumed, over restarts too; what is verified stays.

    Raises as `cancel`, and OFFER_NOT_OWN for what another own device sends: that would go on.
    """
    row = _open(connection, prefix)
    if _is_elsewhere(connection, row):
        raise PeerError(
            Code.OFFER_NOT_OWN,
            "another machine of yours sends this",
            remedy="pause it there, or cancel it here",
        )
    effects = ledger.move(connection, row.number, TransferState.PAUSED, now)
    return ledger.shown_transfer(connection, row.number), [*effects, _wake(connection, row)]


def resume(
    connection: Connection, prefix: str, now: UnixMillis
) -> tuple[api.Transfer, list[Effect]]:
    """Let a transfer go on that was held; another is left as it is. Raises as `cancel`."""
    row = _open(connection, prefix)
    effects: list[Effect] = []
    if row.state is TransferState.PAUSED:
        is_elsewhere = _is_elsewhere(connection, row)
        reason = ledger.OTHER_DEVICE if is_elsewhere else ledger.FRIEND
        effects = ledger.move(connection, row.number, TransferState.WAITING, now, reason=reason)
        effects.append(_wake(connection, row))
        if row.is_out:
            effects.append(OfferAgain(offerings.of_number(connection, row.offer).identity))
    return ledger.shown_transfer(connection, row.number), effects


# --- inside


def _open(connection: Connection, prefix: str) -> TransferRow:
    row = ledger.find(connection, prefix)
    if row.state in ENDED:
        raise _over(row)
    return row


def _is_elsewhere(connection: Connection, row: TransferRow) -> bool:
    """Say whether another device of this account sends it."""
    device = offerings.of_number(connection, row.offer).key.device
    return row.is_out and device != own.this_device(connection)[0]


def _over(row: TransferRow) -> PeerError:
    return PeerError(Code.TRANSFER_OVER, f"the transfer has ended already: it is {row.state.value}")


def _wake(connection: Connection, row: TransferRow) -> Effect:
    return WakeTransfers(OfferId(offerings.of_number(connection, row.offer).key.offer))


def _take_back(
    connection: Connection, keys: DeviceKeys, row: OfferRow, now: UnixMillis, entropy: Entropy
) -> list[Effect]:
    """Withdraw an own offer from one friend; where nothing can be said to them, here alone."""
    friend = manager.listener(connection, row)
    if friend is None:
        return heard.withdrawn(connection, row, now)
    content = Withdrawal(row.key.offer)
    return add_own(connection, keys, friend, content, now=now, entropy=entropy)[1]


def _call_off(
    connection: Connection, keys: DeviceKeys, row: OfferRow, now: UnixMillis, entropy: Entropy
) -> list[Effect]:
    """Answer a friend's offer that it is not wanted any more; where nothing can be said, here alone."""
    friend = manager.listener(connection, row)
    if friend is None:
        return heard.answered(connection, row, OfferAnswer.CANCELLED, now)
    return manager.answer(connection, keys, friend, row, OfferAnswer.CANCELLED, now, entropy)
