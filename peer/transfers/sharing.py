"""Who may have an offer besides whoever offers it, and who may be lent what came of it here.

Plain functions over a connection. An offer's event names the identities of its other recipients; of those, accepted
friends are sources and may ask, and so are this account's other devices.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from peer.store import own
from peer.store.devices import signing_key_of
from peer.transfers.asking import Source
from wire.channel.primitives import sha256
from wire.ids import DeviceId, IdentityKey, SigningKey
from wire.transfer.holding import OfferKey
from wire.transfer.states import TransferState
from wire.transfer.swarm import own_start

Connection = sqlite3.Connection
_KEY_BYTES = 32


class Share(Struct, frozen=True):
    """This device's part in an offer that others take as well. others: whose devices may have it."""

    device: DeviceId
    identity: IdentityKey
    others: tuple[IdentityKey, ...]

    def start(self, key: OfferKey, count: int) -> int:
        """Give the place, of `count`, where this device begins; the same in every life."""
        drawn = int.from_bytes(sha256(self.device + key.offer)[:4], "big") / 2**32
        return own_start(count, self.identity, self.others, drawn)


class Taken(Struct, frozen=True):
    """An offer that was taken here and may be lent. landed: where all of it stands, None while it comes."""

    number: int
    signing_key: SigningKey
    manifest_digest: bytes
    landed: Path | None


def share_of(connection: Connection, recipients: bytes) -> Share | None:
    """Give this device's part in an offer, or None: nobody else has it whom it could ask.

    recipients: as in the offer's row, identities one after another.
    """
    device, identity = own.this_device(connection)
    named = {recipients[at : at + _KEY_BYTES] for at in range(0, len(recipients), _KEY_BYTES)} - {
        identity
    }
    has_others = connection.execute(
        "SELECT 1 FROM devices WHERE identity = ? AND device <> ? AND is_listed LIMIT 1",
        (identity, device),
    ).fetchone()
    others = tuple(IdentityKey(each) for each in sorted(named))
    if has_others is not None:
        others = (*others, identity)
    return Share(device, identity, others) if others else None


def sources(
    connection: Connection, share: Share, key: OfferKey
) -> list[tuple[DeviceId, IdentityKey]]:
    """List the devices that may have an offer: of accepted friends whom it names, and our other ones."""
    marks = ",".join("?" * len(share.others))
    rows = connection.execute(
        "SELECT d.device, d.identity FROM devices d WHERE d.is_listed AND d.device NOT IN (?, ?)"
        f" AND d.identity IN ({marks}) AND (d.identity = ? OR EXISTS (SELECT 1 FROM contacts c"
        " WHERE c.identity = d.identity AND c.state = 'friends' AND c.claimed IS NULL))"
        " ORDER BY d.device",
        (share.device, key.device, *share.others, share.identity),
    )
    return [(DeviceId(device), IdentityKey(identity)) for device, identity in rows]


def shown_sources(connection: Connection, asked: Sequence[Source]) -> list[dict[str, object]]:
    """Give the sources of a transfer as people see them: each with the account that its device is of."""
    shown: list[dict[str, object]] = []
    for source in asked:
        row = connection.execute(
            "SELECT c.name FROM devices d JOIN contacts c ON c.identity = d.identity"
            " WHERE d.device = ?",
            (source.device,),
        ).fetchone()
        shown.append(
            {
                "friend": own.name(connection) if row is None else row[0],
                "device": source.device.hex(),
                "path": source.path,
                "bytes": source.bytes,
                "error": None if source.error is None else source.error.value,
            }
        )
    return shown


def lendable(connection: Connection, asker: IdentityKey, key: OfferKey) -> Taken | None:
    """Give what somebody may be lent of an offer, or None: they may not, or it was not taken here.

    asker: as the data link proved it: an accepted friend whom the offer's event names, or a member of its conversation:
    this account, or the friend who offers it. The offer must not be withdrawn, the transfer not held or over without success.
    """
    _, identity = own.this_device(connection)
    rows = connection.execute(
        "SELECT t.number, t.state, t.saved_as, o.manifest_digest, o.recipients, v.identity,"
        " EXISTS (SELECT 1 FROM contacts a WHERE a.identity = ?1 AND a.state = 'friends'"
        " AND a.claimed IS NULL) FROM transfers t JOIN offers o ON o.number = t.offer"
        " JOIN conversations v ON v.number = o.conversation"
        " WHERE o.offer = ?2 AND o.device = ?3 AND NOT o.is_own AND NOT t.is_out"
        " AND o.state NOT IN ('withdrawn', 'declined') AND t.state IN (?4, ?5, ?6)",
        (
            asker,
            key.offer,
            key.device,
            TransferState.WAITING.value,
            TransferState.RUNNING.value,
            TransferState.DONE.value,
        ),
    ).fetchall()
    signing_key = signing_key_of(connection, key.device)
    for number, state, saved_as, digest, recipients, offering, is_friend in rows:
        named = {recipients[at : at + _KEY_BYTES] for at in range(0, len(recipients), _KEY_BYTES)}
        may_ask = asker == identity or (is_friend and asker in {*named, offering})
        is_there = state != TransferState.DONE.value or saved_as is not None
        if may_ask and is_there and signing_key is not None:
            landed = Path(os.fsdecode(saved_as)) if state == TransferState.DONE.value else None
            return Taken(number, signing_key, digest, landed)
    return None


def lent(connection: Connection) -> set[OfferKey]:
    """Name the offers that were taken here and of which something may be lent, to anybody."""
    rows = connection.execute(
        "SELECT o.device, o.offer FROM transfers t JOIN offers o ON o.number = t.offer"
        " WHERE NOT t.is_out AND NOT o.is_own AND o.state NOT IN ('withdrawn', 'declined')"
        " AND t.state NOT IN (?, ?, ?)",
        (
            TransferState.DECLINED.value,
            TransferState.CANCELLED.value,
            TransferState.FAILED.value,
        ),
    )
    return {OfferKey(DeviceId(device), offer) for device, offer in rows}
