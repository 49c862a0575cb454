"""`hobnob cancel`: call a transfer off, whichever way it goes."""

from __future__ import annotations

from argparse import Namespace

from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_transfer, ask_about_transfer
from peer.cli.console import Console


def declare_cancel(arguments: Arguments) -> None:
    """Declare the verb's options."""
    add_transfer(arguments)


def run_cancel(console: Console, options: Namespace) -> None:
    """Call it off; one that leaves is taken back from that friend alone."""
    ask_about_transfer(console, options, "CancelTransfer")
