"""What a crash leaves behind: the details of an unforeseen error below the home, and no picture of the memory."""

from __future__ import annotations

import os
import time
from pathlib import Path


def keep(home_text: str | None, details: str) -> str:
    """Write `details` to a new file and give its path, or an empty string if there is no place for it.

    home_text: as Console has it. A home that does not exist yet is not made for this.
    """
    try:
        if home_text is None:
            from peer.locations import default_home

            home = default_home()
        else:
            home = Path(home_text).expanduser()
        path = home / f"crash-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
        with open(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
            "w",
            errors="backslashreplace",
        ) as file:
            file.write(details)
        return str(path)
    except (OSError, ValueError, RuntimeError, ImportError):
        return ""  # the error itself is still told


def forbid_core_dumps() -> None:
    """Keep the memory, and so keys and passwords, from the disk when the program dies; where the system can."""
    try:
        import resource
    except ImportError:  # pragma: no cover  a system without it
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
