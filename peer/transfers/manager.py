"""Policy of transfers: what a person may do with offers, what is due, and what became of it.

Plain functions inside one transaction, with `now`; what they want done comes back as effects. The rows
are `offerings`' and `ledger`'s, what events mean is `heard`'s. Verbs write events: an offer stands in each recipient's
conversation, and the receiver's decision is an answer in the same log, so both are delivered as surely
as talk is (promise D1).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from peer import api
from peer.conversations import add_own
from peer.effects import Effect, WakeTransfers
from peer.errors import PeerError
from peer.people import contacts, standing
from peer.store.devices import signing_key_of
from peer.transfers import ledger, offerings
from peer.transfers.ledger import Live
from peer.transfers.offerings import OfferRow
from peer.transfers.sharing import Share, share_of
from wire import limits
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import AccountName, DeviceId, IdentityKey, OfferId, SigningKey
from wire.log.event import Answer, EventKind, Offer, OfferAnswer
from wire.machine import Entropy, UnixMillis
from wire.transfer.holding import OfferKey
from wire.transfer.states import ENDED, TransferState

Connection = sqlite3.Connection


class Contents(Struct, frozen=True):
    """What an offer says of what is in it.

    title: 1 to 255 bytes. size: bytes of all files; holes: of those, what takes no space. top_names: what stands
    at the top, any number.
    manifest_size, manifest_digest: of the manifest's bytes, BLAKE3. skipped: {"path", "reason"} each.
    """

    title: str
    files: int
    size: int
    top_names: Sequence[str]
    manifest_size: int
    manifest_digest: bytes
    skipped: list[dict[str, str]]
    holes: int = 0


class Incoming(Struct, frozen=True):
    """A transfer to be fetched. identity, friend: who offers; folder: absolute, where it lands."""

    number: int
    key: OfferKey
    friend: AccountName
    identity: IdentityKey
    signing_key: SigningKey
    folder: Path
    title: str
    files: int
    size: int
    manifest_size: int
    manifest_digest: bytes
    types: str | None = None  # patterns that every file has to match before the offer is answered
    waits_for: str | None = None  # as its row says; None while it runs
    resent_bytes: int = 0  # that came twice in earlier lives
    verified_bytes: int = 0  # that came, as it was noted last
    share: Share | None = None  # where others may have it, too


# --- what a person does


def offer(
    connection: Connection,
    keys: DeviceKeys,
    to: Sequence[str],
    offer_id: OfferId,
    contents: Contents,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.OfferMade, list[Effect]]:
    """Offer what is kept under `offer_id` to friends, or to oneself: one event in each one's conversation.

    to: names, at least one. Raises PeerError with NO_SUCH_FRIEND, BLOCKED, TOO_MANY_OFFERS or USAGE; then nothing was offered to anybody.
    """
    friends = recipients(connection, to)
    identities = [friend.identity for friend in friends if friend.identity is not None]
    effects: list[Effect] = []
    for friend in friends:
        content = Offer(
            offer=offer_id,
            title=contents.title,
            files=contents.files,
            size=contents.size,
            top_names=tuple(contents.top_names[: limits.TOP_NAMES]),
            manifest_size=contents.manifest_size,
            manifest_digest=contents.manifest_digest,
            recipients=tuple(one for one in identities if one != friend.identity),
            holes=contents.holes,
        )
        _, asked = add_own(connection, keys, friend, content, now=now, entropy=entropy)
        effects += asked
    for number in ledger.note_skipped(
        connection, OfferKey(keys.device, offer_id), contents.skipped
    ):
        effects.append(ledger.tell_transfer(connection, number))
    made = api.OfferMade(
        offer=offer_id.hex(),
        files=contents.files,
        bytes=contents.size,
        skipped=contents.skipped,
    )
    return made, [*effects, WakeTransfers(offer_id)]


def recipients(connection: Connection, to: Sequence[str]) -> list[contacts.Contact]:
    """Give the friends an offer goes to, each once, if it may be made; raises as `offer` does."""
    friends = [contacts.find_recipient(connection, name) for name in dict.fromkeys(to)]
    if len(friends) > limits.OFFER_RECIPIENTS:
        most = limits.OFFER_RECIPIENTS
        raise PeerError(
            Code.USAGE,
            f"one offer goes to at most {most} friends",
            remedy="offer it again to the others",
        )
    for friend in friends:
        count = offerings.pending_with(connection, friend.number)
        if count >= limits.PENDING_OFFERS:
            raise PeerError(
                Code.TOO_MANY_OFFERS, f"{count} offers wait for an answer of {friend.name} already"
            )
    return friends


def need_bytes(connection: Connection, prefix: str, named: Path | None = None) -> int:
    """Give the space that has to be there to accept an offer: none for one that was accepted here before.

    Holes that the friend tells of need none; who lies about them meets a full disk, which is no harm.
    named: the folder that the person named, absolute. Raises as `accept` does, about the offer itself, and
    OFFER_ANSWERED if it goes to another folder already.
    """
    row = offerings.find_incoming(connection, prefix)
    if row.state in ("withdrawn", "declined"):
        raise _over(row)
    transfer = ledger.transfer_for(connection, row)
    if transfer is None:
        return offerings.needed_bytes(connection, row.number)
    if named and row.state == "accepted" and transfer[1] is not TransferState.FAILED:
        (raw,) = connection.execute(
            "SELECT folder FROM transfers WHERE number = ?", transfer[:1]
        ).fetchone()
        folder = os.fsdecode(raw or os.fsencode(named))
        if os.path.normpath(folder) != os.path.normpath(named):
            raise PeerError(Code.OFFER_ANSWERED, f"this offer was accepted already, into {folder}")
    return 0


def accept(
    connection: Connection,
    keys: DeviceKeys,
    prefix: str,
    folder: str,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.Offer, list[Effect]]:
    """Take an offer; one that was taken here before stays as it is, one that failed begins anew.

    prefix: of the offer's id, 8 or more hex digits. folder: absolute path, see `folder.check`. Raises
    PeerError with UNKNOWN_OFFER, AMBIGUOUS_ID, OFFER_OWN, OFFER_WITHDRAWN, OFFER_ANSWERED,
    NO_SUCH_FRIEND, BLOCKED or KEY_CHANGED.
    """
    row = offerings.find_incoming(connection, prefix)
    effects: list[Effect] = [WakeTransfers(OfferId(row.key.offer))]
    transfer = ledger.transfer_for(connection, row)
    if row.state in ("withdrawn", "declined"):
        raise _over(row)
    is_begun = transfer is not None and transfer[1] is not TransferState.FAILED
    if (
        not is_begun or row.state == "offered"
    ):  # begun and not answered: for its list of files alone
        friend = contacts.find_partner(connection, row.friend)
        number = ledger.add_transfer(connection, row, now, folder=folder)
        effects.append(ledger.tell_transfer(connection, number))
        if row.state == "offered" or transfer is not None:
            effects += answer(connection, keys, friend, row, OfferAnswer.ACCEPTED, now, entropy)
    return offerings.shown(connection, row.number), effects


def decline(
    connection: Connection, keys: DeviceKeys, prefix: str, now: UnixMillis, entropy: Entropy
) -> tuple[api.Offer, list[Effect]]:
    """Refuse an offer; refusing it again changes nothing. Raises as `accept` does."""
    row = offerings.find_incoming(connection, prefix)
    effects: list[Effect] = []
    if row.state == "offered":
        friend = contacts.find_partner(connection, row.friend)
        effects = answer(connection, keys, friend, row, OfferAnswer.DECLINED, now, entropy)
    elif row.state != "declined":
        raise _over(row)
    return offerings.shown(connection, row.number), effects


def offers(connection: Connection) -> list[api.Offer]:
    """List the offers of both directions, oldest first."""
    return offerings.every_shown(connection)


def transfers(
    connection: Connection, live: Mapping[int, Live] | None = None, *, only_open: bool = False
) -> list[api.Transfer]:
    """List transfers, oldest first. live: what the running node knows better, by the row's number."""
    return ledger.shown_transfers(connection, live or {}, only_open=only_open)


def has_untold_words(connection: Connection, offer_id: OfferId) -> bool:
    """Say whether an answer or withdrawal of this account has not reached a friend whom that offer concerns."""
    row = connection.execute(
        "SELECT 1 FROM outbox o JOIN events e ON e.number = o.event"
        " WHERE o.state IN ('queued', 'sent') AND e.kind IN (?, ?) AND e.conversation IN"
        " (SELECT conversation FROM offers WHERE offer = ?) LIMIT 1",
        (int(EventKind.ANSWER), int(EventKind.WITHDRAWAL), offer_id),
    ).fetchone()
    return row is not None


# --- what the data links ask and tell


def restarted(connection: Connection) -> None:
    """Note that a node begins: what ran when the last one ended waits, and goes on by itself."""
    connection.execute(
        "UPDATE transfers SET state = ?, reason = ? WHERE state = ?",
        (TransferState.WAITING.value, ledger.FRIEND, TransferState.RUNNING.value),
    )


def due(connection: Connection) -> list[Incoming]:
    """List what is to be fetched, in the order of the queue: accepted here, not ended, not paused."""
    rows = connection.execute(
        "SELECT t.number, o.device, o.offer, c.name, v.identity, t.folder, o.title, o.files, o.size,"
        " o.manifest_size, o.manifest_digest, t.types, t.reason, t.resent_bytes, t.verified_bytes, o.recipients FROM transfers t JOIN offers o ON o.number = t.offer"
        " JOIN conversations v ON v.number = o.conversation JOIN contacts c ON c.number = t.contact"
        " WHERE NOT t.is_out AND t.ended IS NULL AND t.state IN (?, ?) AND c.state IN ('friends', 'own')"
        " AND c.claimed IS NULL AND c.identity = v.identity ORDER BY t.number",
        (TransferState.WAITING.value, TransferState.RUNNING.value),
    ).fetchall()
    found = []
    for number, device, offer_id, friend, identity, folder, *rest, named in rows:
        signing_key = signing_key_of(connection, device)
        if signing_key is not None:
            key, place = OfferKey(DeviceId(device), OfferId(offer_id)), Path(os.fsdecode(folder))
            each = Incoming(number, key, friend, identity, signing_key, place, *rest)
            found.append(replace(each, share=share_of(connection, named)))
    return found


def outgoing(connection: Connection, asker: IdentityKey, key: OfferKey) -> int | None:
    """Give the transfer by which somebody may fetch an offer of ours, or None: they may not.

    asker: as the data link proved it: a friend (or this account) to whom it was offered and who has not refused it,
    while it is not withdrawn. One that is done or failed may be fetched again: by another device of the friend, or when it
    is accepted anew.
    """
    row = connection.execute(
        "SELECT t.number FROM transfers t JOIN offers o ON o.number = t.offer"
        " JOIN conversations v ON v.number = o.conversation JOIN contacts c ON c.number = t.contact"
        " WHERE o.offer = ? AND o.device = ? AND o.state <> 'withdrawn' AND v.identity = ?"
        " AND t.is_out AND (t.ended IS NULL OR t.state IN ('done', 'failed'))"
        " AND c.state IN ('friends', 'own') AND c.claimed IS NULL AND c.identity = v.identity",
        (key.offer, key.device, asker),
    ).fetchone()
    return None if row is None else int(row[0])


def started(connection: Connection, number: int, now: UnixMillis) -> list[Effect]:
    """Note that bytes are being asked for."""
    return ledger.move(connection, number, TransferState.RUNNING, now)


def waiting(
    connection: Connection, number: int, reason: str, now: UnixMillis, detail: str = ""
) -> list[Effect]:
    """Note that a transfer has to wait, unless a person holds it. reason: one of the words of `ledger`."""
    if ledger.is_paused(connection, number):
        return []
    waits, code = TransferState.WAITING, ledger.HELD_HERE.get(reason)
    return ledger.move(connection, number, waits, now, reason=reason, code=code, detail=detail)


def gave_up(
    connection: Connection,
    keys: DeviceKeys,
    number: int,
    code: Code,
    now: UnixMillis,
    entropy: Entropy,
    detail: str = "",
) -> list[Effect]:
    """Note that what was to come cannot go on by itself, and tell the friend, who else would wait for ever."""
    effects = failed(connection, number, code, now, detail)
    row = connection.execute("SELECT offer FROM transfers WHERE number = ?", (number,)).fetchone()
    offered = None if row is None else offerings.of_number(connection, row[0])
    if effects and offered is not None and offered.state == "accepted":
        friend = listener(connection, offered)
        if friend is not None:
            word = Answer(offered.key.offer, OfferAnswer.FAILED, code.value)
            effects += add_own(connection, keys, friend, word, now=now, entropy=entropy)[1]
    return effects


def failed(
    connection: Connection, number: int, code: Code, now: UnixMillis, detail: str = ""
) -> list[Effect]:
    """Note that a transfer cannot go on by itself; `accept` begins it anew."""
    return ledger.move(connection, number, TransferState.FAILED, now, code=code, detail=detail)


def finished(
    connection: Connection,
    keys: DeviceKeys,
    number: int,
    saved_as: Path,
    now: UnixMillis,
    entropy: Entropy,
    skipped: Sequence[dict[str, str]] = (),
) -> list[Effect]:
    """Note that all of an incoming transfer stands in its place, and answer the friend that it does.

    saved_as: absolute path of the file or top folder. skipped: {"path", "reason"} of files that the friend
    could not give. One that was called off meanwhile stays so.
    """
    row = connection.execute(
        "SELECT t.offer, t.state FROM transfers t WHERE t.number = ?", (number,)
    ).fetchone()
    if row is None or TransferState(row[1]) in ENDED:
        return []
    if skipped:
        ledger.note_missing(connection, number, skipped)
    else:
        ledger.complete(connection, number)
    connection.execute(
        "UPDATE transfers SET saved_as = ? WHERE number = ?", (os.fsencode(saved_as), number)
    )
    effects = ledger.move(connection, number, TransferState.DONE, now)
    offered = offerings.of_number(connection, row[0])
    friend = listener(connection, offered)
    if friend is not None:
        effects += answer(connection, keys, friend, offered, OfferAnswer.DONE, now, entropy)
    return effects


# --- for all who say something about offers


def listener(connection: Connection, row: OfferRow) -> contacts.Contact | None:
    """Give the friend of an offer's conversation, or None where nothing is said to them now."""
    if not standing.may_write(connection):
        return None
    friend = contacts.of_identity(connection, row.identity)
    return friend if friend and friend.may_be_told else None


def answer(
    connection: Connection,
    keys: DeviceKeys,
    friend: contacts.Contact,
    row: OfferRow,
    word: OfferAnswer,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Answer a friend's offer."""
    content = Answer(row.key.offer, word)
    return add_own(connection, keys, friend, content, now=now, entropy=entropy)[1]


# --- inside


def _over(row: OfferRow) -> PeerError:
    """Say why an offer cannot be answered any more."""
    if row.state == "withdrawn":
        return PeerError(Code.OFFER_WITHDRAWN)
    said = "declined" if row.state == "declined" else "accepted"
    return PeerError(Code.OFFER_ANSWERED, f"this offer was {said} already")
