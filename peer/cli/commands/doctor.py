"""`hobnob doctor`: who can reach whom, and what to do where something is wrong."""

from __future__ import annotations

from argparse import Namespace

from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.plain import clean


def declare_doctor(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_doctor(console: Console, _options: Namespace) -> None:
    """Show one check after another."""
    console.ask("Diagnose", {}, lambda item: console.emit(item, _text(item)))


def _text(item: Item) -> str:
    mark = "fine " if item["ok"] else "WRONG"
    line = f"{mark}  {clean(item['check']):<10} {clean(item['detail'])}"
    return line if item["ok"] else f"{line}\n       {'':<10} -> {clean(item['remedy'])}"
