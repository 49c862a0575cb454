"""What `send TO -` read from stdin: kept below the home until its offer is over, then swept away.

An offer names files that stay where they are; a stream has no such place, so it gets one:
`stdin/RANDOM/NAME`, with the offer's id beside it in `stdin/RANDOM.offer`.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure

_OVER = {"done", "declined", "withdrawn", "cancelled"}


class Held:
    """One stream on disk; path: the file that is sent."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def belongs_to(self, offer: str) -> None:
        """Note which offer it belongs to, so that a later sweep knows when it is over."""
        self.path.parent.with_suffix(".offer").write_text(f"{offer}\n", encoding="ascii")


def keep_stdin(console: Console, name: str) -> Held:
    """Copy stdin below the home under `name`; raises Failure where that is impossible."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise Failure("name-unsafe", "a --name is the name of one file", "choose another --name")
    if sys.stdin is None:
        raise Failure("nothing-to-send", "the file shall come from stdin, which is closed")
    room = console.home / "stdin"
    _sweep(console, room)
    folder = room / secrets.token_hex(8)
    try:
        folder.mkdir(mode=0o700, parents=True)
        with open(
            os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb"
        ) as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1024 * 1024)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise Failure("no-space", f"stdin could not be kept: {error.strerror}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)  # interrupted: half a stream is nothing
        raise
    return Held(folder / name)


def _sweep(console: Console, room: Path) -> None:
    """Remove the streams whose offers are over for everybody."""
    marks = {mark: mark.read_text(encoding="ascii").strip() for mark in room.glob("*.offer")}
    if not marks:
        return
    standing: set[str] = set()

    def note(item: Item) -> None:
        if item["state"] not in _OVER:
            standing.add(str(item["offer"]))

    console.ask("ListOffers", {}, note)
    for mark, offer in marks.items():
        if offer not in standing:
            shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
            mark.unlink(missing_ok=True)
