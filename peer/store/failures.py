"""What SQLite's complaints mean to a person: the one place where they become errors of ours."""

from __future__ import annotations

import errno
import os
import sqlite3

from peer.errors import PeerError
from wire.codes import Code

_SHM_BYTES = 32 * 1024  # by which the file beside a database grows that its users share
_DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_SPACE_REMEDY = "free some space on the disk of the home folder, then try again"
_DAMAGED_REMEDY = (
    "it was left as it is; put a backup in its place, or log in again in a new home folder"
)

_LOST_REMEDY = "put a backup in its place, or log in again in a new home folder"


def translate(error: sqlite3.Error, where: str = "") -> PeerError:
    """Give the PeerError that says what `error` means.

    where: the database's path, named in the sentence; empty if there is none. Gives NO_SPACE for a full
    disk, DATABASE_CORRUPT for a damaged file and DATABASE_FAILED for everything else. The caller
    raises it `from` the original.
    """
    number = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    if number == sqlite3.SQLITE_FULL or (
        number == sqlite3.SQLITE_IOERR_SHMSIZE and _free_bytes(where) < _SHM_BYTES
    ):
        detail = f"the disk is full: {where} could not be written" if where else "the disk is full"
        return PeerError(Code.NO_SPACE, detail, remedy=_SPACE_REMEDY)
    subject = where or "the database"
    if number & 0xFF in _DAMAGED:
        detail = f"{subject} is damaged ({error})"
        return PeerError(Code.DATABASE_CORRUPT, detail, remedy=_DAMAGED_REMEDY)
    return PeerError(Code.DATABASE_FAILED, f"{subject} cannot be used ({error})")


def damage(found: str) -> sqlite3.DatabaseError:
    """Give what SQLite raises for a damaged file; found: what is wrong with it."""
    error = sqlite3.DatabaseError(found)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _free_bytes(where: str) -> int:
    try:
        found = os.statvfs(os.path.dirname(where) or ".")  # noqa: PTH120 - `where` is text to be shown
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def unwritable(error: OSError, where: str) -> PeerError:
    """Give the error for a file beside the database, or the file itself, that cannot be made or written."""
    subject = error.filename or where
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        detail = f"the disk is full: {subject} could not be written"
        return PeerError(Code.NO_SPACE, detail, remedy=_SPACE_REMEDY)
    detail = f"{subject} cannot be written ({error.strerror})"
    return PeerError(Code.HOME_UNUSABLE, detail)


def lost(where: str, *, is_there: bool) -> PeerError:
    """Give the error for a database that was made before and is gone, or is there and has no bytes."""
    state = "is empty" if is_there else "is gone"
    detail = f"{where} {state}, and what was in it with it"
    return PeerError(Code.DATABASE_CORRUPT, detail, remedy=_LOST_REMEDY)


def foreign(where: str) -> PeerError:
    """Give the error for a file that is sound but none of ours."""
    detail = f"{where} belongs to another program"
    return PeerError(Code.DATABASE_CORRUPT, detail, remedy=_DAMAGED_REMEDY)
