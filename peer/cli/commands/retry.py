"""`hobnob retry`: give a message that failed another 30 days."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import quantities
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.plain import clean


def declare_retry(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "id", metavar="ID", help="the message's id, or the first 8 or more characters of it"
    )
    arguments.add_argument(
        "--wait", metavar="SECONDS", help="stay until it is delivered or the time is over"
    )
    add_password_file(arguments)


def run_retry(console: Console, options: Namespace) -> None:
    """Take it up again."""
    wait_s = quantities.duration(options.wait) if options.wait is not None else None
    request: Item = {"id": options.id, "wait_s": wait_s}
    console.ask(
        "RetryText",
        request,
        lambda item: console.emit(item, f"{clean(item['state'])}  {clean(item['id'])[:12]}"),
        password=password_of(options),
    )
