"""Transfers while a verb waits for them: a line that moves on a terminal, and how they ended."""

from __future__ import annotations

import shutil
import sys
from typing import Self

from peer.cli import exit_codes, transfer_words
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure

_ENDED = frozenset({"done", "declined", "cancelled", "failed"})
_NARROWEST = 20


class Waiting:
    """Shows the transfers that a command gives and keeps the last word of each.

    Scripts get no word of the way, only the exit code: the verb's own result is the one object it prints.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, Item] = {}
        self._is_drawn = False

    def show(self, item: Item) -> None:
        """Take a Transfer: say how it ended, or draw how far it is."""
        key = str(item["id"])
        has_ended = item["state"] in _ENDED
        was_ended = key in self._last and self._last[key]["state"] in _ENDED
        before = self._last.get(key)
        self._last[key] = item
        if self._console.is_json:
            return
        if item["resumed_at"] is not None and (
            before is None or before["resumed_at"] != item["resumed_at"]
        ):
            self._wipe()
            exit_codes.note(transfer_words.resumed(item))
        if has_ended and not was_ended:
            self._wipe()
            self._console.emit(item, transfer_words.transfer(item))
        if self._console.has_progress():
            self._draw()

    def __enter__(self) -> Self:
        """Begin to wait; however that ends, the moving line is taken away."""
        return self

    def __exit__(self, *_: object) -> None:
        self._wipe()

    def finish(self) -> None:
        """Raise Failure for the first transfer that ended otherwise than done."""
        for item in self._last.values():
            error = item["error"]
            if isinstance(error, dict):
                raise Failure(str(error["code"]), str(error["message"]), str(error["remedy"]))
            if item["state"] in {"declined", "cancelled"}:
                raise Failure(str(item["state"]))

    def _wipe(self) -> None:
        """Take the moving line away, so that a whole line may stand there."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._is_drawn = False

    def _draw(self) -> None:
        """Draw the running ones' sum: verified bytes only, which is what survives."""
        under_way = [item for item in self._last.values() if item["state"] not in _ENDED]
        if not under_way:
            self._wipe()
            return
        width = max(_NARROWEST, shutil.get_terminal_size().columns)
        line = transfer_words.progress(under_way, width - 1)
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()
        self._is_drawn = True


def tell(console: Console, text: str) -> None:
    """Say something beside the results to a person; scripts read the JSON."""
    if not console.is_json:
        exit_codes.note(text)
