from __future__ import annotations

import io
import json
from argparse import Namespace
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tracker import cli
from tracker.cli import main
from tracker.config import DEFAULT_LISTEN, Config, ListenAddress, Registration
from tracker.errors import TrackerError
from tracker.output import Output
from wire.codes import Code

Served = list[tuple[Config, bool]]


def serve(words: list[str], served: Served) -> int:
    """Run the command line, and note what `serve` would run."""

    def note(arguments: Namespace, home: Path, output: Output) -> int:
        served.append((cli.configured(arguments, home), output.is_json))
        return 0

    return main(words, {**cli.VERBS, "serve": note})


@pytest.fixture
def served() -> Served:
    return []


@pytest.mark.parametrize(
    "words",
    [
        ["--home", "/h", "serve", "--json"],
        ["serve", "--home", "/h", "--json"],
        ["--json", "serve", "--home=/h"],
    ],
)
def test_common_options_stand_before_or_after_the_verb(served: Served, words: list[str]) -> None:
    assert serve(words, served) == 0
    ((config, is_json),) = served
    assert str(config.home) == "/h"
    assert is_json


def test_the_home_comes_from_the_option_the_environment_or_the_platform(
    served: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.delenv("HOBNOB_TRACKER_HOME", raising=False)
    serve(["serve"], served)
    monkeypatch.setenv("HOBNOB_TRACKER_HOME", "/from/environment")
    serve(["serve"], served)
    serve(["serve", "--home", "/from/option"], served)
    assert [str(config.home) for config, _ in served] == [
        str(tmp_path / "hobnob-tracker"),
        "/from/environment",
        "/from/option",
    ]


def test_serve_reads_all_its_options(served: Served, tmp_path: Path) -> None:
    words = f"serve --home {tmp_path} --listen 127.0.0.1:0 --listen [::1]:5 --max-peers 7"
    words += " --registration closed --limit lookups=9 --limit open-timeout-s=0.5"
    assert serve(words.split(), served) == 0
    ((config, is_json),) = served
    assert config.listen == (ListenAddress("127.0.0.1", 0), ListenAddress("::1", 5))
    assert not config.is_default_listen
    assert (config.max_peers, config.registration) == (7, Registration.CLOSED)
    assert (config.limits.lookups, config.limits.open_timeout_s) == (9, 0.5)
    assert not is_json
    serve(["serve"], served)
    config = served[1][0]
    assert (config.listen, config.is_default_listen) == (DEFAULT_LISTEN, True)
    assert config.max_peers is None


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ([], "usage", "--help"),
        (["--json"], "usage", "--help"),
        (["serv"], "usage", "did you mean 'serve'?"),
        (["--home", "x", "user"], "usage", "did you mean 'users'?"),
        (["--home"], "usage", "--help"),
        (["qwerty"], "usage", "the verbs are serve and users"),
        (["serve", "--lissten", "x"], "usage", "--help"),
        (["serve", "--reg", "open"], "usage", "--help"),
        (["serve", "extra"], "usage", "--help"),
        (["serve", "--registration", "maybe"], "usage", "--help"),
        (["serve", "--listen", "x"], "address-invalid", "write it like"),
        (["serve", "--listen", "127.0.0.1:٣٤"], "port-invalid", "65535"),
        (["serve", "--limit", "lookup=1"], "config-invalid", "did you mean lookups?"),
        (["serve", "--max-peers", "none"], "config-invalid", "--help"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    words: list[str], code: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    if "--json" in words:
        assert json.loads(line)["error"]["code"] == code
    else:
        assert line.startswith(f"error: {code}: ")
        assert hint in line


@pytest.mark.parametrize("json_too", [[], ["--json"]])
@pytest.mark.parametrize(
    "words",
    [["LONG"], ["serve", "LONG"], ["serve", "--listen", "LONG"], ["serve", "--limit", "LONG"]],
)
def test_an_error_that_quotes_an_argument_stays_a_line_that_a_person_reads(
    words: list[str], json_too: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word.replace("LONG", "x" * 100_000) for word in words] + json_too) == 2
    line = capsys.readouterr().err
    assert len(line) < 1500
    assert "[...]" in line


def test_a_home_that_nobody_can_have_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--home", "a\0b"]) == 1
    assert "home-unusable" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--help"], ["serve", "--help"], ["users", "-h"]])
def test_help_is_everywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    assert "--home DIR" in " ".join(capsys.readouterr().out.split())


def test_every_limit_can_be_found_in_the_handbook() -> None:
    from pathlib import Path

    from tracker.config import Limits

    handbook = Path(cli.__file__).with_name("OPERATING.md").read_text(encoding="utf-8")
    for limit in Limits.__struct_fields__:
        assert f"`{limit}`" in handbook


def failing(error: BaseException) -> Callable[..., Any]:
    def verb(*_: object) -> int:
        raise error

    return verb


def test_an_interruption_is_130_and_a_bug_is_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["users", "--home", str(tmp_path)]
    assert main(words, {**cli.VERBS, "users": failing(KeyboardInterrupt())}) == 130
    assert capsys.readouterr().err.startswith("error: interrupted: ")
    assert main(words, {**cli.VERBS, "users": failing(ZeroDivisionError("by\nzero"))}) == 1
    assert capsys.readouterr().err == (
        "error: internal: ZeroDivisionError: by zero; try again; if it stays, report it with the log\n"
    )


def test_users_are_printed_as_lines_or_objects(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, object]] = [
        {
            "name": "alice",
            "role": "user",
            "presence": "busy",
            "devices": 2,
            "sessions": 1,
            "registered": "2026-01-01T00:00:00.000Z",
            "last_seen": None,
        }
    ]
    assert cli.print_users(rows, Output(is_json=True)) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == rows
    assert cli.print_users(rows, Output(is_json=False)) == 0
    assert capsys.readouterr().out.split() == "alice user busy 2 devices last seen never".split()
    assert cli.print_users([{**rows[0], "devices": 1}], Output(is_json=False)) == 0
    assert "busy      1 device    last seen never" in capsys.readouterr().out


class Broken(io.StringIO):
    """An output that is full or closed."""

    def flush(self) -> None:
        raise OSError(28, "No space left on device")

    def fileno(self) -> int:
        raise OSError


def test_an_output_that_is_full_is_an_error_and_a_full_stderr_is_nobodys_fault() -> None:
    with redirect_stdout(Broken()):
        with pytest.raises(TrackerError) as caught:
            Output(is_json=True).result({}, "")
        assert caught.value.code is Code.OUTPUT_FAILED
        assert main(["--help"]) == 1
    with redirect_stderr(Broken()):
        Output(is_json=False).error(caught.value)


def test_text_that_the_terminal_lacks_is_escaped() -> None:
    raw = io.BytesIO()
    ascii_only = io.TextIOWrapper(raw, encoding="ascii")
    with redirect_stdout(ascii_only):
        Output(is_json=False).result({}, "schön")
    assert raw.getvalue() == b"sch\\xf6n\n"


def test_an_error_says_what_happened_and_what_to_do() -> None:
    error = TrackerError(Code.NAME_TAKEN)
    assert str(error) == f"name-taken: {Code.NAME_TAKEN.what}; {Code.NAME_TAKEN.remedy}"
