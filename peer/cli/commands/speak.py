"""`hobnob edit`, `delete`, `react`, `pin`, `unpin`, `forward`: what can be done with what was said."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import quantities
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.commands.say import text_of
from peer.cli.console import Console, Item
from peer.cli.plain import clean


def _declare(arguments: Arguments) -> None:
    arguments.add_argument(
        "id", metavar="ID", help="the message's id, or the first 8 or more characters of it"
    )


def _declare_rest(arguments: Arguments) -> None:
    arguments.add_argument(
        "--wait", metavar="SECONDS", help="stay until it is delivered or the time is over"
    )
    add_password_file(arguments)


def declare_edit(arguments: Arguments) -> None:
    """Declare the verb's options."""
    _declare(arguments)
    arguments.add_argument(
        "text", metavar="TEXT", help="what it shall say, as one argument; - reads it from stdin"
    )
    _declare_rest(arguments)


def run_edit(console: Console, options: Namespace) -> None:
    """Let an own message read otherwise."""
    _change(console, options, "EditText", {"text": text_of(options)}, "edited")


def declare_delete(arguments: Arguments) -> None:
    """Declare the verb's options."""
    _declare(arguments)
    _declare_rest(arguments)


declare_pin = declare_unpin = declare_delete


def run_delete(console: Console, options: Namespace) -> None:
    """Ask everybody to drop an own message."""
    _change(console, options, "DeleteText", {}, "deleted")


def run_pin(console: Console, options: Namespace) -> None:
    """Keep a line in sight of everybody in its conversation."""
    _change(console, options, "PinText", {"is_pinned": True}, "pinned")


def run_unpin(console: Console, options: Namespace) -> None:
    """End that."""
    _change(console, options, "PinText", {"is_pinned": False}, "unpinned")


def declare_react(arguments: Arguments) -> None:
    """Declare the verb's options."""
    _declare(arguments)
    arguments.add_argument(
        "mark", metavar="EMOJI", help="one emoji; the same again, or '', takes it back"
    )
    _declare_rest(arguments)


def run_react(console: Console, options: Namespace) -> None:
    """Put an emoji on a line."""
    _change(console, options, "React", {"mark": options.mark}, "reacted to")


def declare_forward(arguments: Arguments) -> None:
    """Declare the verb's options."""
    _declare(arguments)
    arguments.add_argument("to", metavar="TO", help="the friend who shall have it")
    _declare_rest(arguments)


def run_forward(console: Console, options: Namespace) -> None:
    """Say the words of a message to somebody else."""
    console.ask(
        "ForwardText",
        {"id": options.id, "to": options.to, "wait_s": _wait_s(options)},
        lambda item: console.emit(item, f"{clean(item['state'])}  {clean(item['id'])[:12]}"),
        password=password_of(options),
    )


def _change(console: Console, options: Namespace, do: str, request: Item, done: str) -> None:
    def show(item: Item) -> None:
        state = clean(item["state"]) if item["state"] else "as it was"
        console.emit(item, f"{done} {clean(item['id'])[:12]}  ({state})")

    console.ask(
        do,
        {"id": options.id, **request, "wait_s": _wait_s(options)},
        show,
        password=password_of(options),
    )


def _wait_s(options: Namespace) -> float | None:
    return quantities.duration(options.wait) if options.wait is not None else None
