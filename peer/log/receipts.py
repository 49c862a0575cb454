"""Receipts: what is stored here, signed; what others signed for, and what is delivered by that (promise D3)."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from peer import api
from peer.effects import Effect, NoteDenial, PushEvents, SendOnLink, SignedReceipt, Tell
from peer.log import chains, forks
from peer.log.membership import Conversation, shares
from peer.mail import lost
from peer.settings import preferences
from peer.store.devices import certificate_of
from peer.talk import following
from wire import limits
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys
from wire.ids import DeviceId, Epoch, IdentityKey
from wire.log.receipt import Reach, ReceiptBody, issue_receipt, peek_receipt, read_receipt
from wire.machine import Entropy, UnixMillis
from wire.messages.conversation import Receipt

Connection = sqlite3.Connection


def sign_receipt(
    connection: Connection,
    keys: DeviceKeys,
    conversation: Conversation,
    now: UnixMillis,
    *,
    brought_by: DeviceId | None = None,
) -> SignedReceipt | None:
    """Sign and keep what is stored here of the others' chains, in the transaction that stored it.

    What a person saw of it goes with it where the friend may know. It leaves when what is stored is pushed. Of a forked chain only what comes before the fork: who wrote it could not tell which branch is meant.
    brought_by: the device that brought what is stored; gives what it may be told without a further look.
    """
    here = [
        chain
        for chain in chains.liveliest(connection, conversation.number, limits.RECEIPT_CHAINS)
        if chain.device != keys.device
        and chain.agreed
        and (not chain.forked_at or chains.is_settled(connection, chain))
    ]
    seen: list[Reach] | None = None
    if may_tell_seen(connection, conversation):
        seen = [
            Reach(chain.device, chain.epoch, min(chain.seen, chain.agreed))
            for chain in here
            if chain.seen and chain.author == conversation.identity
        ]
    has = [Reach(chain.device, chain.epoch, chain.agreed) for chain in here]
    has.sort(key=_place)
    list_counter, before, is_seen_news, is_doubted = connection.execute(
        "SELECT o.list_counter, r.counter, v.is_seen_news, EXISTS (SELECT 1 FROM doubts d"
        " JOIN chains h ON h.number = d.chain WHERE h.conversation = v.number)"
        " FROM own o JOIN conversations v"
        " LEFT JOIN receipts r ON r.conversation = v.number AND r.device = ? WHERE v.number = ?",
        (keys.device, conversation.number),
    ).fetchone()
    body = ReceiptBody(
        conversation=conversation.id,
        device=keys.device,
        has=tuple(has),
        seen=None if seen is None else tuple(sorted(seen[: limits.SEEN_CHAINS], key=_place)),
        counter=now if before is None else max(before + 1, now),
        list_counter=list_counter,
    )
    signed = issue_receipt(keys.signing_seed, body)
    _keep(connection, conversation, body, signed, now)
    if is_seen_news:
        connection.execute(
            "UPDATE conversations SET is_seen_news = 0 WHERE number = ?", (conversation.number,)
        )
    if brought_by is None or is_doubted or any(chain.forked_at for chain in here):
        return None
    spoken_of = frozenset((chain.device, chain.epoch) for chain in here)
    return SignedReceipt(keys.device, brought_by, spoken_of, signed)


def may_tell_seen(connection: Connection, conversation: Conversation) -> bool:
    """Say whether the friend in a conversation is told what a person here saw of it."""
    return preferences.held_for(connection, "receipts", conversation.friend) == preferences.ON


def _place(reach: Reach) -> tuple[bytes, bytes]:
    return reach.device, reach.epoch


def on_receipt(
    connection: Connection,
    keys: DeviceKeys,
    sender: DeviceId,
    identity: IdentityKey,
    signed: bytes,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Take a receipt that came on a link: what it covers is delivered, also after it had failed.

    It counts if a listed device of somebody in the conversation signed it, whoever brings it; others are
    dropped. It is passed on to the own devices, which may wait for it too.
    """
    try:
        claimed = peek_receipt(signed)
        author = certificate_of(connection, claimed.device)
        if author is None:
            return []
        receipt = read_receipt(signed, claimed.device, author.signing_key)
    except RemoteProtocolError as error:
        return [NoteDenial.of(sender, "Receipt", error.code)]
    conversation = shares(connection, identity, receipt.conversation)
    if conversation is None or author.identity not in (conversation.identity, keys.identity):
        return []
    is_news = _keep(connection, conversation, receipt, signed, now)
    if receipt.device == keys.device:
        is_unknown = is_news or _is_rival(connection, conversation, receipt, signed)
        return _sign_above(connection, keys, conversation, now) if is_unknown else []
    if is_news:
        _note_reaches(connection, conversation, receipt)
    lines = [
        (reach, chains.find(connection, conversation.number, reach.device, reach.epoch))
        for reach in receipt.has
    ]
    _heed_claims(connection, keys, conversation, lines, now, entropy)
    effects: list[Effect] = []
    for _, chain in lines:
        if chain is not None:
            effects += mark_delivered(connection, conversation, chain, now)
    if is_news and author.identity == keys.identity and receipt.seen:
        effects += _seen_by_us(connection, conversation, receipt)
    if is_news:
        effects.append(PushEvents(conversation.id, except_device=sender))
    elif sender == receipt.device:
        effects += _remind(connection, conversation, receipt, signed)
    return effects


def _is_rival(
    connection: Connection, conversation: Conversation, receipt: ReceiptBody, signed: bytes
) -> bool:
    """Say whether another receipt than the kept one has its counter: it was signed before a backup was put back."""
    row = connection.execute(
        "SELECT 1 FROM receipts WHERE conversation = ? AND device = ? AND counter = ? AND signed <> ?",
        (conversation.number, receipt.device, receipt.counter, signed),
    ).fetchone()
    return row is not None


def _remind(
    connection: Connection, conversation: Conversation, receipt: ReceiptBody, signed: bytes
) -> list[Effect]:
    """Give a device the receipt of its own that it forgot: nobody believes what it signs below that, or beside it."""
    row = connection.execute(
        "SELECT signed FROM receipts WHERE conversation = ? AND device = ? AND counter >= ?"
        " AND signed <> ?",
        (conversation.number, receipt.device, receipt.counter, signed),
    ).fetchone()
    return [] if row is None else [SendOnLink(receipt.device, Receipt(row[0]))]


def _sign_above(
    connection: Connection, keys: DeviceKeys, conversation: Conversation, now: UnixMillis
) -> list[Effect]:
    """Sign anew above what this device was reminded of: it was put back from a backup, and its clock, too.

    Nobody believed what it told since, so that all are to be told once more (`peer.mail.restored`).
    """
    connection.execute(
        "UPDATE conversations SET is_to_tell = 1 WHERE number = ?", (conversation.number,)
    )
    sign_receipt(connection, keys, conversation, now)
    return [PushEvents(conversation.id)]


def mark_delivered(
    connection: Connection, conversation: Conversation, chain: chains.ChainRow, now: UnixMillis
) -> list[Effect]:
    """Mark as delivered what listed devices of the friend signed for of one chain of this account.

    With oneself those are the account's other devices; no device signs for what it wrote itself.

    A receipt names places only. It is believed of what is joined here, without a hole, to the place it names; and
    where somebody has events of the chain that are not here, not at all until they are: after a restored
    backup the same places may hold other events.
    """
    high, seen = connection.execute(
        "SELECT coalesce(max(r.high), 0), coalesce(max(min(r.seen, r.high)), 0) FROM reaches r JOIN devices d ON d.device = r.witness"
        " WHERE r.conversation = ? AND r.device = ? AND r.epoch = ? AND d.identity = ?"
        " AND d.is_listed AND r.high <= ?",
        (conversation.number, chain.device, chain.epoch, conversation.identity, chain.high),
    ).fetchone()
    if not high or (chain.author == conversation.identity and not conversation.is_with_oneself):
        return []
    if not chains.is_settled(connection, chain):
        return []
    covered = min(high, chain.agreed)
    rows = connection.execute(
        "UPDATE outbox SET state = 'delivered', changed = ? WHERE contact = ?"
        " AND state IN ('queued', 'sent', 'failed') AND EXISTS (SELECT 1 FROM events e WHERE"
        "  e.number = outbox.event AND e.chain = ? AND e.is_fork = 0 AND e.seq BETWEEN ? AND ?)"
        " RETURNING (SELECT id FROM events WHERE number = outbox.event)",
        (now, conversation.contact, chain.number, chain.floor, covered),
    ).fetchall()
    effects: list[Effect] = [_further(event, "delivered", conversation) for (event,) in rows]
    seen = max(chain.seen, min(seen, covered))
    if seen > chain.seen or (rows and seen):
        first = chain.floor if rows else chain.seen + 1  # what comes late may be seen already
        effects += _mark_read(connection, conversation, chain, first, seen, now)
    return effects


def _mark_read(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    first: int,
    seen: int,
    now: UnixMillis,
) -> list[Effect]:
    """Mark as read what stands in these places of a chain of this account; what is read stays so."""
    connection.execute("UPDATE chains SET seen = ? WHERE number = ?", (seen, chain.number))
    rows = connection.execute(
        "UPDATE outbox SET state = 'read', changed = ? WHERE contact = ? AND state = 'delivered'"
        " AND event IN (SELECT e.number FROM events e WHERE e.chain = ? AND e.is_fork = 0"
        "  AND e.seq BETWEEN ? AND ?) RETURNING (SELECT id FROM events WHERE number = outbox.event)",
        (now, conversation.contact, chain.number, first, seen),
    ).fetchall()
    return [_further(event, "read", conversation) for (event,) in rows]


def _further(event: bytes, state: str, conversation: Conversation) -> Effect:
    told: dict[str, object] = {"id": event.hex(), "state": state, "friend": conversation.friend}
    return Tell(api.Event("receipt", told))


def _seen_by_us(
    connection: Connection, conversation: Conversation, receipt: ReceiptBody
) -> list[Effect]:
    """Take as seen what this account saw on another of its devices, if that one still stands."""
    stands = connection.execute(
        "SELECT 1 FROM devices WHERE device = ? AND is_listed", (receipt.device,)
    ).fetchone()
    if stands is None:
        return []
    places = (((reach.device, reach.epoch), reach.high) for reach in receipt.seen or ())
    return following.follow(connection, conversation, places)


def speaks_of(
    connection: Connection,
    conversation: Conversation,
    signed: bytes,
    identity: IdentityKey,
    tips: Mapping[tuple[DeviceId, Epoch], set[bytes]],
) -> bool:
    """Say whether all that a kept receipt says of one account's chains is here, in the line that is there.

    identity: of the account. tips: the last events of chains, as a device of it said.
    """
    for reach in peek_receipt(signed).has:
        chain = chains.find(connection, conversation.number, reach.device, reach.epoch)
        if chain is None or chain.author != identity:
            continue
        if reach.high > chain.agreed or not chains.is_settled(connection, chain):
            return False
        there = tips.get((reach.device, reach.epoch), ())
        if not all(chains.is_here(connection, tip) for tip in there):
            return False
    return True


def chains_in(signed: bytes) -> list[tuple[DeviceId, Epoch]]:
    """Give the chains that a kept receipt speaks of."""
    return [(reach.device, reach.epoch) for reach in peek_receipt(signed).has]


def kept(connection: Connection, conversation: Conversation) -> list[tuple[DeviceId, bytes]]:
    """Give the newest receipt of each device in a conversation, as (device, signed)."""
    return connection.execute(
        "SELECT device, signed FROM receipts WHERE conversation = ? ORDER BY device",
        (conversation.number,),
    ).fetchall()


def _heed_claims(
    connection: Connection,
    keys: DeviceKeys,
    conversation: Conversation,
    lines: list[tuple[Reach, chains.ChainRow | None]],
    now: UnixMillis,
    entropy: Entropy,
) -> None:
    """Go on in a new run where a receipt covers more of the present one than this device wrote."""
    for reach, chain in lines:
        if reach.device == keys.device and (chain is None or reach.high > chain.high):
            forks.leave_claimed(connection, keys, conversation, reach.epoch, now, entropy)


def _keep(
    connection: Connection,
    conversation: Conversation,
    receipt: ReceiptBody,
    signed: bytes,
    now: UnixMillis,
) -> bool:
    """Keep a receipt if it is the newest of its device; False if a newer one, or this one, is here."""
    cursor = connection.execute(
        "INSERT INTO receipts (conversation, device, counter, signed, received)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (conversation, device) DO UPDATE SET"
        " counter = excluded.counter, signed = excluded.signed, received = excluded.received"
        " WHERE excluded.counter > receipts.counter",
        (conversation.number, receipt.device, receipt.counter, signed, now),
    )
    return cursor.rowcount > 0


def _note_reaches(connection: Connection, conversation: Conversation, receipt: ReceiptBody) -> None:
    """Note chain by chain what another device has, and what its person saw."""
    seen = {_place(reach): reach.high for reach in receipt.seen or ()}
    has = {_place(reach): reach.high for reach in receipt.has}
    is_whole = len(has) < limits.RECEIPT_CHAINS
    lost.went_back(connection, conversation.number, receipt.device, has, is_whole=is_whole)
    connection.executemany(
        "INSERT INTO reaches (conversation, device, epoch, witness, high, seen)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET high = excluded.high,"
        " seen = max(seen, excluded.seen)",
        [
            (
                conversation.number,
                reach.device,
                reach.epoch,
                receipt.device,
                reach.high,
                seen.get(_place(reach), 0),
            )
            for reach in receipt.has
        ],
    )
