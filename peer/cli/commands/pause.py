"""`hobnob pause` and `hobnob resume`: hold a transfer, and let it go on."""

from __future__ import annotations

from argparse import Namespace

from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_transfer, ask_about_transfer
from peer.cli.console import Console


def declare_pause(arguments: Arguments) -> None:
    """Declare the verb's options."""
    add_transfer(arguments)


def run_pause(console: Console, options: Namespace) -> None:
    """Hold it."""
    ask_about_transfer(console, options, "PauseTransfer")


declare_resume = declare_pause


def run_resume(console: Console, options: Namespace) -> None:
    """Let it go on."""
    ask_about_transfer(console, options, "ResumeTransfer")
