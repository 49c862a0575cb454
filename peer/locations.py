"""Every path on disk that a peer uses, below one home; nobody else joins paths.

HOME/keys, keys.before   the key file and its former generation, mode 0600
HOME/peer.sqlite3        the database (and SQLite's -wal and -shm, and the stamp beside it)
HOME/lock                held while a program works on this home
HOME/control             socket of the running node
HOME/listen              the port of last time
HOME/crash.log           what an unexpected error left behind
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class Locations:
    """The paths below one home."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.key_file = self.home / "keys"
        self.key_file_before = self.home / "keys.before"
        self.database = self.home / "peer.sqlite3"
        self.lock = self.home / "lock"
        self.control = self.home / "control"
        self.listen = self.home / "listen"
        self.crash_log = self.home / "crash.log"

    def prepare(self) -> None:
        """Make the home, closed to others; raises PeerError(HOME_UNUSABLE)."""
        from peer.errors import PeerError
        from wire.codes import Code

        os.umask(0o077)
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            if stat.S_IMODE(self.home.stat().st_mode) & 0o077:
                self.home.chmod(0o700)
        except OSError as error:
            raise PeerError(Code.HOME_UNUSABLE, f"{self.home}: {error.strerror}") from error
        if not os.access(self.home, os.R_OK | os.W_OK | os.X_OK):
            raise PeerError(Code.HOME_UNUSABLE, f"{self.home} cannot be written")


def default_home() -> Path:
    """Give the folder that the platform has for this."""
    from platformdirs import user_data_path

    return user_data_path("hobnob", appauthor=False)
