"""Forks, and runs of sequence numbers: no number is used twice by us, and no lie about it stays hidden.

A fork is two signed events for one place. It is kept as proof, passed on, and shows marked; what comes
after it in that chain counts as said, but leads to nothing. A device whose own events come back to it, unknown,
went back in time or has a twin: it goes on in a new run (promise D7).

What others merely claim about our chain may be a lie, and the runs of a device are numbered: a claim moves
the one conversation it is about, and only so often; our own signature moves them all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from peer import api
from peer.effects import Effect, NoteDenial, Tell
from peer.log import chains
from peer.log.membership import Conversation, to_members
from peer.log.notices import notice
from peer.store import own, place
from peer.store.devices import certificate_of
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys
from wire.ids import DeviceId, Epoch
from wire.log.event import Header, peek_header, read_header
from wire.machine import Entropy, UnixMillis
from wire.messages.conversation import AskEvents, Fork, Vector, VectorEntry

Connection = sqlite3.Connection
CLAIMED_EPOCHS = limits.EPOCHS // 2
"""Runs of ours in one conversation from which on mere claims are not followed any more."""


# --- runs of our own


def epoch_in(connection: Connection, conversation: Conversation) -> Epoch:
    """Give the run of sequence numbers that this device writes in, in one conversation."""
    row = connection.execute(
        "SELECT coalesce(v.epoch, p.epoch) FROM conversations v, place p WHERE v.number = ?",
        (conversation.number,),
    ).fetchone()
    return Epoch(row[0])


def on_claims(
    connection: Connection,
    keys: DeviceKeys,
    witness: DeviceId,
    conversation: Conversation,
    said: Vector,
    now: UnixMillis,
    entropy: Entropy,
) -> None:
    """Take what others say they have of our own chains: more than we have of the present run ends it.

    said: by `witness`; what it has of the friend's chains is passed over. Where a chain of this account has an
    event there that is not here, no more of it is believed delivered until that event is here, or is there no more.
    """
    mine = _ours_among(connection, keys, said.entries)
    if said.is_last and len(said.entries) < limits.VECTOR_ENTRIES_PER_PAGE:
        forget_claims(
            connection, witness, [conversation]
        )  # all it has stands here, its former words are void
    for claim in mine:
        if chains.is_here(connection, claim.high_id):
            continue
        with suppress(RemoteProtocolError):
            chain = chains.need(
                connection, conversation.number, claim.device, claim.epoch, keys.identity
            )
            connection.execute(
                "INSERT INTO doubts (chain, witness, id) SELECT ?1, ?2, ?3 WHERE"
                " (SELECT count(*) FROM doubts WHERE chain = ?1 AND witness = ?2) < ?4"
                " ON CONFLICT DO NOTHING",
                (chain.number, witness, claim.high_id, limits.FORK_PROOFS),
            )
        if claim.device == keys.device:
            leave_claimed(connection, keys, conversation, claim.epoch, now, entropy)


def forget_claims(
    connection: Connection, witness: DeviceId, conversations: Iterable[Conversation]
) -> None:
    """Forget what another device claimed: it says all it has, or has just what is here."""
    connection.executemany(
        "DELETE FROM doubts WHERE witness = ?"
        " AND chain IN (SELECT number FROM chains WHERE conversation = ?)",
        [(witness, conversation.number) for conversation in conversations],
    )


def is_doubted_by(connection: Connection, witness: DeviceId) -> bool:
    """Say whether a device claims anything of ours that is not here."""
    row = connection.execute("SELECT 1 FROM doubts WHERE witness = ?", (witness,)).fetchone()
    return row is not None


def leave_claimed(
    connection: Connection,
    keys: DeviceKeys,
    conversation: Conversation,
    epoch: Epoch,
    now: UnixMillis,
    entropy: Entropy,
) -> None:
    """Go on in a new run in one conversation, if the run that somebody speaks of is the present one."""
    runs = chains.count(connection, conversation.number, keys.device)
    if epoch == epoch_in(connection, conversation) and runs < CLAIMED_EPOCHS:
        connection.execute(
            "UPDATE conversations SET epoch = ? WHERE number = ?",
            (place.draw_epoch(connection, entropy, now), conversation.number),
        )


def on_own_returned(
    connection: Connection,
    conversation: Conversation,
    header: Header,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Take note of an event that this very device signed and that is not here.

    In the present run it proves that the database went back in time unnoticed: every conversation goes on in a
    new one. Written after our newest run began, in another, it comes from a copy of this home.
    """
    if header.epoch == epoch_in(connection, conversation):
        place.take_new_epoch(connection, entropy, now)
        return []
    newest = connection.execute("SELECT max(taken) FROM epochs").fetchone()[0]
    if header.at <= newest:
        return []  # what was lost with a restored backup comes back
    marked = connection.execute(
        "INSERT INTO epochs (epoch, taken, is_foreign) VALUES (?, 0, 1)"
        " ON CONFLICT (epoch) DO UPDATE SET is_foreign = 1 WHERE is_foreign = 0 RETURNING 1",
        (header.epoch,),
    ).fetchone()
    if marked is None:
        return []
    return notice(connection, conversation, Code.DEVICE_CLONED, Code.DEVICE_CLONED.what, now)


# --- forks of anybody


def fork_at(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    seq: int,
    now: UnixMillis,
) -> list[Effect]:
    """Note that from a place on a chain has several events; of ours nothing there is proven delivered any more."""
    connection.execute(
        "UPDATE chains SET forked_at = ? WHERE number = ? AND (forked_at = 0 OR forked_at > ?)",
        (seq, chain.number, seq),
    )
    rows = connection.execute(
        "UPDATE outbox SET state = 'queued', changed = ? WHERE state IN ('delivered', 'read')"
        " AND event IN (SELECT number FROM events WHERE chain = ? AND is_fork = 0 AND seq >= ?)"
        " RETURNING (SELECT id FROM events WHERE number = outbox.event)",
        (now, chain.number, seq),
    ).fetchall()
    friend = conversation.friend
    return [
        Tell(api.Event("receipt", {"id": event.hex(), "state": "queued", "friend": friend}))
        for (event,) in rows
    ]


def prove(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    first: bytes,
    second: bytes,
    now: UnixMillis,
    except_device: DeviceId | None = None,
) -> list[Effect]:
    """Keep two signed headers of one place as proof, tell the person once, and pass it on.

    first, second: signed headers, verified, of the same place in `chain`. except_device: who has them.
    """
    seq = peek_header(first).seq
    count = connection.execute(
        "SELECT count(*), coalesce(min(seq), 0) FROM forks WHERE chain = ?", (chain.number,)
    ).fetchone()
    effects = fork_at(connection, conversation, chain, seq, now)
    if count[0] >= limits.FORK_PROOFS and seq >= count[1]:
        return effects
    kept = connection.execute(
        "INSERT INTO forks (chain, seq, first, second, found) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        (chain.number, seq, first, second, now),
    ).fetchone()
    if kept is None:
        return effects
    effects += to_members(
        connection, conversation, Fork(conversation.id, first, second), except_device
    )
    text = f"{_who(connection, conversation, chain)} wrote two events in one place"
    return [
        *effects,
        *notice(connection, conversation, Code.FORKED, text, now, about=chain.device + chain.epoch),
    ]


def on_fork(
    connection: Connection,
    keys: DeviceKeys,
    sender: DeviceId,
    conversation: Conversation,
    came: Fork,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Take a proof that somebody passed on; one that proves nothing is dropped.

    The events themselves are asked for by id where they are not here.
    """
    try:
        first, one = read_header(came.first, lambda device: certificate_of(connection, device))
        second, other = read_header(came.second, lambda device: certificate_of(connection, device))
    except RemoteProtocolError as error:
        return [NoteDenial.of(sender, "Fork", error.code)]
    places = {(h.conversation, h.device, h.epoch, h.seq) for h in (one, other)}
    author = certificate_of(connection, one.device)
    if (
        first == second
        or len(places) != 1
        or one.conversation != conversation.id
        or author is None
        or author.identity not in (conversation.identity, keys.identity)
    ):
        return []
    if one.device == keys.device and one.epoch == epoch_in(connection, conversation):
        place.take_new_epoch(connection, entropy, now)
    try:
        chain = chains.need(connection, conversation.number, one.device, one.epoch, author.identity)
    except RemoteProtocolError:
        return []
    effects = prove(connection, conversation, chain, came.first, came.second, now, sender)
    lacking = [event for event in (first, second) if not chains.is_here(connection, event)]
    if lacking:
        effects += to_members(connection, conversation, AskEvents(conversation.id, tuple(lacking)))
    return effects


def proofs(connection: Connection, conversation: Conversation) -> list[Fork]:
    """Give the earliest proof of each forked chain of a conversation."""
    rows = connection.execute(
        "SELECT f.first, f.second, min(f.seq) FROM forks f JOIN chains h ON h.number = f.chain"
        " WHERE h.conversation = ? GROUP BY f.chain",
        (conversation.number,),
    )
    return [Fork(conversation.id, first, second) for first, second, _ in rows]


def _ours_among(
    connection: Connection, keys: DeviceKeys, entries: Iterable[VectorEntry]
) -> list[VectorEntry]:
    """Give what is said of chains of this account, whether or not the certificate of their device is here.

    A machine that is new has those of its elder sisters only once it meets them; its device list names them before.
    """
    whose = {entry.device: certificate_of(connection, entry.device) for entry in entries}
    ours = {one for one, known in whose.items() if known and known.identity == keys.identity}
    if None in whose.values():
        named = {entry.device for entry in own.own_list(connection).devices}
        ours |= {one for one, known in whose.items() if known is None and one in named}
    return [entry for entry in entries if entry.high and entry.device in ours]


def _who(connection: Connection, conversation: Conversation, chain: chains.ChainRow) -> str:
    me = own.need_account(connection)
    if chain.device == me.device:
        return "this device"
    certificate = certificate_of(connection, chain.device)
    whose = "your" if chain.author == me.identity else f"{conversation.friend}'s"
    return f"{whose} device {'' if certificate is None else certificate.name}".strip()
