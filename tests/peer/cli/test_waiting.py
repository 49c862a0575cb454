"""What a verb that waits for transfers says of them: to a script, to a person, on a terminal."""

from __future__ import annotations

import io
import sys

import pytest

from peer.cli import transfer_words
from peer.cli.console import Console
from peer.cli.exit_codes import Failure
from peer.cli.progress import Waiting
from tests.peer.cli.test_files import MIB, failed, transfer


def printed(capfd: pytest.CaptureFixture[str]) -> tuple[str, str]:
    said = capfd.readouterr()
    return said.out, said.err


def test_a_script_that_waits_gets_no_line_of_the_way(capfd: pytest.CaptureFixture[str]) -> None:
    waiting = Waiting(Console(home_text=None, is_json=True))
    waiting.show(transfer())
    waiting.show(transfer(state="done"))
    waiting.finish()
    assert printed(capfd) == ("", "")


def test_a_person_without_a_terminal_is_told_how_it_ended_once(
    capfd: pytest.CaptureFixture[str],
) -> None:
    waiting = Waiting(Console(home_text=None, is_json=False))
    done = transfer(state="done", verified_bytes=64 * MIB)
    for item in (transfer(), done, done):
        waiting.show(item)
    waiting.finish()
    assert printed(capfd) == (transfer_words.transfer(done) + "\n", "")


@pytest.mark.parametrize(
    ("ended", "code"),
    [
        ({"state": "declined"}, "declined"),
        ({"state": "cancelled"}, "cancelled"),
        ({"state": "cancelled", "error": failed()}, "changed-at-sender"),
        ({"state": "failed", "error": failed()}, "changed-at-sender"),
    ],
)
def test_an_end_of_another_kind_is_a_failure_of_the_verb(
    ended: dict[str, dict[str, str] | str] | dict[str, str], code: str
) -> None:
    waiting = Waiting(Console(home_text=None, is_json=True))
    waiting.show(transfer(id="01" * 16, state="done"))
    waiting.show(transfer(**ended))
    with pytest.raises(Failure) as caught:
        waiting.finish()
    assert caught.value.code == code


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_moving_line_is_drawn_on_a_terminal_and_taken_away(
    capfd: pytest.CaptureFixture[str],
) -> None:
    kept, sys.stderr = sys.stderr, Terminal()
    try:
        with Waiting(Console(home_text=None, is_json=False)) as waiting:
            waiting.show(transfer())
            waiting.show(transfer(state="done", verified_bytes=64 * MIB))
        waiting.finish()
        drawn = sys.stderr.getvalue()
        with Waiting(Console(home_text=None, is_json=False)) as cut_short:
            cut_short.show(transfer())
        assert sys.stderr.getvalue().endswith("\r\x1b[K")
    finally:
        sys.stderr = kept
    assert drawn.startswith("\r\x1b[Kholiday  ")
    assert drawn.endswith("\r\x1b[K")
    assert "done" in capfd.readouterr().out


def test_a_person_who_waits_is_told_once_where_it_goes_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    waiting = Waiting(Console(home_text=None, is_json=False))
    for item in (transfer(), transfer(resumed_at=15 * MIB), transfer(resumed_at=15 * MIB)):
        waiting.show(item)
    assert printed(capfd) == ("", "holiday resumes at 23 %\n")
