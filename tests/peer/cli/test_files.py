"""The verbs about files as far as no node is needed: what is understood, what is printed, what stdin gives."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peer import api
from peer.cli import main, render, spool, transfer_words
from peer.cli.exit_codes import Failure
from peer.transfers.streams import Streams
from wire.ids import OfferId

MIB = 1024 * 1024


def transfer(**changed: Any) -> dict[str, Any]:
    fields: dict[Any, Any] = {
        "id": "ab" * 16,
        "offer": "cd" * 16,
        "direction": "in",
        "friend": "alice",
        "name": "holiday",
        "saved_as": None,
        "files": 3,
        "files_done": 1,
        "skipped": [],
        "place": None,
        "bytes": 64 * MIB,
        "verified_bytes": 16 * MIB,
        "resent_bytes": 0,
        "rate": None,
        "eta": None,
        "state": "running",
        "reason": None,
        "path": None,
        "error": None,
        "resumed_at": None,
        "sources": [],
    }
    shown = {**fields, **changed}
    assert shown.keys() == set(api.Transfer.__struct_fields__)
    return shown


def source(friend: str, **changed: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"device": "12" * 16, "path": "direct", "bytes": MIB, "error": None}
    return {"friend": friend, **fields, **changed}


def offer(**changed: Any) -> dict[str, int | str]:
    fields = {
        "offer": "cd" * 16,
        "direction": "in",
        "conversation": "ef" * 32,
        "friend": "alice",
        "from": "alice",
        "name": "holiday",
        "files": 3,
        "bytes": 64 * MIB,
        "state": "offered",
        "at": "2026-11-21T06:00:00.000Z",
    }
    return {**fields, **changed}


def failed(message: Any = "changed") -> Any:
    return {"code": "changed-at-sender", "message": message, "remedy": "ask"}


# --- what is understood


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["send"], "TO[,TO...]"),
        (["send", "bob"], "PATH"),
        (["send", ",", "x"], "nobody is named"),
        (["send", "bob", "x", "--timeout", "3"], "--timeout bounds --wait"),
        (["send", "bob", "x", "--wait", "--timeout", "soon"], "duration"),
        (["send", "bob", "-"], "--name"),
        (["send", "bob", "-", "-", "--name", "x"], "once"),
        (["send", "bob", "-", "--name", "x", "--password-file", "-"], "stdin"),
        (["accept"], "OFFER"),
        (["accept", "abc", "def"], "def"),
        (["decline", "--to", "x", "abc"], "--to"),
        (["offers", "all"], "all"),
        (["transfers", "--folow"], "--follow"),
        (["sned", "bob", "x"], "send"),
        (["acept", "abc"], "accept"),
    ],
)
def test_wrong_usage_is_named(
    words: list[str], said: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main.main(["--home", str(tmp_path / "home"), *words]) == 2
    complaint = capfd.readouterr().err
    assert complaint.startswith("error: usage: ")
    assert said in complaint
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("verb", ["send", "offers", "accept", "decline", "transfers"])
def test_every_verb_about_files_explains_itself(
    verb: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main.main([verb, "--help"]) == 0
    out = capfd.readouterr().out
    assert out.startswith(f"usage: hobnob {verb}")


# --- what is printed


def test_an_offer_is_one_line() -> None:
    assert (
        render.offer(offer()) == "cdcdcdcdcdcd  offered    from alice  holiday  (3 files, 64.0 MiB)"
    )
    hostile = offer(name="a\x1b[2J\nb", direction="out", files=1, bytes=1)
    line = render.offer(hostile)
    assert line == "cdcdcdcdcdcd  offered    to alice  a\\x1b[2J\\x0ab  (1 file, 1 byte)"


@pytest.mark.parametrize(
    ("changed", "tail"),
    [
        ({}, "25 % of 64.0 MiB  1 of 3 files"),
        ({"files": 1, "files_done": 0}, "25 % of 64.0 MiB"),
        (
            {"rate": 16.0 * MIB, "path": "direct"},
            "25 % of 64.0 MiB  1 of 3 files  16.0 MiB/s  3 s left  direct",
        ),
        (
            {"path": "direct", "sources": [source("bob"), source("carol", bytes=3 * MIB)]},
            "25 % of 64.0 MiB  1 of 3 files  direct  2 sources: bob 1.0 MiB, carol 3.0 MiB",
        ),
        (
            {"sources": [source("bob"), source("eve\n", path=None, error="verification-failed")]},
            "25 % of 64.0 MiB  1 of 3 files  not asked any more: eve\\x0a (verification-failed)",
        ),
        ({"resumed_at": 16 * MIB - 1}, "25 % of 64.0 MiB  1 of 3 files  resumes at 24 %"),
        (
            {"state": "waiting", "reason": "space"},
            "25 % of 64.0 MiB  1 of 3 files  waits for free space",
        ),
        (
            {"state": "waiting", "reason": "slot", "place": 3},
            "25 % of 64.0 MiB  1 of 3 files  waits for its turn (place 3)",
        ),
        ({"state": "waiting", "reason": "moon\n"}, "25 % of 64.0 MiB  1 of 3 files  moon\\x0a"),
        (
            {
                "state": "done",
                "files_done": 3,
                "verified_bytes": 64 * MIB,
                "saved_as": "/srv/in/holiday",
            },
            "100 % of 64.0 MiB  saved as /srv/in/holiday",
        ),
        (
            {"state": "failed", "error": failed()},
            "25 % of 64.0 MiB  1 of 3 files  changed-at-sender: changed; ask",
        ),
        ({"bytes": 0, "verified_bytes": 0}, "0 % of 0 bytes  1 of 3 files"),
        ({"bytes": 0, "verified_bytes": 0, "files_done": 3, "state": "done"}, "100 % of 0 bytes"),
        ({"verified_bytes": 64 * MIB - 1}, "99 % of 64.0 MiB  1 of 3 files"),
    ],
)
def test_a_transfer_is_one_line_that_promises_no_more_than_is_verified(
    changed: dict[str, dict[str, str] | str]
    | dict[str, float | str]
    | dict[str, int | str]
    | dict[str, int]
    | dict[str, str],
    tail: str,
) -> None:
    item = transfer(**changed)
    head = f"abababababab  {item['state']:<9}  from alice  holiday  "
    assert transfer_words.transfer(item) == head + tail


def test_progress_has_a_bar_where_there_is_room_and_fits_where_there_is_none() -> None:
    running = transfer(rate=16.0 * MIB, path="punched")
    assert transfer_words.progress([running], 120) == (
        "holiday  [#######.......................]   25 %  16.0 MiB of 64.0 MiB  1 of 3 files"
        "  16.0 MiB/s  3 s left  punched"
    )
    still = transfer(rate=0.0, path="direct")
    assert transfer_words.progress([still], 120).endswith("1 of 3 files  stands still  direct")
    for width in range(1, 120):
        assert len(transfer_words.progress([running], width)) <= width


def test_progress_of_several_is_their_sum() -> None:
    two = [transfer(), transfer(verified_bytes=48 * MIB, bytes=64 * MIB)]
    assert " 50 %  64.0 MiB of 128.0 MiB" in transfer_words.progress(two, 100)
    two[0]["path"], two[1]["path"] = "relayed", "direct"
    assert transfer_words.progress(two, 100).endswith("  direct  relayed")
    waits = transfer(state="waiting", reason="friend", verified_bytes=0)
    assert transfer_words.progress([waits], 100).endswith(
        "0 bytes of 64.0 MiB  1 of 3 files  waits for the friend"
    )


# --- what stdin gives


def asked(home: Path) -> Any:
    """A console as it is used here."""
    return Namespace(home=home)


class Stream:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


@pytest.fixture
def from_stdin() -> Iterator[Callable[..., Any]]:
    kept = sys.stdin

    def give(content: bytes | None) -> None:
        sys.stdin = Stream(content) if content is not None else None

    yield give
    sys.stdin = kept


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def test_what_stdin_gives_is_kept_privately_under_its_name(
    home: Path, from_stdin: Callable[..., Any]
) -> None:
    from_stdin(b"x" * (3 * MIB))
    held = spool.keep_stdin(asked(home), "notes.txt")
    assert held.path.name == "notes.txt"
    assert held.path.stat().st_size == 3 * MIB
    assert held.path.stat().st_mode & 0o077 == 0
    assert held.path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/abs", "a\0b"])
def test_a_name_that_is_no_name_of_a_file_is_refused_before_anything_is_read(
    home: Path, from_stdin: Callable[..., Any], name: str
) -> None:
    from_stdin(b"content")
    with pytest.raises(Failure) as caught:
        spool.keep_stdin(asked(home), name)
    assert caught.value.code == "name-unsafe"
    assert list(home.iterdir()) == []


def test_a_closed_stdin_and_a_missing_home_are_named(
    home: Path, from_stdin: Callable[..., Any], tmp_path: Path
) -> None:
    from_stdin(None)
    with pytest.raises(Failure) as caught:
        spool.keep_stdin(asked(home), "x")
    assert caught.value.code == "nothing-to-send"
    from_stdin(b"content")
    with pytest.raises(Failure) as caught:
        spool.keep_stdin(asked(tmp_path / "nowhere"), "x")
    assert caught.value.code == "not-registered"
    assert not (tmp_path / "nowhere").exists()


def test_a_name_that_the_disk_does_not_take_leaves_nothing(
    home: Path, from_stdin: Callable[..., Any]
) -> None:
    from_stdin(b"content")
    with pytest.raises(Failure) as caught:
        spool.keep_stdin(asked(home), "x" * 300)
    assert caught.value.code == "name-too-long"
    assert list((home / "stdin").iterdir()) == []


def test_a_stream_that_was_never_offered_goes_at_once(
    home: Path, from_stdin: Callable[..., Any]
) -> None:
    from_stdin(b"content")
    held = spool.keep_stdin(asked(home), "x")
    Streams(home / "stdin").note([held.path], OfferId(bytes(16)))
    held.drop_unless_offered()
    assert held.path.exists()
    Streams(home / "stdin").forget(OfferId(bytes(16)))
    held.drop_unless_offered()
    assert not held.path.exists()


def test_results_have_the_fields_of_the_contract() -> None:
    made = api.as_json(api.OfferMade("cd" * 16, 3, 5, []))
    assert {"offer", "files", "bytes"} <= made.keys()
    shown = api.Offer("cd", "in", "ef", "alice", "alice", "x", 1, 2, "offered", "now")
    fields = {"offer", "direction", "conversation", "from", "name", "files", "bytes", "state"}
    assert fields <= api.as_json(shown).keys()
    assert json.loads(json.dumps(transfer())) == transfer()
