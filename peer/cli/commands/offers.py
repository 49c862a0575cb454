"""`hobnob offers`: what was offered, both directions."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import render
from peer.cli.arguments import Arguments
from peer.cli.console import Console


def declare_offers(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_offers(console: Console, _options: Namespace) -> None:
    """List them, one line per offer and conversation."""
    console.ask("ListOffers", {}, lambda item: console.emit(item, render.offer(item)))
