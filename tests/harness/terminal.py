"""A program at a terminal of its own: what it shows, what is typed at its prompts, how it leaves the echo."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import termios
import time
from dataclasses import dataclass
from fcntl import ioctl

from tests.harness.trackers import FOLDER, PYTHON, WAIT_S

_IN_CHARGE = """
import fcntl, runpy, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal is this session's own: Ctrl-C comes from it
module, sys.argv = sys.argv[1], sys.argv[1:]
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""
CTRL_C = b"\x03"
CTRL_D = b"\x04"


@dataclass(frozen=True)
class Session:
    """How it went. shown: all that stood on the terminal. echoes: whether it still does what it did."""

    shown: str
    code: int
    echoes: bool


def at_a_terminal(
    module: str,
    words: list[str],
    environment: dict[str, str],
    *typed: tuple[str, bytes],
    size: tuple[int, int] = (24, 80),
) -> Session:
    """Run `python -m MODULE` at a terminal to its end; see `type_at`."""
    command = [PYTHON, "-c", _IN_CHARGE, module, *words]
    return type_at(command, *typed, environment=environment, size=size)


def type_at(
    command: list[str],
    *typed: tuple[str, bytes],
    environment: dict[str, str] | None = None,
    size: tuple[int, int] = (24, 80),
) -> Session:
    """Run a program at a terminal to its end; the program itself takes charge of the terminal.

    typed: in order, the end of what is shown and what is typed when it is. size: lines and columns.
    """
    terminal, inside = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    before = termios.tcgetattr(terminal)
    shown = b""
    answers = list(typed)
    ends = time.monotonic() + WAIT_S
    with subprocess.Popen(
        command,
        stdin=inside,
        stdout=inside,
        stderr=inside,
        start_new_session=True,
        cwd=FOLDER,
        env=environment,
    ) as process:
        try:
            while process.poll() is None or not shown.endswith(b"\n"):
                assert time.monotonic() < ends, (answers, shown)
                if not _has_output(terminal):
                    if process.poll() is not None:
                        break
                    continue
                shown += os.read(terminal, 4096)
                while answers and shown.endswith(answers[0][0].encode()):
                    os.write(terminal, answers.pop(0)[1])
        finally:
            process.kill()
    echoes = termios.tcgetattr(terminal)[3] == before[3]
    while _has_output(terminal):
        shown += os.read(terminal, 4096)
    os.close(inside)
    os.close(terminal)
    assert not answers, (answers, shown)
    return Session(shown.decode(), process.returncode, echoes)


def _has_output(terminal: int) -> bool:
    """Say whether something is to be read, after a tenth of a second at most."""
    from select import select

    return bool(select([terminal], [], [], 0.1)[0])
