"""A code as a QR picture in a terminal's characters."""

from __future__ import annotations

import os
import sys

BLOCKS = "\u2580\u2584\u2588"


def above(text: str, lines: str) -> str:
    """Give lines with the picture of a text over them, or alone where the terminal cannot show it whole.

    A picture whose lines break, or whose blocks the terminal's encoding lacks, is nothing that a camera reads.
    """
    picture = _of(text) if _has_blocks() else ""
    width = max(map(len, picture.splitlines()), default=0)
    return f"{picture}\n{lines}" if 0 < width <= _columns() else lines


def _of(text: str) -> str:
    """Draw a text; imports the drawing library only here, because start-up time matters."""
    from io import StringIO

    import segno

    drawn = StringIO()
    segno.make(text, error="l", micro=False).terminal(out=drawn, compact=True)
    return drawn.getvalue().rstrip("\n")


def _has_blocks() -> bool:
    try:
        BLOCKS.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _columns() -> int:
    """Give the terminal's width; one that tells none (a serial line, a pipe between) has 80."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80
