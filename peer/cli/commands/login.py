"""`hobnob login`: this machine becomes a device of an account that exists."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import recovery, render, tracker_key
from peer.cli.arguments import Arguments
from peer.cli.commands.register import add_password_options
from peer.cli.console import Console, Item
from peer.cli.passwords import PasswordSource


def declare_login(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="NAME", help="the account's name")
    arguments.add_argument(
        "--tracker",
        metavar="ADDRESS",
        required=True,
        help="hobnob://HOST:PORT/#KEY, where the account lives",
    )
    arguments.add_argument(
        "--device", metavar="NAME", help="what to call this machine; default: its host name"
    )
    arguments.add_argument(
        "--recovery-key-file", metavar="F", help="the recovery key the account was made with"
    )
    add_password_options(arguments)


def run_login(console: Console, options: Namespace) -> None:
    """Log in."""
    password = PasswordSource(options.password_file)
    request: Item = {
        "name": options.name,
        "password": password.demand(),
        "tracker": options.tracker,
        "device_name": options.device,
        "recovery_key": recovery.key(options.recovery_key_file, may_make=False),
        "unsealed": options.unsealed,
    }

    def show(item: Item) -> None:
        console.emit(item, render.account_made(item))

    tracker_key.ask_with_key(console, "LogIn", request, show, password=password)
