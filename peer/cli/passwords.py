"""Where a password may come from: a prompt without echo, a file, stdin, the environment; never an argument."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from peer.cli.exit_codes import Failure
from peer.cli.prompts import ask_unseen

_MOST_BYTES = (
    64 * 1024
)  # far beyond any password: a wrong file is refused without reading all of it
VARIABLE = "HOBNOB_PASSWORD"
NEW_VARIABLE = "HOBNOB_NEW_PASSWORD"


class PasswordSource:
    """Gives the password when it is asked for, and asks a person at most once.

    file: the value of --password-file (`-` is stdin), or None. is_new: a prompt asks twice. variable: of the
    environment. prompt: what a person is asked for.
    """

    def __init__(
        self,
        file: str | None,
        *,
        is_new: bool = False,
        variable: str = VARIABLE,
        prompt: str = "Password",
    ) -> None:
        self._file = file
        self._is_new = is_new
        self._variable = variable
        self._prompt = prompt
        self._known: str | None = None

    def __repr__(self) -> str:
        """Say nothing of what it knows."""
        return "PasswordSource(...)"

    def __call__(self) -> str | None:
        """Give the password, or None if there is no way to have one."""
        if self._known is None:
            self._known = self._find()
        return self._known

    def demand(self) -> str:
        """Give the password; raises Failure `password-needed` if there is no way to have one."""
        found = self()
        if found is None:
            raise Failure("password-needed")
        return found

    def _find(self) -> str | None:
        if self._file is not None:
            return _from_file(self._file)
        if self._variable in os.environ:
            return _decoded(os.environb[self._variable.encode()], self._variable)
        if sys.stdin is None or not sys.stdin.isatty():
            return None
        return _from_prompt(self._prompt, is_new=self._is_new)


def _from_file(name: str) -> str:
    try:
        if name == "-":
            if sys.stdin is None:
                raise Failure(
                    "password-needed", "the password shall come from stdin, which is closed"
                )
            raw = sys.stdin.buffer.read(_MOST_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(_MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise Failure(
            "password-needed", f"the password file {name} cannot be read: {reason}"
        ) from error
    if len(raw) > _MOST_BYTES:
        raise Failure("password-too-long")
    return _decoded(raw, "the password file")


def _decoded(raw: bytes, where: str) -> str:
    """Give the text without one trailing newline; an editor adds one, nobody means it."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failure("text-invalid", f"the password of {where} is no UTF-8") from error
    return text.removesuffix("\n").removesuffix("\r")


def _from_prompt(prompt: str, *, is_new: bool) -> str:
    try:
        password = ask_unseen(f"{prompt}: ")
        if is_new and ask_unseen("The same again: ") != password:
            raise Failure("password-weak", "the two passwords differ", "type it again")
    except EOFError as error:
        raise Failure("password-needed") from error
    return password
