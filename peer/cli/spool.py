"""What `send TO -` reads from stdin: copied to a place below the home, see `peer.transfers.streams`, which takes it away."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

from peer.cli.console import Console
from peer.cli.exit_codes import Failure
from peer.locations import STREAM_MARK, Locations

_BLOCK_BYTES = 1024 * 1024


class Held:
    """One stream on disk. path: the file that is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def drop_unless_offered(self) -> None:
        """Remove it if there is no offer that needs it."""
        if not self.path.parent.with_suffix(STREAM_MARK).exists():
            shutil.rmtree(self.path.parent, ignore_errors=True)


def keep_stdin(console: Console, name: str) -> Held:
    """Copy stdin below the home under `name`; raises Failure where that is impossible."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise Failure("name-unsafe", "a --name is the name of one file", "choose another --name")
    if sys.stdin is None:
        raise Failure("nothing-to-send", "the file shall come from stdin, which is closed")
    locations = Locations(console.home)
    if not locations.exists():
        raise Failure("not-registered")
    return _keep(sys.stdin.buffer, locations.stdin / secrets.token_hex(8), name)


def _keep(stream: BinaryIO, folder: Path, name: str) -> Held:
    try:
        folder.mkdir(mode=0o700, parents=True)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(stream, file, _BLOCK_BYTES)
            file.flush()
            os.fsync(descriptor)
    except (OSError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise _not_kept(error) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # interrupted: half a stream is nothing
        raise
    return Held(folder / name)


def _not_kept(error: OSError | ValueError) -> Failure:
    import errno

    number = getattr(error, "errno", None)
    code = {errno.ENOSPC: "no-space", errno.EDQUOT: "no-space", errno.ENAMETOOLONG: "name-too-long"}
    reason = getattr(error, "strerror", None) or error
    return Failure(code.get(number or 0, "home-unusable"), f"stdin could not be kept: {reason}")
