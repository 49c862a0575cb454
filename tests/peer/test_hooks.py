"""Hooks: real commands that run, what they are given, and that none of it holds the node up."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from peer import api, hooks
from peer.errors import PeerError
from peer.hooks import Hooks
from wire import limits
from wire.codes import Code

SHOW = """
import json, os, sys
from pathlib import Path
said = {name: value for name, value in os.environ.items() if name.startswith("HOBNOB_")}
with Path(sys.argv[1]).open("a") as file:
    file.write(json.dumps([said, json.loads(sys.stdin.readline()), sys.argv[2:]]) + "\\n")
"""
NASTY = "$(touch /tmp/x); `id` \"' \n\x00 \x1b[31m --option"


def message(**fields: object) -> api.Event:
    given: dict[str, object] = {"id": "ab" * 32, "from": "bob", "text": "hello", "state": None}
    return api.Event("message", given | fields)


def presence(shown: str, friend: str = "bob") -> api.Event:
    return api.Event("presence", {"friend": friend, "presence": shown})


def command_of(folder: Path, code: str, *words: str) -> str:
    script = folder / "hook.py"
    script.write_text(code)
    return hooks.resolved(" ".join([sys.executable, str(script), *words]))


async def run(set_: dict[str, str], *events: api.Event, timeout_s: float = 20.0) -> Hooks:
    """Let a node's hooks hear events, and wait until everything they started has ended."""
    async with asyncio.TaskGroup() as group:

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            group.create_task(work)

        heard = Hooks(lambda kind, _friend: set_.get(kind), spawn, timeout_s=timeout_s)
        for event in events:
            heard.hear(event)
    return heard


async def test_a_command_is_given_what_happened_as_data_alone(tmp_path: Path) -> None:
    out = tmp_path / "out"
    await run({"message": command_of(tmp_path, SHOW, str(out), "'two words'")}, message(text=NASTY))
    [(said, line, words)] = map(json.loads, out.read_text().splitlines())
    assert words == ["two words"]
    assert (line["text"], line["event"], line["from"]) == (NASTY, "message", "bob")
    assert said["HOBNOB_EVENT"] == "message"
    assert said["HOBNOB_TEXT"] == NASTY.replace("\0", "")
    assert "HOBNOB_PASSWORD" not in said


async def test_own_and_muted_messages_run_nothing_nor_does_what_is_not_set(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = command_of(tmp_path, SHOW, str(out))
    await run({"message": command}, message(state="queued"), message(muted=True), presence("busy"))
    assert not out.exists()


async def test_a_friend_comes_online_once_however_often_their_mood_changes(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = command_of(tmp_path, SHOW, str(out))
    moods = ("available", "busy", "away", "offline", "offline", "available")
    await run({"friend-online": command}, *map(presence, moods))
    lines = [json.loads(line)[1] for line in out.read_text().splitlines()]
    assert sorted(line["presence"] for line in lines) == ["available", "available"]


async def test_one_that_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    child = "import signal; signal.pause()"
    code = f"import signal, subprocess, sys\nsubprocess.Popen([sys.executable, '-c', '{child}'])\nsignal.pause()"
    loop = asyncio.get_running_loop()
    began = loop.time()
    await run({"message": command_of(tmp_path, code)}, message(), timeout_s=0.5)
    assert loop.time() - began < 60


async def test_what_it_prints_is_read_to_its_end_and_kept_in_part(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "peer.hooks")
    await run({"message": command_of(tmp_path, "print('x' * 1_000_000)")}, message())
    [record] = caplog.records
    assert limits.HOOK_OUTPUT_BYTES <= len(record.getMessage()) < limits.HOOK_OUTPUT_BYTES + 100


async def test_one_that_reads_nothing_or_fails_does_no_harm(tmp_path: Path) -> None:
    await run({"message": command_of(tmp_path, "raise SystemExit(3)")}, message(text="y" * 65_536))
    await run({"message": "/no/such/program"}, message())


async def test_a_flood_of_events_is_bounded() -> None:
    heard = await run({"message": "/bin/true"}, *[message()] * (limits.HOOKS_WAITING + 10))
    assert heard.dropped == 10


@pytest.mark.parametrize(
    "text", ["", "   ", "'unbalanced", "no-such-program-anywhere x", "/etc/passwd", "/", "a\0b"]
)
def test_a_command_that_cannot_run_is_refused_when_it_is_set(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        hooks.resolved(text)
    assert caught.value.code is Code.CONFIG_INVALID


@pytest.mark.parametrize("text", ["relative/x", "'", "", "/x " + "y" * limits.HOOK_CHARS])
def test_what_is_kept_is_absolute_and_short(text: str) -> None:
    with pytest.raises(ValueError):
        hooks.read_command(text)


def test_a_program_is_looked_up_once_and_its_words_are_kept() -> None:
    assert hooks.resolved("true 'a b' $HOME").endswith("/true 'a b' '$HOME'")
