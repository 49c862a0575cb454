"""Noticing that a database went back in time or was copied: the stamp beside it and its inode.

Sequence numbers of events must never be used twice (promise D7). Every opening leaves a fresh random
stamp in a file beside the database, written anew so that the file's inode changes too, and notes
both inodes and the stamp inside. A database that was copied, put back from a backup, or put back
together with its stamp, does not match at its next opening: it then takes a new epoch.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from peer.store.failures import lost
from peer.store.opening import sync_folder
from wire.ids import Epoch
from wire.machine import Entropy, UnixMillis

STAMP_BYTES = 16
EPOCH_BYTES = 8


def stamp_path(path: Path) -> Path:
    """Give the path of the stamp that belongs to the database at `path`."""
    return path.with_name(path.name + ".stamp")


def check_not_lost(path: Path) -> None:
    """Refuse to make a database anew where one was: its stamp says so.

    A damaged disk, or a program that was to empty another file, leaves none or one of no bytes; begun anew in silence,
    a person would be told that there is no account. Raises PeerError(DATABASE_CORRUPT).
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        size = None
    if not size and stamp_path(path).exists():
        raise lost(str(path), is_there=size is not None)


def check(connection: sqlite3.Connection, path: Path, entropy: Entropy, now: UnixMillis) -> bool:
    """Compare the stamp with what is noted inside, take a new epoch if they differ, stamp anew.

    connection: the writer's, outside a transaction. now: when. Gives True if the database went back in time or
    was copied; a fresh one only gets its first epoch. Raises sqlite3.Error and OSError.
    """
    noted = connection.execute("SELECT inode, stamp, stamp_inode FROM place").fetchone()
    is_same = noted is not None and noted == _seen(path)
    stamp = entropy.bytes(STAMP_BYTES)
    stamp_inode = _write(stamp_path(path), stamp)
    connection.execute("BEGIN IMMEDIATE")
    try:
        if not is_same:
            take_new_epoch(connection, entropy, now)
        connection.execute(
            "UPDATE place SET inode = ?, stamp = ?, stamp_inode = ?",
            (_signed(path.stat().st_ino), stamp, stamp_inode),
        )
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return noted is not None and not is_same


def take_new_epoch(connection: sqlite3.Connection, entropy: Entropy, now: UnixMillis) -> Epoch:
    """Begin a new run of sequence numbers in every conversation, and give it; now: when."""
    epoch = draw_epoch(connection, entropy, now)
    connection.execute(
        "INSERT INTO place (one, epoch) VALUES (1, ?)"
        " ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch",
        (epoch,),
    )
    connection.execute("UPDATE conversations SET epoch = NULL, is_to_tell = 1")
    return epoch


def draw_epoch(connection: sqlite3.Connection, entropy: Entropy, now: UnixMillis) -> Epoch:
    """Draw a run of sequence numbers and note it as ours."""
    epoch = Epoch(entropy.bytes(EPOCH_BYTES))
    connection.execute("INSERT INTO epochs (epoch, taken) VALUES (?, ?)", (epoch, now))
    return epoch


def epoch_of(connection: sqlite3.Connection) -> Epoch:
    """Give the run of sequence numbers that this device writes in now."""
    return Epoch(connection.execute("SELECT epoch FROM place").fetchone()[0])


def _seen(path: Path) -> tuple[int, bytes, int] | None:
    try:
        beside = stamp_path(path)
        return (
            _signed(path.stat().st_ino),
            beside.read_bytes()[: STAMP_BYTES + 1],
            _signed(beside.stat().st_ino),
        )
    except FileNotFoundError:
        return None


def _write(path: Path, stamp: bytes) -> int:
    draft = path.with_name(path.name + ".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, stamp)
        os.fsync(descriptor)
        inode = os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)
    draft.replace(path)
    sync_folder(path.parent)
    return _signed(inode)


def _signed(inode: int) -> int:
    """SQLite's integers are signed: some file systems number beyond that."""
    return inode & (2**63 - 1)
