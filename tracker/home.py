"""Where a tracker keeps what it keeps: the folder, its files, and the link key.

HOME/tracker.db        the database (and SQLite's -wal and -shm beside it)
HOME/tracker.db.made   says that there was a database: one that is missing is a loss then, and no first start
HOME/link-key          the private half of the key in the tracker's address, mode 0600
HOME/link-key.second   the same once more: without it no peer would know this tracker again
HOME/lock, lock.pid    held while a tracker runs
HOME/control           socket of the admin verbs
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from tracker.errors import TrackerError
from wire.codes import Code
from wire.machine import Entropy

KEY_HEADER = "hobnob-tracker-link-key 1"
KEY_FILE_BYTES = 1024  # what is longer is none of ours


class Home(Struct, frozen=True):
    """The paths below one home."""

    path: Path

    @property
    def database(self) -> Path:
        """Where the database stands."""
        return self.path / "tracker.db"

    @property
    def lock(self) -> Path:
        """Where the lock stands."""
        return self.path / "lock"

    @property
    def control(self) -> Path:
        """Where the control socket stands while a tracker runs."""
        return self.path / "control"

    @property
    def link_keys(self) -> tuple[Path, Path]:
        """Where the two copies of the link key stand."""
        return self.path / "link-key", self.path / "link-key.second"

    def prepare(self, may: Callable[[Path, int], bool] = os.access) -> None:
        """Make the folder, closed to others; raises HOME_UNUSABLE. may: asks the system as `os.access`."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            mode = stat.S_IMODE(self.path.stat().st_mode)
            if mode & 0o077:
                self.path.chmod(0o700)
        except OSError as error:
            raise TrackerError(Code.HOME_UNUSABLE, f"{self.path}: {error.strerror}") from error
        if not may(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise TrackerError(Code.HOME_UNUSABLE, f"{self.path} cannot be written")


def default_home() -> Path:
    """Give the folder that the platform has for this."""
    import platformdirs

    return Path(platformdirs.user_data_dir("hobnob-tracker", appauthor=False))


def load_link_key(home: Home, entropy: Entropy, *, sync: Callable[[int], None] = os.fsync) -> bytes:
    """Give the tracker's link key (32 bytes, secret), making it at the first start.

    sync: makes a file durable, as `os.fsync`. A copy that is missing or damaged is made again from the
    other one. Raises TrackerError with
    KEY_FILE_MODE if others can read one, KEY_FILE_INVALID if neither can be used although there is one or a
    database: a new key would lock out every peer, so none is made silently.
    """
    copies = [_read(path) for path in home.link_keys]
    key = next((copy for copy in copies if copy is not None), None)
    if key is None:
        present = [path for path in (*home.link_keys, home.database) if path.exists()]
        if present:
            raise TrackerError(
                Code.KEY_FILE_INVALID,
                f"the link key in {home.path} is missing or damaged",
                remedy="put link-key back from a backup; without it no peer knows this tracker",
            )
        key = entropy.bytes(32)
    for path, copy in zip(home.link_keys, copies, strict=True):
        if copy != key:
            _write(path, key, sync)
    return key


def _read(path: Path) -> bytes | None:
    """Read one copy; None if it is missing or damaged."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            content = file.read(KEY_FILE_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrackerError(Code.KEY_FILE_INVALID, f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise TrackerError(Code.KEY_FILE_MODE, f"{path} can be read by others (mode {mode:04o})")
    with suppress(ValueError):
        header, key_hex, check = content.decode("ascii").splitlines()
        key = bytes.fromhex(key_hex)
        if header == KEY_HEADER and len(key) == 32 and check == _check(key):
            return key
    return None


def _check(key: bytes) -> str:
    return hashlib.sha256(KEY_HEADER.encode() + key).hexdigest()[:16]


def _write(path: Path, key: bytes, sync: Callable[[int], None]) -> None:
    """Write one copy whole or not at all: temporary file, sync, rename, sync of the folder."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.unlink(missing_ok=True)
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{KEY_HEADER}\n{key.hex()}\n{_check(key)}\n".encode("ascii"))
            file.flush()
            sync(file.fileno())
        part.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise TrackerError(Code.HOME_UNUSABLE, f"{path}: {error.strerror}") from error


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":  # pragma: no cover  folders cannot be opened there, renames are durable
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
