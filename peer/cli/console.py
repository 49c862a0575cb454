"""What a verb is given: its home, the form of its results, and a way to ask the door."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from peer.cli import exit_codes
from peer.cli.exit_codes import Failure
from peer.cli.passwords import PasswordSource

Item = dict[str, object]
"""One result: the JSON fields that `peer.api.as_json` gives."""

_UNSAFE_IN_JSON = {
    code: f"\\u{code:04x}"
    for code in (
        *range(0x7F, 0xA0),
        0x061C,
        0x200E,
        0x200F,
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
    )
}
"""What would act on a terminal although JSON lets it stand bare: written as escapes, the same value."""


def _spell(item: Item) -> str:
    return json.dumps(item, ensure_ascii=False)


class Console:
    """One run of the program.

    home_text: the value of --home or HOBNOB_HOME, None for the platform's folder. is_json: one object
    a line instead of text.
    """

    def __init__(self, *, home_text: str | None, is_json: bool) -> None:
        self._home_text = home_text
        self.is_json = is_json
        self._encoding = getattr(sys.stdout, "encoding", None) or "utf-8"

    @property
    def home(self) -> Path:
        """The folder all state of this profile lives below, absolute."""
        if self._home_text is not None:
            if not self._home_text or "\0" in self._home_text:
                raise Failure("home-unusable", "the name of the home folder is empty")
            try:
                home = Path(self._home_text).expanduser()
            except RuntimeError as error:  # ~somebody who is no user here
                raise Failure("home-unusable", f"{self._home_text} is nobody's home") from error
            return Path(os.path.abspath(home))  # noqa: PTH100 - resolve() asks the disk
        from peer.locations import default_home

        return default_home()

    def ask(
        self,
        do: str,
        arguments: Item,
        on_item: Callable[[Item], None],
        *,
        password: PasswordSource | None = None,
        alone: Item | None = None,
    ) -> None:
        """Carry out a command and hand over each result as it comes.

        do: the name of a command of `peer.api`. arguments: its fields. alone: fields that differ when no
        node is up and this process does the work itself. password: asked only if the key file is sealed
        and this process has to open it. Raises Failure and what the node raised.
        """
        from peer.cli import ask

        ask.ask(
            self.home,
            do,
            arguments,
            on_item,
            password=password or PasswordSource(None),
            alone=alone,
        )

    def emit(
        self,
        item: Item,
        text: str,
        *,
        is_last: bool = True,
        spell: Callable[[Item], str] = _spell,
    ) -> None:
        """Print one result: as JSON, or as the text for people; an empty text prints nothing.

        is_last: as of `exit_codes.write`. spell: makes the JSON.
        """
        if self.is_json:
            line = spell(item)
            if not line.isascii() or "\x7f" in line:
                line = line.translate(_UNSAFE_IN_JSON)
            line_bytes = line.encode("utf-8", "backslashreplace")
            exit_codes.write(line_bytes + b"\n", is_last=is_last)
        elif text:
            text_bytes = text.encode(self._encoding, "backslashreplace")
            exit_codes.write(text_bytes + b"\n", is_last=is_last)

    def is_terminal(self) -> bool:
        """Whether a person looks at the results as they come."""
        return not self.is_json and sys.stdout is not None and sys.stdout.isatty()

    def has_colour(self) -> bool:
        """Whether text may be coloured: on a terminal that knows how, unless NO_COLOR is set."""
        capable = os.environ.get("TERM", "dumb") != "dumb" and not os.environ.get("NO_COLOR")
        return self.is_terminal() and capable

    def has_progress(self) -> bool:
        """Whether a progress line may be drawn on stderr."""
        return not self.is_json and sys.stderr is not None and sys.stderr.isatty()
