"""The recovery key's file: 32 hex digits, made by `register` if it is not there yet."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from peer.cli.exit_codes import Failure

_KEY_BYTES = 16
_HEX = re.compile(r"[0-9a-f]{32}\Z")


def key(file: str | None, *, may_make: bool) -> str | None:
    """Give the recovery key of `file` as hex, or None without a file.

    may_make: a file that is missing is made with a new random key, readable by its owner only.
    Raises Failure `no-such-file`, `file-unreadable` or `text-invalid`.
    """
    if file is None:
        return None
    path = Path(file)
    try:
        if may_make and not path.exists():
            return _make(path)
        with path.open("rb") as opened:
            raw = opened.read(256)
    except FileNotFoundError as error:
        raise Failure("no-such-file", f"the recovery key file {file} is not there") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Failure("file-unreadable", f"the recovery key file {file}: {reason}") from error
    text = "".join(raw.decode("ascii", "replace").split()).lower()
    if not _HEX.match(text):
        raise Failure(
            "text-invalid", f"{file} holds no recovery key: 32 hex digits and nothing else"
        )
    return text


def _make(path: Path) -> str:
    made = secrets.token_hex(_KEY_BYTES)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{made}\n")
        file.flush()
        os.fsync(file.fileno())
    return made
