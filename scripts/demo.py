"""The story that scripts/demo tells: every step is a real command, and what it shows is its real output."""

from __future__ import annotations

import json
import os
import queue
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

BIN = Path(sys.executable).parent
WAIT_S = 30.0


class DemoFailed(Exception):
    """A step did not do what the demo promises."""


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
                raise DemoFailed(f"{self.name}: no {event} {fields}\n{self.log}") from None
            if line is None:
                raise DemoFailed(f"{self.name} ended\n{self.log}")
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
            raise DemoFailed(f"{self.name} ended with {code}\n{self.log}")

    def kill(self) -> None:
        """End it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Person:
    """Somebody with a home of their own."""

    def __init__(self, name: str, folder: Path, environment: dict[str, str]) -> None:
        self.name = name
        self.home = folder / name
        self._folder = folder
        self._environment = environment

    def run(self, *words: str, shown: str | None = None, quiet: bool = False) -> str:
        """Run a verb to its end and show it; raises DemoFailed unless it worked."""
        command = [str(BIN / "hobnob"), "--home", str(self.home), *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=self._environment
        )
        if done.returncode != 0:
            raise DemoFailed(f"{' '.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}")
        if not quiet:
            say(f"{self.name}$ hobnob {shown or shlex.join(words)}")
            for line in (done.stdout + done.stderr).splitlines():
                say(f"    {line}")
        return done.stdout

    def up(self) -> Running:
        """Start the node and wait until it is ready."""
        say(f"{self.name}$ hobnob up")
        words = (str(BIN / "hobnob"), "--home", str(self.home), "--json", "up")
        return Running(
            self.name,
            *words,
            "--listen",
            "127.0.0.1:0",
            folder=self._folder,
            environment=self._environment,
        )


def say(text: str = "") -> None:
    """Print one line of the transcript at once."""
    print(text, flush=True)


def title(text: str) -> None:
    """Begin a part of the story."""
    say()
    say(f"== {text}")


def story(folder: Path, stack: ExitStack) -> None:
    """Tell it from the first command to the last; whatever it starts is on the stack."""
    password = secrets.token_urlsafe(12)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HOBNOB_")}
    secret = {**environment, "HOBNOB_PASSWORD": password}

    def start(begin: Callable[[], Running]) -> tuple[Running, dict[str, object]]:
        running = begin()
        stack.callback(running.kill)
        return running, running.wait("ready")

    title("Somebody starts a tracker")
    say("host$ hobnob-tracker serve")
    words = (str(BIN / "hobnob-tracker"), "serve", "--json", "--home", str(folder / "tracker"))
    tracker, ready = start(
        lambda: Running(
            "tracker", *words, "--listen", "127.0.0.1:0", folder=folder, environment=environment
        )
    )
    address = str(ready["address"])
    say(f"    {address}")

    title("Alice and Bob make accounts, with a password, and come online")
    alice, bob = Person("alice", folder, secret), Person("bob", folder, secret)
    for person in (alice, bob):
        person.run("register", person.name, "--tracker", address)
    at_alice, _ = start(alice.up)
    at_bob, _ = start(bob.up)

    title("They become friends by Bob's friend code")
    code = bob.run("friend", "code").strip()
    alice.run(
        "friend", "add", code, "--note", "it is me", shown="friend add CODE --note 'it is me'"
    )
    at_bob.wait("friend-request", friend="alice", direction="in")
    bob.run("friend", "requests")
    bob.run("friend", "accept", "alice")
    at_alice.wait("friend", friend="bob", state="friends")
    at_alice.wait("presence", friend="bob", presence="available")
    bob.run("busy", "--text", "packing")
    at_alice.wait("presence", friend="bob", presence="busy")
    alice.run("friend", "list")

    title("They talk; a message is `delivered` when the other's device has signed for it")
    alice.run("say", "bob", "hello Bob", "--wait", "10")
    bob.run("say", "alice", "hello Alice, how are you?", "--wait", "10")
    alice.run("read", "bob")

    title("How they are connected")
    alice.run("status")
    status = json.loads(alice.run("--json", "status", quiet=True))
    paths = [link["path"] for link in status["links"] if link["friend"] == "bob"]
    if "direct" not in paths:
        raise DemoFailed(f"the link to bob is {paths}, not direct")

    title("Everybody leaves")
    for running in (at_alice, at_bob, tracker):
        running.stop()
        say(f"    {running.name} has stopped")


def main() -> int:
    """Run the demo; gives the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hobnob-demo-") as folder, ExitStack() as stack:
        try:
            story(Path(folder), stack)
        except (DemoFailed, subprocess.TimeoutExpired, OSError) as failed:
            print(f"error: the demo failed: {failed}", file=sys.stderr)
            return 1
    title(f"All of it worked, in {time.monotonic() - began:.1f} s; nothing is left running")
    say(
        "On two real machines, once the tracker's address is known (hobnob-tracker serve prints it):"
    )
    say("    hobnob register NAME --tracker ADDRESS")
    say("    hobnob up")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the clean-up runs
    sys.exit(main())
