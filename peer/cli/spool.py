"""What `send TO -` read from stdin: kept below the home until its offer is over, then swept away.

An offer names files that stay where they are; a stream has no such place, so it gets one:
`stdin/RANDOM/NAME`, with the offer's id beside it in `stdin/RANDOM.offer` once it is offered.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import BinaryIO

from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure
from peer.locations import Locations

_OVER = frozenset({"done", "declined", "withdrawn"})
_ABANDONED_S = 24 * 3600.0  # a stream without an offer, after that: whoever read it was killed
_BLOCK_BYTES = 1024 * 1024


class Held:
    """One stream on disk. path: the file that is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def _mark(self) -> Path:
        return self.path.parent.with_suffix(".offer")

    def note_offer(self, offer: str) -> None:
        """Note which offer it belongs to, so that a later sweep knows when it is over."""
        self._mark.write_text(f"{offer}\n", encoding="ascii")

    def drop_unless_offered(self) -> None:
        """Remove it if there is no offer that needs it."""
        if not self._mark.exists():
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
    sweep(console, locations.stdin)
    return _keep(sys.stdin.buffer, locations.stdin / secrets.token_hex(8), name)


def sweep(console: Console, room: Path) -> None:
    """Remove the streams whose offers are over for everybody, and those nobody ever offered."""
    if not room.is_dir():
        return
    # Marks first: what is offered while we ask has none yet, so it is not taken for over.
    offers = {mark.stem: mark.read_text(encoding="ascii").strip() for mark in room.glob("*.offer")}
    standing: set[str] = set()

    def note(item: Item) -> None:
        if item["direction"] == "out" and item["state"] not in _OVER:
            standing.add(str(item["offer"]))

    console.ask("ListOffers", {}, note)
    for folder in room.iterdir():
        if folder.suffix == ".offer":
            continue
        if folder.name in offers:
            is_over = offers[folder.name] not in standing
        else:
            is_over = time.time() - folder.stat().st_mtime > _ABANDONED_S
        if is_over:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".offer").unlink(missing_ok=True)


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
