"""Real programs for the demo and the benchmarks: a tracker and people, each a process with a home of its own."""

from __future__ import annotations

import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

BIN = Path(sys.executable).parent
WAIT_S = 60.0
PASSWORD_VARIABLE = "HOBNOB_PASSWORD"


class StepFailed(Exception):
    """A program did not do what the story or the measurement needs."""


class Running:
    """A program that goes on: its JSON lines as they come, its stderr in a file."""

    def __init__(self, name: str, *words: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait(self, event: str, **fields: object) -> dict[str, object]:
        """Give the next event of that kind with these fields."""
        ends = time.monotonic() + WAIT_S
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                raise StepFailed(f"{self.name}: no {event} {fields}\n{self.log}") from None
            if line is None:
                raise StepFailed(f"{self.name} ended\n{self.log}")
            item: dict[str, object] = json.loads(line)
            if item.get("event") == event and all(item.get(key) == fields[key] for key in fields):
                return item

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Ask it to end; raises if it does not, or not well."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        if code != 0:
            raise StepFailed(f"{self.name} ended with {code}\n{self.log}")

    def kill(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Person:
    """Somebody with a home of their own; told: whether what they run is shown.

    host: the address their node listens on. under: words before every program, for one that runs elsewhere.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        environment: dict[str, str],
        *,
        told: bool = True,
        host: str = "127.0.0.1",
        under: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.home = folder / name
        self._folder = folder
        self._environment = environment
        self._told = told
        self._listen = f"{host}:0"
        self._under = under

    def run(self, *words: str, shown: str | None = None, quiet: bool = False) -> str:
        """Run a verb to its end and show it; raises StepFailed unless it worked."""
        command = [*self._under, str(BIN / "hobnob"), "--home", str(self.home), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self._environment
        )
        if done.returncode != 0:
            raise StepFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        if self._told and not quiet:
            say(f"{self.name}$ hobnob {shown or shlex.join(words)}")
            for line in (done.stdout + done.stderr).splitlines():
                say(f"    {line}")
        return done.stdout

    def up(self) -> Running:
        """Start the node; its first event is `ready`."""
        if self._told:
            say(f"{self.name}$ hobnob up")
        words = (*self._under, str(BIN / "hobnob"), "--home", str(self.home), "--json", "up")
        return Running(
            self.name,
            *words,
            "--listen",
            self._listen,
            folder=self._folder,
            environment=self._environment,
        )


def say(text: str = "") -> None:
    """Print one line of the transcript at once."""
    print(text, flush=True)


def clean_environment() -> dict[str, str]:
    """Give the environment without our own variables."""
    return {key: value for key, value in os.environ.items() if not key.startswith("HOBNOB_")}


def begin(running: Running, stack: ExitStack) -> dict[str, object]:
    """Put a program on the stack, so that it never outlives us, and give its `ready`."""
    stack.callback(running.kill)
    return running.wait("ready")


def start_tracker(
    folder: Path,
    stack: ExitStack,
    *limits: str,
    host: str = "127.0.0.1",
    under: tuple[str, ...] = (),
) -> tuple[Running, str]:
    """Start a tracker on a free port; limits: NAME=VALUE each, the others as of `Person`. Gives it and its address."""
    raised = [word for limit in limits for word in ("--limit", limit)]
    words = (*under, str(BIN / "hobnob-tracker"), "serve", "--json")
    tracker = Running(
        "tracker",
        *words,
        *("--home", str(folder / "tracker"), "--listen", f"{host}:0", *raised),
        folder=folder,
        environment=clean_environment(),
    )
    return tracker, str(begin(tracker, stack)["address"])
