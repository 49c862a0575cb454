"""Every path on disk that a peer uses, below one home; nobody else joins paths.

HOME/keys, keys.before   the key file and its former generation, mode 0600; keys.new while it is written
HOME/peer.sqlite3        the database (and SQLite's -wal and -shm; beside it its stamp and 8 MiB in reserve)
HOME/snapshot.sqlite3    a copy of the database while it is exported, or imported
HOME/lock                held while a program works on this home
HOME/control             socket of the running node
HOME/config.toml         what its person set; may be missing
HOME/last-run            the port of last time, and whether the tracker was on this machine
HOME/crash.log           what an unexpected error left behind
HOME/offers/             what this device offers: lists of files
HOME/stdin/              what `send TO -` read, until its offer is over: RANDOM/NAME, and RANDOM.offer with the offers it is in
HOME/downloads           where received files go, if the home was named by its person

Only the standard library is imported here at once: the command line asks for the default home early.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peer.errors import PeerError

OTHERS = 0o077
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
STREAM_MARK = ".offer"


class Locations:
    """The paths below one home."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.key_file = self.home / "keys"
        self.key_file_before = self.home / "keys.before"
        self.key_file_fresh = self.home / "keys.new"
        self.database = self.home / "peer.sqlite3"
        self.snapshot = self.home / "snapshot.sqlite3"
        self.lock = self.home / "lock"
        self.control = self.home / "control"
        self.config = self.home / "config.toml"
        self.last_run = self.home / "last-run"
        self.crash_log = self.home / "crash.log"
        self.offers = self.home / "offers"
        self.stdin = self.home / "stdin"
        self.received = self.home / "downloads"

    def prepare(self) -> None:
        """Make the home if there is none, closed to others whatever the umask is.

        Raises PeerError(HOME_UNUSABLE) that names what is wrong with it.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
            if stat.S_IMODE(self.home.stat().st_mode) & OTHERS:
                self.home.chmod(PRIVATE_FOLDER)
        except FileExistsError as error:
            raise _unusable(f"{self.home} is no folder") from error
        except (OSError, ValueError) as error:
            raise _unusable(f"{self.home}: {_reason(error)}") from error
        if not os.access(self.home, os.R_OK | os.W_OK | os.X_OK):
            raise _unusable(f"{self.home} cannot be written")

    def exists(self) -> bool:
        """Say whether there is a home here at all: asking must not make one."""
        return self.home.is_dir()

    def downloads(self, setting: Path | None) -> Path:
        """Give the folder that received files go to.

        setting: `downloads.folder`, absolute, or None. Without it: `downloads` below a home that was
        named, the platform's folder for downloads where the home is the default one.
        """
        if setting is not None:
            return setting
        if self.home != default_home():
            return self.received
        from platformdirs import user_downloads_path

        return user_downloads_path()

    def write_private(self, path: Path, content: bytes) -> None:
        """Replace a small file whole, mode 0600; not synced: for what may be lost. Raises OSError."""
        fresh = path.with_name(f"{path.name}.new")
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        fresh.replace(path)


def default_home() -> Path:
    """Give the folder that the platform has for this."""
    from platformdirs import user_data_path

    return user_data_path("hobnob", appauthor=False)


def _unusable(detail: str) -> PeerError:
    from peer.errors import PeerError
    from wire.codes import Code

    return PeerError(Code.HOME_UNUSABLE, detail)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
