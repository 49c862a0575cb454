"""`hobnob transfers`: how far everything is, finished ones included."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import transfer_words
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console


def declare_transfers(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--follow", action="store_true", help="go on with every change, until Ctrl-C"
    )
    add_password_file(arguments)


def run_transfers(console: Console, options: Namespace) -> None:
    """List them, one line per offer and friend."""
    console.ask(
        "ListTransfers",
        {"follow": options.follow},
        lambda item: console.emit(item, transfer_words.transfer(item)),
        password=password_of(options),
    )
