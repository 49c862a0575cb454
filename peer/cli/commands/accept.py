"""`hobnob accept`: take what was offered."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import absolute, add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.progress import Waiting


def declare_accept(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "offer", metavar="OFFER", help="its id, or the first 8 or more characters of it"
    )
    arguments.add_argument(
        "--to", metavar="DIR", help="the folder it goes to; default: the downloads folder"
    )
    add_password_file(arguments)


def run_accept(console: Console, options: Namespace) -> None:
    """Take it; with no node up stay until it is here."""
    waiting = Waiting(console)

    def show(item: Item) -> None:
        if "verified_bytes" in item:
            waiting.show(item)
        else:
            console.emit(item, render.offer(item))

    folder = absolute(options.to) if options.to is not None else None
    with waiting:
        console.ask(
            "AcceptOffer",
            {"offer": options.offer, "folder": folder},
            show,
            password=password_of(options),
            alone={"wait": True},
        )
    waiting.finish()
