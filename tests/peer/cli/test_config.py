"""`config` and `accept-policy` in a home that no node serves: what is understood, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from peer.cli import main, render

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a local account; what one test sets, it takes back."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOBNOB_PASSWORD", PASSWORD)
        assert main.main(["--home", str(home), "register", "tom", "--unsealed"]) == 0
    return home


def run(capfd: pytest.CaptureFixture[str], home: Path, *words: str) -> tuple[int, str, str]:
    code = main.main(["--home", str(home), *words])
    told = capfd.readouterr()
    return code, told.out, told.err


def test_the_list_is_a_table_for_people_and_objects_for_scripts(
    capfd: pytest.CaptureFixture[str], home: Path
) -> None:
    capfd.readouterr()
    code, out, _ = run(capfd, home, "config", "list")
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(line.split()[0] for line in lines)
    assert lines[1].split()[:2] == ["accept.policy", "ask"]
    code, out, _ = run(capfd, home, "config", "list", "--json")
    items = [json.loads(line) for line in out.splitlines()]
    assert [item["key"] for item in items] == [line.split()[0] for line in lines]
    assert {tuple(item) for item in items} == {("key", "value", "default", "help", "friend")}


def test_a_setting_is_set_shown_and_taken_back(
    capfd: pytest.CaptureFixture[str], home: Path
) -> None:
    assert run(capfd, home, "config", "set", "bandwidth.up", "2mib/s")[1] == (
        "bandwidth.up is 2MiB/s\n"
    )
    assert run(capfd, home, "config", "get", "bandwidth.up") == (0, "2MiB/s\n", "")
    assert "default off" in run(capfd, home, "config", "list")[1]
    assert (
        run(capfd, home, "config", "set", "bandwidth.up", "default")[1] == "bandwidth.up is off\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ask"], "offers of everybody wait for your answer"),
        (["auto"], "offers of everybody are taken without asking"),
        (
            ["auto", "--types", "*.jpg", "--max-size", "5mb"],
            "offers of everybody are taken without asking, up to 5MB, if all files match *.jpg",
        ),
        (["never"], "offers of everybody are refused without asking"),
    ],
)
def test_a_policy_is_said_in_words(
    capfd: pytest.CaptureFixture[str], home: Path, words: list[str], said: str
) -> None:
    assert run(capfd, home, "accept-policy", *words) == (0, f"{said}\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["config"], "list, get, set"),
        (["config", "show"], "see: hobnob config --help"),
        (["config", "get"], "KEY"),
        (["config", "get", "bandwidth.upp"], "config-invalid: there is no setting 'bandwidth.upp', did you mean"),
        (["config", "set", "accept.policy"], "VALUE"),
        (["config", "set", "accept.policy", "x"], "ask, auto or never, not 'x'"),
        (["accept-policy"], "ask|auto|never"),
        (["accept-policy", "autos"], "there is no policy 'autos'"),
        (["accept-policy", "bob", "carol", "auto"], "auto"),
        (["accept-policy", "never", "--types", "*"], "bound auto, not never"),
    ],
)  # fmt: skip
def test_wrong_usage_is_named(
    capfd: pytest.CaptureFixture[str], home: Path, words: list[str], said: str
) -> None:
    code, out, complaint = run(capfd, home, *words)
    assert (code, out) == (2, "")
    assert complaint.startswith(("error: usage: ", "error: config-invalid: "))
    assert said in complaint


def test_what_is_refused_otherwise_keeps_its_code(
    capfd: pytest.CaptureFixture[str], home: Path, tmp_path: Path
) -> None:
    code, _, complaint = run(capfd, home, "accept-policy", "nobody", "auto")
    assert (code, complaint.split(":")[1].strip()) == (1, "no-such-friend")
    code, _, complaint = run(capfd, tmp_path / "none", "config", "list")
    assert (code, complaint.split(":")[1].strip()) == (1, "not-registered")


def test_what_holds_for_a_friend_names_them_and_is_made_harmless() -> None:
    item: dict[str, Any] = {
        "key": "accept.policy", "value": "auto", "default": "ask", "help": "h", "friend": "bob",
    }  # fmt: skip
    assert render.setting(item) == "accept.policy is auto for bob"
    assert render.setting_row(item) == ("accept.policy", "auto", "for bob", "h")
    folder = {**item, "key": "downloads.folder", "value": "/in\x1b[2J", "friend": None}
    assert render.setting(folder) == "downloads.folder is /in\\x1b[2J"
    policy = {"friend": "bob", "policy": "never", "max_size": "off", "types": "off"}
    assert render.accept_policy(policy) == "offers of bob are refused without asking"
