"""`hobnob mute`, `unmute`, `draft`, `typing`: small things about one friend."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import quantities
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.commands.say import text_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.plain import clean, clean_block, local_time


def declare_mute(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")
    arguments.add_argument(
        "--for", dest="for_", metavar="DURATION", help="like 8h; without it until unmute"
    )


def declare_unmute(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")


def run_mute(console: Console, options: Namespace) -> None:
    """Let nobody be disturbed by what a friend says."""
    for_s = quantities.span(options.for_) if options.for_ is not None else None
    _mute(console, {"name": options.to, "is_muted": True, "for_s": for_s})


def run_unmute(console: Console, options: Namespace) -> None:
    """End that."""
    _mute(console, {"name": options.to, "is_muted": False})


def _mute(console: Console, request: Item) -> None:
    def show(item: Item) -> None:
        until = f" until {local_time(item['until'])}" if item["until"] else ""
        state = f"muted{until}" if item["muted"] else "not muted"
        console.emit(item, f"{clean(item['friend'])} is {state}")

    console.ask("MuteFriend", request, show)


def declare_draft(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")
    arguments.add_argument(
        "text", metavar="TEXT", nargs="?", help="what to keep; - reads it from stdin"
    )
    arguments.add_argument("--clear", action="store_true", help="forget what is kept")


def run_draft(console: Console, options: Namespace) -> None:
    """Show or keep what will be said to a friend, on all own devices."""
    if options.clear and options.text is not None:
        raise Misuse("--clear goes without a text")
    options.password_file = None
    text = "" if options.clear else None if options.text is None else text_of(options)
    console.ask(
        "KeepDraft",
        {"to": options.to, "text": text},
        lambda item: console.emit(item, clean_block(item["text"], "") or "no draft"),
    )


def declare_typing(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")
    arguments.add_argument("--stop", action="store_true", help="say that it is over")
    add_password_file(arguments)


def run_typing(console: Console, options: Namespace) -> None:
    """Tell a friend who is linked that somebody writes; it ends by itself after some seconds."""
    console.ask(
        "SendTyping",
        {"to": options.to, "is_typing": not options.stop},
        lambda item: console.emit(item, "told" if item["told"] else "nobody was told"),
        password=password_of(options),
    )
