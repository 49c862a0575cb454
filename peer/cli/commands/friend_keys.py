"""`hobnob friend verify` and `friend accept-key`: whose key is whose, as people compared it."""

from __future__ import annotations

import re
from argparse import Namespace

from peer.cli import picture
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.plain import clean, grouped

_DIGITS = re.compile(r"[0-9]{60}")


def declare_verify(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="NAME", help="the friend's name")
    arguments.add_argument(
        "--number",
        metavar="DIGITS",
        help="the number as your friend reads it to you, spaces do not matter: compared, and marked",
    )
    add_password_file(arguments)


def run_verify(console: Console, options: Namespace) -> None:
    """Show the safety number, or compare it."""
    if options.number is not None and not _DIGITS.fullmatch("".join(options.number.split())):
        raise Misuse("a safety number has 60 digits")

    def show(item: Item) -> None:
        console.emit(
            item,
            _text(item, is_compared=options.number is not None, with_picture=console.is_terminal()),
        )

    console.ask(
        "VerifyFriend",
        {"name": options.name, "number": options.number},
        show,
        password=password_of(options),
    )


def _text(item: Item, *, is_compared: bool, with_picture: bool) -> str:
    name, number = clean(item["friend"]), clean(item["number"])
    if is_compared:
        return f"{name} is verified"
    groups = [number[at : at + 5] for at in range(0, len(number), 5)]
    lines = [" ".join(groups[at : at + 4]) for at in range(0, len(groups), 4)]
    lines.append(
        f"{name} is verified"
        if item["verified"]
        else f"not verified; if {name} sees the same: hobnob friend verify {name} --number DIGITS"
    )
    text = "\n".join(lines)
    return picture.above(number, text) if with_picture else text


def declare_accept_key(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="NAME", help="the friend's name")
    arguments.add_argument(
        "fingerprint",
        metavar="FINGERPRINT",
        help="the new one, whole, as your friend tells it to you by another way than this",
    )
    add_password_file(arguments)


def run_accept_key(console: Console, options: Namespace) -> None:
    """Pin the new key."""

    def show(item: Item) -> None:
        console.emit(item, _accepted(item))

    console.ask(
        "AcceptKey",
        {"name": options.name, "fingerprint": options.fingerprint},
        show,
        password=password_of(options),
    )


def _accepted(item: Item) -> str:
    name = clean(item["friend"])
    then = (
        f"{name} and you are friends; what waited is sent to the new key"
        if item["state"] == "friends"
        else f"{name} is no friend at present; to ask: hobnob friend add {name}"
    )
    return f"{name} has the key {grouped(item['fingerprint'])} from now on\n{then}"
