"""A hook, a search, pages and an export between real processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.harness.actors import Peer

Friends = tuple[Peer, Peer]


def test_a_message_runs_a_command_and_is_found_paged_and_exported(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    pipe, script = tmp_path / "pipe", tmp_path / "hook"
    os.mkfifo(pipe)
    script.write_text(
        f'#!/bin/sh\nread -r line\nprintf "%s\\n%s\\n" "$HOBNOB_TEXT" "$line" > {pipe}\n'
    )
    script.chmod(0o755)
    assert bob.one("config", "set", "hooks.message", str(script))["value"] == str(script)
    refused = bob.try_to("config", "set", "hooks.message", "no-such-program-here")
    assert (refused.code, refused.error["code"]) == (2, "config-invalid")
    said = '$(touch x) "Crème brûlée" 你好吗'
    sent = alice.one("say", "bob", said, "--wait", "100")["id"]
    with pipe.open() as stream:
        text, line = stream.read().splitlines()
    assert text == json.loads(line)["text"] == said
    bob.one("config", "set", "hooks.message", "off")
    last = alice.one("say", "bob", "and another", "--wait", "100")["id"]
    for node_is_up in (True, False):
        if not node_is_up:
            assert bob.node.stop() == 0
        assert [found["id"] for found in bob.do("search", "creme", "你好")] == [sent]
        assert [one["id"] for one in bob.do("history", "alice", "--before", last)][-1] == sent
        assert bob.do("history", "alice", "--before", "1999-01-01") == []
        wrong = bob.try_to("history", "alice", "--before", "2026-13-45")
        assert (wrong.code, wrong.error["code"]) == (1, "date-invalid")
        file = tmp_path / f"talk-{node_is_up}.html"
        bob.one("history", "alice", "--export", str(file), "--format", "html")
        assert "$(touch x) &quot;Crème brûlée&quot; 你好吗" in file.read_text(encoding="utf-8")
