"""Short programs: run to their end, within a time and a bound of memory that holds for every verb."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.harness.memory import peak_of

_LOOK_S = 0.02
MOST_BYTES = 192 * 1024 * 1024
"""What a verb may have at its peak, whatever it was given: deriving a key from a password alone takes 64 MiB."""


def run(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    timeout_s: float,
    stdin: bytes = b"",
    folder: str | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a program and check the peak of its memory; raises subprocess.TimeoutExpired, and ends it then."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=out, stderr=err, cwd=folder, env=environment
        )
        assert process.stdin is not None
        feeder = threading.Thread(target=_feed, args=(process.stdin, stdin))
        feeder.start()
        try:
            peak_bytes = _wait(process, timeout_s)
        finally:
            process.kill()  # where the test itself ran out of time
            process.wait()
            feeder.join()
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(words, process.returncode, out.read(), err.read())
    assert peak_bytes < MOST_BYTES, f"{peak_bytes >> 20} MiB: {' '.join(words)}"
    return done


def _feed(pipe: IO[bytes], content: bytes) -> None:
    """Say what there is to say, as far as it is heard."""
    with suppress(BrokenPipeError), pipe:
        pipe.write(content)


def _wait(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """Wait for the end; gives the most memory that the program or one it started had, in bytes.

    Looked at again and again, as what `wait4` tells begins with what we have ourselves.
    """
    ends, overdue, peak_bytes = os.pidfd_open(process.pid), time.monotonic() + timeout_s, 0
    try:
        while not select.select([ends], [], [], _LOOK_S)[0]:
            peak_bytes = max(peak_bytes, *map(peak_of, _family(process.pid)))
            if time.monotonic() > overdue:
                raise subprocess.TimeoutExpired(process.args, timeout_s)
    finally:
        os.close(ends)
    process.wait()
    return peak_bytes


def _family(pid: int) -> list[int]:
    """List a process and those it started, as far as they are there."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]
