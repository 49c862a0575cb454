"""`hobnob presence`, `busy`, `free`: what friends see."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import quantities
from peer.cli.arguments import Arguments, nearest_of
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.plain import clean

CHOICES = ("available", "away", "busy", "invisible")


def declare_presence(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "presence", metavar="|".join(CHOICES), help="what friends see from now on"
    )
    declare_busy(arguments)


def declare_busy(arguments: Arguments) -> None:
    """Declare the options of the two short forms."""
    arguments.add_argument("--text", metavar="T", default="", help="a few words beside it")
    arguments.add_argument(
        "--for", dest="for_text", metavar="DURATION", help="then available again"
    )
    add_password_file(arguments)


declare_free = declare_busy


def run_presence(console: Console, options: Namespace) -> None:
    """Show something else from now on."""
    if options.presence not in CHOICES:
        nearest = nearest_of(options.presence, CHOICES)
        hint = f", did you mean {nearest}?" if nearest else ""
        raise Misuse(
            f"there is no presence {options.presence!r}{hint}", f"one of: {', '.join(CHOICES)}"
        )
    _set(console, options, options.presence)


def run_busy(console: Console, options: Namespace) -> None:
    """Show `busy`."""
    _set(console, options, "busy")


def run_free(console: Console, options: Namespace) -> None:
    """Show `available`."""
    _set(console, options, "available")


def _set(console: Console, options: Namespace, presence: str) -> None:
    for_s = quantities.span(options.for_text) if options.for_text is not None else None
    request: Item = {"presence": presence, "text": options.text, "for_s": for_s}
    console.ask(
        "SetPresence",
        request,
        lambda item: console.emit(
            item, " - ".join(filter(None, (clean(item["presence"]), clean(item["text"]))))
        ),
        password=password_of(options),
    )
