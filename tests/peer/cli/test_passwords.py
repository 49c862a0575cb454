from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from peer.cli import recovery
from peer.cli.exit_codes import Failure
from peer.cli.passwords import VARIABLE, PasswordSource
from tests.harness.terminal import type_at


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"secret", "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\n\n", "secret\n"),
        (b" se cret ", " se cret "),
        ("pässwört\n".encode(), "pässwört"),
    ],
)
def test_a_password_file_loses_one_newline_and_nothing_else(
    tmp_path: Path, content: bytes, password: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    assert PasswordSource(str(file)).demand() == password


@pytest.mark.parametrize(
    ("content", "code"), [(b"\xff\xfe", "text-invalid"), (b"x" * 70_000, "password-too-long")]
)
def test_a_file_that_holds_no_password_is_refused(
    tmp_path: Path, content: bytes, code: str
) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    with pytest.raises(Failure) as caught:
        PasswordSource(str(file))()
    assert caught.value.code == code


@pytest.mark.parametrize("name", ["missing", ".", "a\0b"])
def test_a_password_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Failure) as caught:
        PasswordSource(name)()
    assert caught.value.code == "password-needed"


def test_the_environment_gives_the_password_and_a_file_goes_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "from environment")
    assert PasswordSource(None).demand() == "from environment"
    file = tmp_path / "password"
    file.write_text("from file")
    assert PasswordSource(str(file)).demand() == "from file"


def test_without_a_way_to_have_one_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        source = PasswordSource(None)
        assert source() is None
        with pytest.raises(Failure) as caught:
            source.demand()
    assert caught.value.code == "password-needed"


def test_a_repr_says_nothing_of_the_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse")
    source = PasswordSource(str(file))
    source()
    assert "horse" not in repr(source)


PROMPT = """
import fcntl, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # the terminal is this session's own: Ctrl-C comes from it
from peer.cli.exit_codes import Failure, guard
from peer.cli.passwords import PasswordSource
before = termios.tcgetattr(0)
def body():
    print("got", PasswordSource(None, is_new=True).demand())
code = guard(body, is_json=lambda: False, log=lambda details: "")
print("restored", termios.tcgetattr(0) == before, "code", code)
"""


def prompted(*typed: tuple[str, bytes]) -> str:
    """Run PROMPT in a terminal of its own; gives what was shown."""
    session = type_at([sys.executable, "-c", PROMPT], *typed)
    assert session.echoes
    return session.shown


def test_a_prompt_asks_twice_and_echoes_nothing() -> None:
    shown = prompted(("Password: ", b"sesame open\n"), ("again: ", b"sesame open\n"))
    assert shown.count("sesame") == 1
    assert "got sesame open" in shown
    assert "restored True code 0" in shown


def test_two_passwords_that_differ_are_refused() -> None:
    shown = prompted(("Password: ", b"sesame open\n"), ("again: ", b"sesame close\n"))
    assert "error: password-weak: the two passwords differ; type it again" in shown
    assert "restored True code 1" in shown


def test_an_interrupted_prompt_restores_the_echo() -> None:
    shown = prompted(("Password: ", b"\x03"))
    assert "error: interrupted" in shown
    assert "restored True code 130" in shown


UNNOTICED = """
import os, signal, threading
main = threading.get_native_id()
def strike():
    while True:  # until the prompt waits in read(2): only such a call begins with a small number, a descriptor
        with open(f"/proc/self/task/{main}/syscall") as file:
            words = file.read().split()
        if len(words) > 1 and int(words[1], 16) < 64:
            break
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)  # noted, but it does not end that call
threading.Thread(target=strike, daemon=True).start()
"""


@pytest.mark.skipif(not Path("/proc/self/syscall").exists(), reason="only Linux tells what waits")
def test_a_signal_that_comes_just_before_the_prompt_waits_ends_it_all_the_same() -> None:
    session = type_at([sys.executable, "-c", UNNOTICED + PROMPT])
    assert "error: interrupted" in session.shown
    assert "restored True code 130" in session.shown


def test_a_prompt_that_ends_gives_password_needed() -> None:
    shown = prompted(("Password: ", b"\x04"))
    assert "error: password-needed" in shown


def test_a_recovery_key_file_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "recovery"
    made = recovery.key(str(file), may_make=True)
    assert made is not None
    assert len(bytes.fromhex(made)) == 16
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert recovery.key(str(file), may_make=True) == made
    assert recovery.key(str(file), may_make=False) == made
    assert recovery.key(None, may_make=True) is None


@pytest.mark.parametrize("content", [b"", b"xyz", b"ab" * 15, b"ab" * 17, b"\xff" * 32])
def test_a_file_without_a_recovery_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "recovery"
    file.write_bytes(content)
    with pytest.raises(Failure) as caught:
        recovery.key(str(file), may_make=True)
    assert caught.value.code == "text-invalid"


def test_a_missing_recovery_key_is_named_at_login(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        recovery.key(str(tmp_path / "none"), may_make=False)
    assert caught.value.code == "no-such-file"
    with pytest.raises(Failure) as caught:
        recovery.key(str(tmp_path), may_make=False)
    assert caught.value.code == "file-unreadable"


def test_stdin_gives_the_password_when_the_file_is_a_dash() -> None:
    program = "from peer.cli.passwords import PasswordSource; print(PasswordSource('-').demand())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=b"from stdin\n",
        capture_output=True,
        timeout=90,
        check=True,
    )
    assert done.stdout == b"from stdin\n"
