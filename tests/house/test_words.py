"""Codes, verbs, secrets: what people are told, and what nobody may be told."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from peer.api.command import Confidential
from peer.api.commands import COMMANDS
from peer.cli.verbs import VERBS, Verb
from tests.house.tree import ROOT, module_of, sources
from wire import limits
from wire.codes import Code
from wire.messages.registry import BY_NUMBER
from wire.sentences import SENTENCES

SECRET = re.compile(
    r"password|auth_seed|wrap_key|identity_seed|state_key|link_private|signing_seed|static_private|recovery_key|.*_secret"
)


def test_every_code_has_its_two_sentences_and_no_sentence_is_without_a_code() -> None:
    assert {code.value for code in Code} == set(SENTENCES)
    for code in Code:
        assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code.value)
        assert code.sent_by in {"tracker", "both", "local"}
        assert code.retry in {"never", "later", "reconnect"}
        for sentence in (code.what, code.remedy):
            assert len(sentence) > 3
            assert sentence.isprintable()
            assert not sentence.endswith(".")
            assert ";" not in sentence or sentence is code.remedy


def test_every_code_fits_in_the_message_that_carries_it() -> None:
    assert max(len(code.value) for code in Code) <= 48
    assert max(len(code.what) for code in Code) <= limits.CLOSE_TEXT_CHARS


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_every_verb_has_help(verb: Verb) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "peer", *verb.words.split(), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith(f"usage: hobnob {verb.words}")
    assert verb.summary in " ".join(done.stdout.split())


def test_every_verb_stands_in_the_documentation() -> None:
    using = (ROOT / "peer" / "USING.md").read_text()
    assert [verb.words for verb in VERBS if f"`{verb.words}" not in using] == []


def test_every_code_and_every_event_stands_in_the_documentation() -> None:
    from peer.api import EVENT_KINDS

    using = (ROOT / "peer" / "USING.md").read_text()
    for code in Code:
        assert f"| `{code.value}` | {code.what} | {code.remedy} |" in using
    assert [kind for kind in ("ready", *EVENT_KINDS) if f"| `{kind}` |" not in using] == []


def test_one_number_is_one_message_and_one_message_one_number() -> None:
    numbers: dict[int, str] = {}
    for table in BY_NUMBER.values():
        for number, message in table.items():
            assert numbers.setdefault(number & 0x7FFF, message.__name__) == message.__name__
    assert len(set(numbers.values())) == len(numbers)


def structures() -> list[type]:
    """Every dataclass and struct of the three packages."""
    found = []
    for path in sources("wire", "tracker", "peer"):
        name = module_of(path)
        if name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        for _, cls in inspect.getmembers(module, inspect.isclass):
            if cls.__module__ == name and (
                dataclasses.is_dataclass(cls) or issubclass(cls, msgspec.Struct)
            ):
                found.append(cls)
    return found


def test_a_command_with_a_secret_shows_nothing_of_what_it_holds() -> None:
    kinds = [kind for kind in COMMANDS.values() if issubclass(kind, Confidential)]
    assert kinds != []
    for kind in kinds:
        held = kind(**dict.fromkeys(kind.__struct_fields__, "seven purple owls"))
        assert repr(held) == f"{kind.__name__}(...)"


@pytest.mark.parametrize("cls", structures(), ids=lambda cls: f"{cls.__module__}.{cls.__name__}")
def test_no_secret_stands_in_a_repr(cls: Any) -> None:
    if dataclasses.is_dataclass(cls):
        own = "__repr__" in vars(cls) and not vars(cls)["__dataclass_params__"].repr
        shown = [
            field.name
            for field in dataclasses.fields(cls)
            if field.repr and SECRET.fullmatch(field.name)
        ]
        assert own or shown == []
    else:
        secret = [name for name in cls.__struct_fields__ if SECRET.fullmatch(name)]
        draws = next(above for above in cls.__mro__ if "__repr__" in vars(above))
        assert secret == [] or "__repr__" in vars(cls) or draws is Confidential


def test_the_message_that_say_reads_from_stdin_may_be_as_long_as_any() -> None:
    from peer.cli.commands import say

    assert say._MESSAGE_BYTES == limits.MESSAGE_BYTES


def test_starting_the_program_costs_a_person_no_wait() -> None:
    """`hobnob --help` within 80 ms; the least of five, in the processor's time, as other tests run beside."""
    code = (
        "import os, subprocess, sys\n"
        "def once():\n"
        "    words = [sys.executable, '-m', 'peer', '--help']\n"
        "    child = subprocess.Popen(words, stdout=subprocess.DEVNULL)\n"  # kept: else it may wait first
        "    used = os.wait4(child.pid, 0)[2]\n"
        "    return used.ru_utime + used.ru_stime\n"
        "print(min(once() for _ in range(5)))\n"
    )
    environment = {"PATH": "/usr/bin:/bin"}  # no coverage in the child
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=environment,
    )
    assert float(done.stdout) < 0.080


def test_the_tables_of_the_documentation_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "tables.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")
