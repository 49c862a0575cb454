"""`hobnob withdraw`: take back what was offered."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console


def declare_withdraw(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "offer", metavar="OFFER", help="its id, or the first 8 or more characters of it"
    )
    add_password_file(arguments)


def run_withdraw(console: Console, options: Namespace) -> None:
    """Take it back from all who do not have it; one line per friend it was offered to."""
    console.ask(
        "WithdrawOffer",
        {"offer": options.offer},
        lambda item: console.emit(item, render.offer(item)),
        password=password_of(options),
    )
