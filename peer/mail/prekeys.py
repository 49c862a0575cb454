"""Keys that others seal mail to: made here, published at the tracker, and erased when used.

A one-time key's private half goes in the transaction that stores what it opened; a weekly one's is kept as long
as mail sealed to it may still lie somewhere. Deleted rows leave no bytes (`secure_delete`), and the log of the
database is folded into it after keys went (`Database.scrub`).

What the tracker holds is *doubted* when this database, or the tracker's, went back in time: some of those keys were used
before, or are none of ours. Then all are replaced; else friends would seal to them one after the other.
"""

from __future__ import annotations

import sqlite3

import msgspec

from peer.store import place, settings
from wire import limits
from wire.channel.primitives import HPKE_PRIVATE_BYTES, hpke_public
from wire.identity import DeviceKeys
from wire.ids import DeviceId
from wire.machine import Entropy, UnixMillis
from wire.mailbox import Prekey, issue_prekey

Connection = sqlite3.Connection
WEEK_MS = int(limits.PREKEY_WEEKLY_S * 1000)
KEPT_MS = int(limits.PREKEY_KEPT_S * 1000)
REPLACED_MS = int(limits.PREKEYS_REPLACED_S * 1000)
STANDING = f"{settings.HERE}prekeys"


class _Standing(msgspec.Struct, array_like=True, frozen=True):
    """What is known of the keys that the tracker holds.

    epoch: of the database that made them. newest: the highest number when all were replaced last. at: when. is_doubted:
    one of them was used before.
    """

    epoch: bytes
    newest: int
    at: int
    is_doubted: bool = False


def make(
    connection: Connection,
    keys: DeviceKeys,
    held: int,
    has_weekly: bool,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[tuple[bytes, ...], bytes]:
    """Give signed prekeys to publish: (one-time ones, the weekly one or empty); none if enough are out.

    held, has_weekly: what the tracker has. The private halves are stored with this very transaction; of
    those that were made and never got there the same are given again.
    """
    connection.execute(
        "DELETE FROM prekeys WHERE is_one_time = 0 AND replaced > 0 AND replaced < ?",
        (now - KEPT_MS,),
    )
    weekly = b""
    connection.execute(  # whatever a tracker says it holds, it cannot have keys made without end
        "DELETE FROM prekeys WHERE is_one_time = 1"
        " AND number <= (SELECT max(number) FROM prekeys) - ?",
        (limits.PREKEYS_MADE,),
    )
    newest = connection.execute(
        "SELECT max(made) FROM prekeys WHERE is_one_time = 0 AND replaced = 0 AND is_put = 1"
    ).fetchone()[0]
    if not has_weekly or newest is None or newest < now - WEEK_MS:
        weekly = _publish(connection, keys, _weekly(connection, now, entropy))
    one_time: list[bytes] = []
    if held < limits.PREKEYS_LOW:
        waiting = connection.execute(
            "SELECT number FROM prekeys WHERE is_one_time = 1 AND is_put = 0 ORDER BY number"
        ).fetchall()
        numbers = [number for (number,) in waiting][: limits.PREKEYS_PER_MESSAGE]
        wanted = min(limits.PREKEYS - held, limits.PREKEYS_PER_MESSAGE)
        while len(numbers) < wanted:
            numbers.append(_draw(connection, True, now, entropy))
        one_time = [_publish(connection, keys, number) for number in numbers]
    return tuple(one_time), weekly


def are_doubted(connection: Connection) -> bool:
    """Say whether keys that the tracker holds may have been used, or be none of ours: then all are to be replaced."""
    known = _standing(connection)
    return known is None or known.is_doubted or known.epoch != place.epoch_of(connection)


def doubt(connection: Connection, number: int, now: UnixMillis) -> None:
    """Take note that mail came which is sealed to a key that is gone: the tracker gave one twice, or lies.

    number: of the key; one from before all were replaced last says nothing new. A friend may leave any junk, so all are
    replaced once in PREKEYS_REPLACED_S at most.
    """
    known = _standing(connection)
    if known is None or known.is_doubted or not known.newest < number <= _newest(connection):
        return
    if not 0 <= now - known.at < REPLACED_MS:
        _stand(connection, msgspec.structs.replace(known, is_doubted=True))


def doubt_all(connection: Connection) -> None:
    """Take note that the tracker holds what it held some time ago."""
    known = _standing(connection)
    if known is not None:
        _stand(connection, msgspec.structs.replace(known, is_doubted=True))


def replaced(connection: Connection, now: UnixMillis) -> None:
    """Note that the tracker forgot all one-time keys but those that were made last."""
    held = connection.execute(
        "SELECT min(number) FROM prekeys WHERE is_one_time = 1 AND is_put = 0"
    ).fetchone()[0]
    newest = _newest(connection) if held is None else held - 1
    _stand(connection, _Standing(place.epoch_of(connection), newest, now))


def published(connection: Connection, one_time: int) -> None:
    """Note that the tracker has what `make` gave; one_time: how many of those were one-time ones."""
    connection.execute(
        "UPDATE prekeys SET is_put = 1 WHERE number IN (SELECT number FROM prekeys"
        " WHERE is_one_time = 1 AND is_put = 0 ORDER BY number LIMIT ?)",
        (one_time,),
    )
    connection.execute("UPDATE prekeys SET is_put = 1 WHERE is_one_time = 0 AND replaced = 0")


def weekly(connection: Connection, device: DeviceId) -> Prekey | None:
    """Give the weekly prekey of this device, for what it seals to itself; None before the first was made."""
    row = connection.execute(
        "SELECT number, made, private FROM prekeys WHERE is_one_time = 0 AND replaced = 0"
        " ORDER BY number DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    number, made, private = row
    return Prekey(device, number, False, made, hpke_public(private))


def weekly_drawn(
    connection: Connection, device: DeviceId, now: UnixMillis, entropy: Entropy
) -> Prekey:
    """Give the weekly prekey of this device; it is drawn where there is none yet, and published when its turn comes."""
    found = weekly(connection, device)
    if found is None:
        _weekly(connection, now, entropy)
        found = weekly(connection, device)
        assert found is not None
    return found


def private_of(connection: Connection, number: int) -> bytes | None:
    """Give the private half of a prekey, or None if it is gone or never was."""
    row = connection.execute("SELECT private FROM prekeys WHERE number = ?", (number,)).fetchone()
    return None if row is None else bytes(row[0])


def count(connection: Connection) -> int:
    """Count the private halves that are here."""
    return int(connection.execute("SELECT count(*) FROM prekeys").fetchone()[0])


def use_up(connection: Connection, number: int) -> None:
    """Erase a one-time prekey; a weekly one stays."""
    connection.execute("DELETE FROM prekeys WHERE number = ? AND is_one_time = 1", (number,))


def _standing(connection: Connection) -> _Standing | None:
    raw = settings.read(connection, STANDING)
    return None if raw is None else msgspec.msgpack.decode(raw, type=_Standing)


def _stand(connection: Connection, standing: _Standing) -> None:
    settings.write(connection, STANDING, msgspec.msgpack.encode(standing))


def _newest(connection: Connection) -> int:
    """Give the highest number that was ever given to a prekey here."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'prekeys'").fetchone()
    return 0 if row is None else int(row[0])


def _weekly(connection: Connection, now: UnixMillis, entropy: Entropy) -> int:
    """Give the number of the weekly prekey to publish: one that never got there, or another."""
    row = connection.execute(
        "SELECT number FROM prekeys WHERE is_one_time = 0 AND replaced = 0 AND made >= ?",
        (now - WEEK_MS,),
    ).fetchone()
    if row is not None:
        return int(row[0])
    connection.execute(
        "UPDATE prekeys SET replaced = ? WHERE is_one_time = 0 AND replaced = 0", (now,)
    )
    return _draw(connection, False, now, entropy)


def _draw(connection: Connection, is_one_time: bool, now: UnixMillis, entropy: Entropy) -> int:
    cursor = connection.execute(
        "INSERT INTO prekeys (private, is_one_time, made) VALUES (?, ?, ?)",
        (entropy.bytes(HPKE_PRIVATE_BYTES), is_one_time, now),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _publish(connection: Connection, keys: DeviceKeys, number: int) -> bytes:
    private, is_one_time, made = connection.execute(
        "SELECT private, is_one_time, made FROM prekeys WHERE number = ?", (number,)
    ).fetchone()
    prekey = Prekey(keys.device, number, bool(is_one_time), made, hpke_public(private))
    return issue_prekey(keys.signing_seed, prekey)
