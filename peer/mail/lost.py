"""Mail that was lost after it was left: by a tracker that went back to a backup, or by a device that did.

What was left is not believed to be there for ever. What nobody receipted for a day the tracker is asked about, and
what a newer receipt says less of is due again. Whoever has it already lets the other copy vanish.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping

from peer.effects import Effect
from peer.mail import enclosed, prekeys
from peer.mail.postbox import Addressee, Part, is_said_to, mark
from wire import limits
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import UnixMillis

Connection = sqlite3.Connection
ASKED_MS = int(limits.MAIL_ASKED_S * 1000)


def tracker_went_back(connection: Connection, now: UnixMillis) -> None:
    """Take note that the tracker was put back from a backup: all that nobody receipted is asked about at once.

    What letters held that nobody answers is given again, and what it holds of our prekeys is doubted.
    """
    enclosed.tracker_went_back(connection)
    connection.execute("UPDATE parcels SET at = min(at, ?)", (now - ASKED_MS - 1,))
    prekeys.doubt_all(connection)


def told_left(connection: Connection, left: int, now: UnixMillis) -> None:
    """Take the tracker's first word on a link on how much this device ever left there.

    Less than is known here shows that it went back to a backup, whatever others left or put there since.
    left: as in `MailboxState`; 0 where a former version of the tracker tells nothing.
    """
    (known,) = connection.execute("SELECT mail_left FROM own").fetchone()
    if left and left != known:
        connection.execute("UPDATE own SET mail_left = ?", (left,))
    if 0 < left < known:
        tracker_went_back(connection, now)


def unsure(connection: Connection, now: UnixMillis) -> tuple[Addressee, tuple[bytes, ...]] | None:
    """Give items for one device that nobody receipted for so long that the tracker is asked about them; None: none.

    Those that were receipted are forgotten: nothing is to be asked of them any more. What was left at a time that is
    still to come was left before the clock went back, nobody knows how long ago.
    """
    connection.execute(
        "DELETE FROM parcels AS p WHERE at < ? AND EXISTS (SELECT 1 FROM chains h JOIN reaches r"
        " ON r.conversation = h.conversation AND r.device = h.device AND r.epoch = h.epoch"
        " WHERE h.number = p.chain AND r.witness = p.device AND r.high >= p.last)",
        (now - ASKED_MS,),
    )
    rows = connection.execute(
        "SELECT DISTINCT p.item, d.device, d.identity, coalesce(c.name, o.name) FROM parcels p"
        " JOIN devices d ON d.device = p.device AND d.is_listed JOIN own o"
        " LEFT JOIN contacts c ON c.identity = d.identity AND c.state = 'friends'"
        " AND c.claimed IS NULL WHERE (p.at < ? OR p.at > ?)"
        " AND (c.name IS NOT NULL OR d.identity = o.identity) ORDER BY d.device, p.at LIMIT ?",
        (now - ASKED_MS, now, limits.MAIL_PER_MESSAGE),
    ).fetchall()
    if not rows:
        return None
    _, device, identity, name = rows[0]
    to = Addressee(AccountName(name), IdentityKey(identity), DeviceId(device))
    return to, tuple(bytes(row[0]) for row in rows if row[1] == device)


def on_kept(
    connection: Connection,
    to: Addressee,
    asked: Collection[bytes],
    kept: Collection[bytes],
    now: UnixMillis,
) -> list[Effect]:
    """Take the tracker's answer: what it keeps is asked about again later, what it does not is due once more.

    It lies in no mailbox then, so it is `queued` again until it does (promise D2); and what did not open in another item,
    a day ago, counts no more.
    """
    effects: list[Effect] = []
    for item in asked:
        key = (item, to.device)
        if item in kept:
            connection.execute(
                "UPDATE parcels SET at = ? WHERE item = ? AND device = ?", (now, *key)
            )
            continue
        rows = connection.execute(
            "SELECT chain, first, last FROM parcels WHERE item = ? AND device = ?", key
        ).fetchall()
        connection.execute("DELETE FROM parcels WHERE item = ? AND device = ?", key)
        for chain, first, last in rows:
            connection.execute(
                "UPDATE mailed SET high = min(high, ?), nacked = 0 WHERE chain = ? AND device = ?",
                (first - 1, chain, to.device),
            )
            if is_said_to(connection, to.identity, chain):
                effects += mark(connection, Part(chain, first, last), ("sent",), "queued", now)
    return effects


def went_back(
    connection: Connection,
    conversation: int,
    witness: DeviceId,
    has: Mapping[tuple[bytes, bytes], int],
    *,
    is_whole: bool,
) -> None:
    """Take note of a newer receipt: what a device had and was left by mail it may have lost since; then it is due again.

    has: (device, epoch) -> place, as the receipt says. is_whole: it names every chain of which something is there.
    """
    rows = connection.execute(
        "SELECT h.number, h.device, h.epoch, r.high FROM chains h JOIN own o ON o.device = h.device"
        " JOIN mailed m ON m.chain = h.number AND m.device = ?2 JOIN reaches r"
        " ON r.conversation = h.conversation AND r.device = h.device AND r.epoch = h.epoch"
        " AND r.witness = ?2 WHERE h.conversation = ?1",
        (conversation, witness),
    ).fetchall()
    for chain, device, epoch, before in rows:
        high = has.get((device, epoch), 0 if is_whole else before)
        if high < before:
            connection.execute(
                "UPDATE mailed SET high = min(high, ?), nacked = 0 WHERE chain = ? AND device = ?",
                (high, chain, witness),
            )
            connection.execute(
                "UPDATE reaches SET high = ? WHERE conversation = ? AND device = ? AND epoch = ?"
                " AND witness = ?",
                (high, conversation, device, epoch, witness),
            )
