"""Transfers while a verb waits for them: one line that moves on a terminal, and how they ended."""

from __future__ import annotations

import sys

from peer.cli import exit_codes, render
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure

_ENDED = {"done", "declined", "cancelled", "failed"}


class Waiting:
    """Shows the transfers that a command gives and keeps the last word of each."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, Item] = {}
        self._is_drawn = False

    def show(self, item: Item) -> None:
        """Print a Transfer: every one as JSON; for people only how it ended, and the way there in place."""
        former = self._last.get(str(item["id"]))
        self._last[str(item["id"])] = item
        has_ended = item["state"] in _ENDED
        if self._console.is_json:
            self._console.emit(item, "")
        elif has_ended and (former is None or former["state"] not in _ENDED):
            self._wipe()
            self._console.emit(item, render.transfer(item))
        elif not has_ended and self._console.has_progress():
            self._draw(render.transfer(item))

    def finish(self) -> None:
        """Raise Failure for the first transfer that ended otherwise than done."""
        self._wipe()
        for item in self._last.values():
            error = item["error"]
            if item["state"] in {"declined", "cancelled"}:
                raise Failure(str(item["state"]))
            if item["state"] == "failed" and isinstance(error, dict):
                raise Failure(str(error["code"]), str(error["message"]), str(error["remedy"]))

    def _draw(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line[: _terminal_width() - 1]}")
        sys.stderr.flush()
        self._is_drawn = True

    def _wipe(self) -> None:
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_drawn = False


def tell(console: Console, text: str) -> None:
    """Say something beside the results to a person; scripts read the JSON."""
    if not console.is_json:
        exit_codes.note(text)


def _terminal_width() -> int:
    import shutil

    return max(20, shutil.get_terminal_size().columns)
