"""What a person is asked at a terminal: a line, or a password that is not shown; a signal always ends it."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from peer.cli.exit_codes import catch_signals

_LOOK_S: Final = 0.1


def ask(question: str) -> str | None:
    """Ask a question on stderr; gives what was typed, empty at the end of input, None where nobody sits there."""
    if sys.stdin is None or not sys.stdin.isatty():
        return None
    sys.stderr.write(question)
    sys.stderr.flush()
    with _signals_end_it():
        return sys.stdin.readline().strip()


def ask_unseen(question: str) -> str:
    """Ask for what shall not be seen; raises EOFError at the end of input."""
    # getpass turns echo off on /dev/tty and restores it in `finally`, also when Ctrl-C ends the prompt.
    import getpass

    with _signals_end_it():
        return getpass.getpass(question)


@contextmanager
def _signals_end_it() -> Iterator[None]:
    # A running loop would only note them, and the prompt would go on. And one that comes between the interpreter's
    # last look at its signals and read(2) is noted, but does not end the read: an alarm that does nothing makes the
    # interpreter look again.
    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "setitimer"):
        numbers.append(signal.SIGALRM)
    kept = {number: signal.getsignal(number) for number in numbers}
    catch_signals()
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda _number, _frame: None)
        signal.setitimer(signal.ITIMER_REAL, _LOOK_S, _LOOK_S)
    try:
        yield
    finally:
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in kept.items():
            signal.signal(number, handler)
