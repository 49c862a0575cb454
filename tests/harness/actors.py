"""Peers as real processes: a home each, verbs that run to their end, a node whose events are waited for.

Nothing here sleeps: a verb is waited for by its pid, an event by a queue that a thread fills from the node's
stdout. What a process printed is kept, so that a test can hunt for secrets and tracebacks in all of it.
HOBNOB_PYTHON names another interpreter, for instance one of a clean environment with only the wheel in it;
then programs start outside the checkout.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from peer.api import EVENT_KINDS
from tests.harness import short
from tests.harness.trackers import FOLDER, PYTHON

WAIT_S = 120.0  # for anything that will happen, on a machine with much else to do; only a failing test ever waits so long
PASSWORD = "correct horse battery staple"

Item = dict[str, Any]


class Ended(AssertionError):
    """A node is no more, and what was waited for had not come."""


class Outcome:
    """What a verb did: its exit code, the objects it printed, its stderr."""

    def __init__(self, words: tuple[str, ...], code: int, out: str, err: str) -> None:
        self.words = words
        self.code = code
        self.out = out
        self.err = err

    @property
    def items(self) -> list[Item]:
        """The objects on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def item(self) -> Item:
        """The one object on stdout."""
        [item] = self.items
        return item

    @property
    def error(self) -> Item:
        """The error on stderr: code, message, remedy."""
        line = self.err.splitlines()[-1]
        error: Item = json.loads(line)["error"]
        assert set(error) == {"code", "message", "remedy"}
        return error

    def __repr__(self) -> str:
        return f"hobnob {' '.join(self.words)} -> {self.code}\n{self.out}{self.err}"


class Peer:
    """One person: a home below `folder`, and what they do with it."""

    def __init__(
        self, folder: Path, name: str, *, environment: dict[str, str] | None = None
    ) -> None:
        self.name = name
        self.home = folder / name
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HOBNOB_")},
            "HOBNOB_PASSWORD": PASSWORD,
            "PYTHONUNBUFFERED": "1",
            **(environment or {}),
        }
        self.under: tuple[
            str, ...
        ] = ()  # words before every program, as `tests.harness.faults` gives
        self.program: tuple[str, ...] = ("-m", "peer")
        self._node: Node | None = None
        self.printed: list[str] = []

    def words(self, *words: str) -> list[str]:
        """Give the whole command line of a verb."""
        return [*self.under, PYTHON, *self.program, "--home", str(self.home), "--json", *words]

    def try_to(self, *words: str, stdin: bytes = b"", **environment: str) -> Outcome:
        """Run a verb with --json to its end."""
        done = short.run(
            self.words(*words),
            environment={**self.environment, **environment},
            timeout_s=WAIT_S,
            stdin=stdin,
            folder=FOLDER,
        )
        outcome = Outcome(words, done.returncode, done.stdout.decode(), done.stderr.decode())
        self.printed += [outcome.out, outcome.err]
        assert "Traceback" not in outcome.err, outcome
        assert '"code": "internal"' not in outcome.err, outcome
        return outcome

    def plain(self, *words: str) -> str:
        """Run a verb that has to work without --json; gives what a person sees."""
        home = ("--home", str(self.home))
        line = [PYTHON, "-m", "peer", *home, *words]
        done = short.run(line, environment=self.environment, timeout_s=WAIT_S, folder=FOLDER)
        done.check_returncode()
        return done.stdout.decode()

    def do(self, *words: str, stdin: bytes = b"") -> list[Item]:
        """Run a verb that has to work; gives its results."""
        outcome = self.try_to(*words, stdin=stdin)
        assert outcome.code == 0, outcome
        return outcome.items

    def one(self, *words: str, stdin: bytes = b"") -> Item:
        """Run a verb that has to work and gives one result."""
        [item] = self.do(*words, stdin=stdin)
        return item

    def register(self, tracker: str | None, *words: str) -> Item:
        """Make the account, at a tracker or a local one."""
        where = ("--tracker", tracker) if tracker else ()
        return self.one("register", self.name, *where, *words)

    def up(self, *words: str, listen: str = "127.0.0.1:0") -> Node:
        """Start the node and wait until it is ready."""
        node = self._node = Node(self, "up", "--listen", listen, *words)
        node.ready = node.wait(lambda item: item["event"] == "ready")
        return node

    @property
    def node(self) -> Node:
        """The node that was brought up last."""
        assert self._node is not None, f"{self.name} was never up"
        return self._node

    def texts_from(self, friend: str) -> list[str]:
        """What the friend said, in display order."""
        return [item["text"] for item in self.do("history", friend) if item["from"] == friend]

    def delivers(self, friend: str, message: str) -> None:
        """Wait until a message of ours is delivered, whichever node of this home hears of it; one is up."""
        [state] = [item["state"] for item in self.do("history", friend) if item["id"] == message]
        if state not in ("delivered", "read"):
            self.node.event("receipt", id=message, state="delivered")

    def gets(self, offer: str) -> None:
        """Wait until a transfer is done, which may be over already; the node is up."""
        [state] = [item["state"] for item in self.do("transfers") if item["offer"] == offer]
        if state != "done":
            self.node.event("transfer", offer=offer, state="done")

    def close(self) -> None:
        """End the node if it still runs."""
        if self._node is not None:
            self._node.kill()


class Node:
    """A verb that goes on: its results as they come."""

    ready: Item

    def __init__(self, peer: Peer, *words: str) -> None:
        self.seen: list[Item] = []
        self._peer = peer
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._errors = peer.home.with_name(f"{peer.home.name}.err").open("a+b")
        self.process = subprocess.Popen(
            peer.words(*words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=FOLDER,
            env=peer.environment,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.decode())
        self._lines.put(None)

    @property
    def address(self) -> str:
        """Where it listens."""
        address: str = self.ready["listen"][0]
        return address

    @property
    def log(self) -> str:
        """What it wrote to stderr, all nodes of this home together."""
        self._errors.seek(0)
        return self._errors.read().decode()

    def wait(self, wanted: Callable[[Item], bool], *, within_s: float = WAIT_S) -> Item:
        """Give the next result that is wanted; those before it are passed over, in order."""
        ends = time.monotonic() + within_s
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, ends - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"it did not come; {self.seen[-20:]}\n{self.log}") from None
            if line is None:
                raise Ended(f"the node ended: {self.process.wait()} {self.log}")
            self._peer.printed.append(line)
            item: Item = json.loads(line)
            assert item.get("event", "ready") in ("ready", *EVENT_KINDS), item  # the list is closed
            self.seen.append(item)
            if wanted(item):
                return item

    def event(self, kind: str, **fields: object) -> Item:
        """Wait for an event of that kind with these fields."""
        return self.wait(
            lambda item: (
                item["event"] == kind
                and all(item.get(name) == value for name, value in fields.items())
            )
        )

    def kill(self) -> None:
        """End it as a power cut would; nothing if it has ended."""
        self.process.kill()
        self._end()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end; gives its exit code."""
        self.process.send_signal(number)
        code = self.process.wait(WAIT_S)
        self._end()
        return code

    def _end(self) -> None:
        self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        if not self._errors.closed:
            log = self.log
            self._peer.printed.append(log)
            self._errors.close()
            assert self.process.stdout is not None
            self.process.stdout.close()
            assert "Traceback" not in log, log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self._end()
