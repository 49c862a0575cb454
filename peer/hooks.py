"""Hooks: a command of the person's that runs when something happens, named by `config set hooks.EVENT`.

Never through a shell: the command is split once, when it is set, and what friends wrote goes to it as a line of JSON
on its standard input and in environment variables (HOBNOB_EVENT and a few that name what happened), never into its
words. Each has HOOK_S seconds, then its whole process group is killed; at most HOOKS_AT_ONCE run and HOOKS_WAITING wait, what
comes beyond is counted and left out. Of what it prints the first HOOK_OUTPUT_BYTES go to the log. The node waits for none of
it. What a muted friend says runs nothing.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import shlex
import shutil
import signal
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from peer import api
from peer.errors import PeerError
from peer.settings.quantities import OFF
from wire import limits
from wire.codes import Code

log = logging.getLogger("peer.hooks")

KINDS = {
    "friend-offline": "when a friend went offline",
    "friend-online": "when a friend came online",
    "friend-request": "when somebody asks to be your friend",
    "message": "when a friend said something",
    "offer": "when a friend offers files",
}
"""What may run a command, each under a key `hooks.KIND`, and when that is."""

NAMED = ("id", "from", "friend", "conversation", "text", "presence", "name", "offer")
"""Fields of an event that are given as HOBNOB_NAME, too, where they are words and fit."""

Spawn = Callable[[Coroutine[Any, Any, None]], None]


def read_command(text: str) -> str:
    """Give a command's one spelling; raises ValueError for one that is none."""
    words = split(text)
    if not words or "\0" in text or len(text) > limits.HOOK_CHARS:
        raise ValueError(text)
    if not os.path.isabs(words[0]):  # noqa: PTH117 - a word, not yet a path
        raise ValueError(text)  # which one is meant must not depend on where the node was started
    return shlex.join(words)


def resolved(text: str) -> str:
    """Give a command whose program was looked up as a shell would; raises PeerError(CONFIG_INVALID)."""
    try:
        words = split(text)
    except ValueError as error:
        raise PeerError(Code.CONFIG_INVALID, f"a hook's command does not read: {error}") from error
    if not words:
        raise PeerError(Code.CONFIG_INVALID, "a hook's command is empty; off takes it back")
    found = shutil.which(os.path.expanduser(words[0]))  # noqa: PTH111 - a name, not yet a path
    if found is None or "\0" in text:
        raise PeerError(
            Code.CONFIG_INVALID,
            f"{words[0][:70]!r} is no program that can be run here",
            remedy="name one by its absolute path, and make it executable",
        )
    return shlex.join([os.path.abspath(found), *words[1:]])  # noqa: PTH100 - links stay as they are


def split(text: str) -> list[str]:
    """Give the words of a command as a shell would cut them; nothing in them has a meaning. Raises ValueError."""
    return shlex.split(text)


def kind_of(event: api.Event) -> str | None:
    """Say which hook an event of the node is for; None for none."""
    body = event.body
    if event.event == "message":
        return "message" if body.get("state") is None else None  # not our own
    if event.event == "presence":
        return "friend-offline" if body.get("presence") == "offline" else "friend-online"
    if event.event == "friend-request":
        return "friend-request"
    if event.event == "offer":
        is_new = body.get("direction") == "in" and body.get("state") == "offered"
        return "offer" if is_new else None
    return None


class Hooks:
    """Runs what is set. command: gives what is set for a kind of event of a friend, OFF for nothing; None: for nobody."""

    def __init__(
        self,
        command: Callable[[str, str], str | None],
        spawn: Spawn,
        *,
        timeout_s: float = limits.HOOK_S,
    ) -> None:
        self._command = command
        self._spawn = spawn
        self._timeout_s = timeout_s
        self._room = asyncio.Semaphore(limits.HOOKS_AT_ONCE)
        self._waiting = 0
        self._online: dict[str, bool] = {}
        self._unset: set[str] = set()  # kinds for which nothing is set
        self.dropped = 0

    def forget(self) -> None:
        """Take note that a setting changed."""
        self._unset.clear()

    def hear(self, event: api.Event) -> None:
        """Run what is set for an event, if anything is; never waits, never raises."""
        kind = kind_of(event)
        if kind is None or event.body.get("muted") or not self._is_news(kind, event):
            return
        if kind in self._unset:
            return
        friend = event.body.get("friend") or event.body.get("from")
        try:
            command = self._command(kind, str(friend))
        except PeerError:  # the database does not answer: that is said elsewhere
            return
        if command is None:
            self._unset.add(kind)
        if command in (None, OFF):
            return
        if self._waiting >= limits.HOOKS_WAITING:
            self.dropped += 1
            if self.dropped & (self.dropped - 1) == 0:  # the first, second, fourth, eighth
                log.warning("%d hooks were left out: too many wait already", self.dropped)
            return
        self._waiting += 1
        self._spawn(self._run(kind, command, event))

    def _is_news(self, kind: str, event: api.Event) -> bool:
        """Say whether somebody came or went; one who is merely busy now did neither."""
        if not kind.startswith("friend-o"):
            return True
        friend = str(event.body.get("friend"))
        is_online = kind == "friend-online"
        was_online, self._online[friend] = self._online.get(friend, False), is_online
        return was_online is not is_online

    async def _run(self, kind: str, command: str, event: api.Event) -> None:
        try:
            async with self._room:
                await self._run_one(kind, command, event)
        finally:
            self._waiting -= 1

    async def _run_one(self, kind: str, command: str, event: api.Event) -> None:
        line = json.dumps({**event.body, "event": kind}, ensure_ascii=True).encode() + b"\n"
        try:
            process = await asyncio.create_subprocess_exec(
                *split(command),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env={**_clean_environment(), **_named(kind, event)},
                cwd="/",
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            log.warning("hooks.%s did not start: %s", kind, getattr(error, "strerror", error))
            return
        try:
            async with asyncio.timeout(self._timeout_s):
                output = await _talk(process, line)
                code = await process.wait()
            if code or output:
                log.info("hooks.%s ended with %d: %r", kind, code, output)
        except TimeoutError:
            log.warning("hooks.%s was stopped after %g s", kind, self._timeout_s)
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)  # what it left behind, too
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _talk(process: asyncio.subprocess.Process, line: bytes) -> bytes:
    """Give the line to a command and read all it prints; gives the beginning of that."""
    assert process.stdin is not None
    assert process.stdout is not None
    with suppress(BrokenPipeError, ConnectionResetError):  # it does not care to read
        process.stdin.write(line)
        await process.stdin.drain()
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.close()
    kept = b""
    while chunk := await process.stdout.read(4096):
        kept = (kept + chunk)[: limits.HOOK_OUTPUT_BYTES]
    return kept


def _named(kind: str, event: api.Event) -> dict[str, str]:
    """Give the environment variables that name what happened."""
    found = {"HOBNOB_EVENT": kind}
    for name in NAMED:
        value = event.body.get(name)
        if isinstance(value, str) and len(value) <= limits.HOOK_VARIABLE_CHARS:
            shown = value.replace("\0", "")
            found[f"HOBNOB_{name.upper()}"] = shown.encode("utf-8", "replace").decode()
    return found


def _clean_environment() -> dict[str, str]:
    """Give this process's environment without what would open the key file."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HOBNOB_")}
