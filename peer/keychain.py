"""The platform's keyring, where one answers: it keeps the keys that key files are sealed with.

The package `keyring` (the extra `hobnob[keyring]`) speaks to the Secret Service, KWallet, the keychain of macOS or
Windows' credentials. Headless machines have none. A keyring that keeps what it is given in clear is not asked,
unless a person chose it by PYTHON_KEYRING_BACKEND or keyring's own configuration. It may ask its owner first, so it
gets PATIENCE_S; whatever it raises means that it does not answer.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar, cast

log = logging.getLogger("peer.keychain")

SERVICE = "hobnob"
PATIENCE_S = 60.0
RECOMMENDED = 1.0
"""The least priority of a keyring that is safe to take unasked, as the package has it."""

AnswerT = TypeVar("AnswerT")


class NoAnswer(Exception):
    """No keyring gave what was asked for; its text says why, for a person."""


class _Keyring(Protocol):
    priority: float

    def get_password(self, service: str, username: str) -> str | None: ...
    def set_password(self, service: str, username: str, password: str) -> None: ...
    def delete_password(self, service: str, username: str) -> None: ...


def keep(place: str, key: bytes) -> bool:
    """Have the keyring keep a key, and see that it gives it back; False where none does.

    place: what it is called there. key: secret.
    """
    try:
        _ask(lambda keyring: keyring.set_password(SERVICE, place, key.hex()))
        return fetch(place) == key
    except NoAnswer as error:
        log.info("no keyring keeps the key: %s", error)
        return False


def fetch(place: str) -> bytes:
    """Give a key that is kept; raises NoAnswer."""
    found = _ask(lambda keyring: keyring.get_password(SERVICE, place))
    if found is None:
        raise NoAnswer("the keyring does not have this home's key")
    try:
        return bytes.fromhex(found)
    except ValueError as error:
        raise NoAnswer("what the keyring has is no key of ours") from error


def forget(place: str) -> None:
    """Have the keyring forget a key, if it can."""
    try:
        _ask(lambda keyring: keyring.delete_password(SERVICE, place))
    except NoAnswer as error:
        log.info("the keyring forgets nothing: %s", error)


def _is_chosen() -> bool:
    """Say whether a person named a keyring for programs like this one."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return (
        "PYTHON_KEYRING_BACKEND" in os.environ
        or (config / "python_keyring" / "keyringrc.cfg").exists()
    )


def _may_answer() -> bool:
    """Say whether it is worth a look: without a session's bus no keyring of Linux does, and looking takes a while."""
    if not sys.platform.startswith("linux") or _is_chosen():
        return True
    session = os.environ.get("XDG_RUNTIME_DIR")
    return "DBUS_SESSION_BUS_ADDRESS" in os.environ or (
        session is not None and (Path(session) / "bus").exists()
    )


def _keyring() -> _Keyring:
    if not _may_answer():
        raise NoAnswer("this machine has no keyring that a session opened")
    try:
        package = importlib.import_module("keyring")
    except ImportError as error:
        raise NoAnswer(
            "the package keyring is not installed: pip install 'hobnob[keyring]'"
        ) from error
    found = cast("_Keyring", package.get_keyring())
    if found.priority < RECOMMENDED and not _is_chosen():
        raise NoAnswer("this machine has no keyring that keeps secrets secret")
    return found


def _ask(question: Callable[[_Keyring], AnswerT]) -> AnswerT:
    """Ask in a thread of its own that nobody waits for longer than PATIENCE_S; raises NoAnswer."""
    given: list[AnswerT] = []
    why: list[str] = []

    def ask() -> None:
        try:
            given.append(question(_keyring()))
        except NoAnswer as error:
            why.append(str(error))
        except Exception as error:  # noqa: BLE001 - backends raise whatever their platform does
            why.append(f"{type(error).__name__}: {error}".split(". ")[0][:120])

    asking = threading.Thread(target=ask, name="keyring", daemon=True)
    asking.start()
    asking.join(PATIENCE_S)
    if given:
        return given[0]
    raise NoAnswer(why[0] if why else f"the keyring did not answer within {PATIENCE_S:.0f} s")
