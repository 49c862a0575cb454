from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from peer.cli import exit_codes
from peer.cli.exit_codes import Failure, Misuse, OutputFailed, Terminated, guard
from peer.errors import PeerError
from wire.codes import Code
from wire.errors import RemoteProtocolError


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    kept = {
        number: signal.getsignal(number)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def run(error: BaseException | None, *, is_json: bool = False, log: str = "") -> int:
    def body() -> None:
        if error is not None:
            raise error

    return guard(body, is_json=lambda: is_json, log=lambda _details: log)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (None, 0, ""),
        (Terminated(), 0, ""),
        (KeyboardInterrupt(), 130, "error: interrupted: interrupted; run it again\n"),
        (Misuse("no", "see"), 2, "error: usage: no; see\n"),
        (Failure("locked", "shut", "open"), 1, "error: locked: shut; open\n"),
        (PeerError(Code.NOT_FRIENDS, "bob", remedy="ask"), 1, "error: not-friends: bob; ask\n"),
        (OutputFailed("full"), 1, None),
        (RemoteProtocolError(Code.LINK_CORRUPT, "a tag"), 1, None),
        (
            ExceptionGroup("g", [PeerError(Code.INTERNAL, "x", remedy="y")]),
            1,
            "error: internal: x; y\n",
        ),
        (ExceptionGroup("g", [Failure("locked", "x", "y")]), 1, "error: locked: x; y\n"),
        (ZeroDivisionError("a/b"), 1, "error: internal: ZeroDivisionError: a/b; report it\n"),
    ],
)
def test_whatever_ends_a_verb_becomes_one_line_and_a_number(
    capsys: pytest.CaptureFixture[str], error: Any, code: int, line: str | None
) -> None:
    assert run(error) == code
    err = capsys.readouterr().err
    assert line is None or err == line
    assert err.count("\n") <= 1


def test_a_code_alone_brings_its_own_sentences(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Failure("locked")) == 1
    assert capsys.readouterr().err == f"error: locked: {Code.LOCKED.what}; {Code.LOCKED.remedy}\n"


def test_as_json_an_error_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(Misuse("no", "see", code="port-invalid"), is_json=True) == 2
    error = json.loads(capsys.readouterr().err)
    assert error == {"error": {"code": "port-invalid", "message": "no", "remedy": "see"}}


def test_what_nobody_foresaw_names_the_file_with_the_details(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(ValueError("secret"), log="/home/crash.txt") == 1
    err = capsys.readouterr().err
    assert (
        err
        == "error: internal: ValueError; the details are in /home/crash.txt; report it with that file\n"
    )


def hobnob(*words: str, **settings: object) -> Any:
    return subprocess.Popen(
        [sys.executable, "-m", "peer", *words], stderr=subprocess.PIPE, **settings
    )  # type: ignore[call-overload]


def test_a_full_device_is_an_error_and_no_traceback() -> None:
    with open("/dev/full", "wb") as full, hobnob("--help", stdout=full) as process:
        _, err = process.communicate(timeout=90)
    assert process.returncode == 1
    assert err.startswith(b"error: output-failed: ")
    assert err.count(b"\n") == 1


def test_a_reader_that_went_away_is_an_error_and_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        with hobnob("--help", stdout=writing) as process:
            _, err = process.communicate(timeout=90)
    finally:
        os.close(writing)
    assert process.returncode == 1
    assert err.startswith(b"error: output-failed: ")
    assert err.count(b"\n") == 1


def test_a_closed_stdout_is_an_error_and_no_traceback() -> None:
    command = f"exec {sys.executable} -m peer --help >&-"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, timeout=90, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: output-failed: ")
    assert b"standard output is closed" in done.stderr


def test_an_ascii_locale_and_a_word_that_is_no_text_still_make_a_line() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "LC_ALL": "C"}
    with hobnob(os.fsdecode(b"s\xffy\xc3\xbc"), env=environment) as process:
        _, err = process.communicate(timeout=90)
    assert process.returncode == 2
    assert err.startswith(b"error: usage: there is no verb ")
    assert err.count(b"\n") == 1


def test_without_stderr_the_exit_code_still_tells() -> None:
    command = f"exec {sys.executable} -m peer sya 2>&-"
    assert subprocess.run(["sh", "-c", command], timeout=90, check=False).returncode == 2


def test_the_note_goes_nowhere_without_complaint_when_stderr_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    exit_codes.note("nobody hears it")


@pytest.mark.parametrize("is_json", [False, True])
def test_a_sentence_that_quotes_an_argument_stays_one_that_a_person_reads(
    capsys: pytest.CaptureFixture[str], is_json: bool
) -> None:
    assert run(Misuse(f"{'x' * 100_000} is no duration"), is_json=is_json) == 2
    line = capsys.readouterr().err
    assert len(line) < 1500
    assert "[...]" in line
    assert "x is no duration" in line
