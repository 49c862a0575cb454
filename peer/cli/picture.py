"""A code as a QR picture in a terminal's characters."""

from __future__ import annotations


def of(text: str) -> str:
    """Draw a text; imports the drawing library only here, because start-up time matters."""
    from io import StringIO

    import segno

    drawn = StringIO()
    segno.make(text, error="l", micro=False).terminal(out=drawn, compact=True)
    return drawn.getvalue().rstrip("\n")
