"""The tracker's stdout, stderr and exit codes: results, one line for each error, never a traceback."""

from __future__ import annotations

import json
import os
import sys
from typing import IO

from tracker.errors import TrackerError
from wire.codes import Code

DONE, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130

SHOWN_CHARS = 1000  # of what happened; a sentence may quote an argument, and an argument 128 KiB
LEFT_CHARS = 200  # of its end where it is cut: there stands what is wrong with what it quotes

WRONG_USAGE = frozenset({Code.USAGE, Code.PORT_INVALID, Code.ADDRESS_INVALID, Code.CONFIG_INVALID})


def hold_standard_descriptors() -> None:
    """Put nothing in the place of a stdin, stdout or stderr that was closed when the program began.

    Else a socket or the database got its number, and what is meant for stderr went there.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)


def exit_code(error: TrackerError) -> int:
    """Give the exit code that an error asks for."""
    return USAGE if error.code in WRONG_USAGE else FAILED


class Output:
    """Where a verb's results and errors go. is_json: one object a line instead of text for people."""

    def __init__(self, *, is_json: bool) -> None:
        self.is_json = is_json
        for stream in (sys.stdout, sys.stderr):
            _never_raise_on_text(stream)

    def result(self, item: dict[str, object], text: str) -> None:
        """Print one result: the object with --json, else the text. Raises OUTPUT_FAILED."""
        line = json.dumps(item, ensure_ascii=False) if self.is_json else text
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except (OSError, ValueError) as error:
            raise output_failed() from error

    def error(self, error: TrackerError) -> None:
        """Print an error as the one line of the contract; a closed stderr is nobody's fault."""
        message, remedy = _bounded(error.message), _bounded(error.remedy)
        if self.is_json:
            what = {"code": error.code.value, "message": message, "remedy": remedy}
            line = json.dumps({"error": what}, ensure_ascii=False)
        else:
            line = f"error: {error.code.value}: {message}; {remedy}".replace("\n", " ")
        if sys.stderr is None:
            return
        try:
            sys.stderr.write(f"{line}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            _discard(sys.stderr)


def _bounded(sentence: str) -> str:
    """Give a sentence that a person can read, whatever it quotes."""
    if len(sentence) <= SHOWN_CHARS:
        return sentence
    return f"{sentence[: SHOWN_CHARS - LEFT_CHARS]}[...]{sentence[-LEFT_CHARS:]}"


def output_failed() -> TrackerError:
    """Make the error for an output that is full or closed; what is left in its buffer is dropped."""
    _discard(sys.stdout)
    return TrackerError(Code.OUTPUT_FAILED)


def _discard(stream: IO[str]) -> None:
    """Let the interpreter's last flush go nowhere."""
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
        os.close(descriptor)
    except (OSError, ValueError):
        return


def _never_raise_on_text(stream: object) -> None:
    """Escape what the terminal's encoding lacks: an ASCII locale must not end a program."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
