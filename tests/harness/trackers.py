"""Trackers as real processes: started, talked to, ended by their pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.harness import places, short

WAIT_S = 90.0
PYTHON = os.environ.get("HOBNOB_PYTHON", sys.executable)
FOLDER = tempfile.gettempdir() if "HOBNOB_PYTHON" in os.environ else None

WIDE = (
    "--limit",
    "sockets_per_address=900",
    "--limit",
    "registrations=100000",
    "--limit",
    "lookups=100000",
)
"""Limits of one address that a test from one address raises."""


class TrackerProcess:
    """`python -m tracker serve` on a loopback port that stays free for it.

    home: where it lives; its log is written beside it. options: more of the command line. listen: where, in
    place of such a port. under: words before the program, as `tests.harness.faults` gives.
    environment: beside our own.
    """

    def __init__(
        self,
        home: Path,
        *options: str,
        listen: str | None = None,
        under: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.log_file = home.with_name(f"{home.name}.log")
        self._log = self.log_file.open("ab")
        self.process = subprocess.Popen(
            [
                *under,
                *(PYTHON, "-m", "tracker", "serve", "--json", "--home", str(home)),
                *("--listen", listen or places.place(), *options),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            cwd=FOLDER,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
        assert self.process.stdout is not None
        try:
            line = self.process.stdout.readline()
        except BaseException:  # the test ran out of time
            self.process.kill()
            self.end()
            raise
        if not line:
            raise AssertionError(f"no ready line: {self.end()} {self.log}")
        self.ready: dict[str, Any] = json.loads(line)
        self.address: str = self.ready["address"]
        self.listen: str = self.ready["listen"][0]

    @property
    def place(self) -> tuple[str, int]:
        """Host and port, for a bare socket."""
        host, _, port = self.listen.rpartition(":")
        return host, int(port)

    @property
    def log(self) -> str:
        """What it logged so far."""
        return self.log_file.read_text()

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.end()

    def stop(self) -> int:
        """Ask it to end; gives its exit code."""
        self.signal(signal.SIGTERM)
        return self.end()

    def end(self) -> int:
        """Wait for its end; gives its exit code."""
        try:
            return self.process.wait(WAIT_S)
        finally:
            self.process.kill()
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            code = self.stop()
            assert kind is not None or code == 0
        else:
            self.end()
        assert kind is not None or "Traceback" not in self.log


def run_verb(*words: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run one verb of `hobnob-tracker` to its end."""
    where = () if home is None else ("--home", str(home))
    line = [sys.executable, "-m", "tracker", *words, *where]
    done = short.run(line, environment=os.environ, timeout_s=WAIT_S)
    return subprocess.CompletedProcess(
        line, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
