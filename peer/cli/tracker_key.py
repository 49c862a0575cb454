"""A tracker named without its key: a person is shown the key and asked once; nobody else is."""

from __future__ import annotations

from collections.abc import Callable

from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure, Misuse
from peer.cli.passwords import PasswordSource
from peer.cli.prompts import ask


def ask_with_key(
    console: Console,
    do: str,
    request: Item,
    on_item: Callable[[Item], None],
    *,
    password: PasswordSource,
) -> None:
    """Carry out Register or LogIn; where the tracker's key is missing, fetch it and let a person decide.

    Raises Failure `tracker-key-needed` with the key in its message if no person is there.
    """
    address = request["tracker"]
    if isinstance(address, str) and "#" not in address:
        request = {**request, "tracker": _confirmed(console, address)}
    console.ask(do, request, on_item, password=password)


def _confirmed(console: Console, address: str) -> str:
    import asyncio

    from peer import door

    full = asyncio.run(door.tracker_with_key(console.home, address))
    key = full.partition("#")[2]
    question = f"The tracker shows this key; compare it with what its host gave you:\n  {key}\nIs it the same? Type yes: "
    typed = None if console.is_json else ask(question)
    if typed is None:
        raise Failure(
            "tracker-key-needed",
            f"the tracker's key is missing; whoever answers there now shows {key}",
            f"if that is the host's key, use {full}",
        )
    if typed.lower() != "yes":
        raise Misuse("the key was not confirmed", "ask the tracker's host for the whole address")
    return full
