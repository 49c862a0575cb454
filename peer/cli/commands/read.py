"""`hobnob read`: messages in display order, marked as read; `--follow` goes on as they arrive."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_paging, add_password_file, paging_of, password_of
from peer.cli.console import Console, Item


def declare_read(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "to", metavar="TO", nargs="?", help="a friend's name; without: all conversations"
    )
    arguments.add_argument("--unread", action="store_true", help="only what was not read yet")
    add_paging(arguments)
    arguments.add_argument(
        "--follow", action="store_true", help="go on as messages arrive, until Ctrl-C"
    )
    add_password_file(arguments)


def run_read(console: Console, options: Namespace) -> None:
    """Show them."""
    request: Item = {
        "to": options.to,
        "unread_only": options.unread,
        **paging_of(options),
        "follow": options.follow,
    }
    has_colour = console.has_colour()

    def show(item: Item) -> None:
        with_conversation = options.to is None
        console.emit(
            item, render.message(item, with_conversation=with_conversation, has_colour=has_colour)
        )

    console.ask("ReadMessages", request, show, password=password_of(options))
