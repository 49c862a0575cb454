"""`hobnob whoami`: who this home is."""

from __future__ import annotations

from argparse import Namespace

from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.plain import clean, columns, grouped


def declare_whoami(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_whoami(console: Console, _options: Namespace) -> None:
    """Show the account."""
    console.ask("WhoAmI", {}, lambda item: console.emit(item, _text(item)))


def _text(item: Item) -> str:
    rows = [
        ("account", clean(item["account"])),
        ("tracker", clean(item["tracker"]) if item["tracker"] else "none: a local account"),
        ("fingerprint", grouped(item["fingerprint"])),
        ("friend code", clean(item["code"])),
        ("logged in", "yes" if item["logged_in"] else "no; hobnob login brings this device back"),
        (
            "key file",
            f"sealed by the {clean(item['sealed'])}"
            if item["sealed"] != "none"
            else "not sealed: file mode 0600 only",
        ),
    ]
    devices = item["devices"]
    for device in devices if isinstance(devices, list) else []:
        marks = [
            mark
            for mark, holds in (("this one", device["this"]), ("revoked", device["revoked"]))
            if holds
        ]
        rows.append(
            ("device", " ".join([clean(device["name"]), clean(device["device"])[:12], *marks]))
        )
    return columns(rows)
