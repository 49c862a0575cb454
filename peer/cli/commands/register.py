"""`hobnob register`: a new account whose first device is this machine."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import recovery, render, tracker_key
from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.passwords import PasswordSource


def declare_register(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "name", metavar="NAME", help="2 to 32 of a-z 0-9 . _ -, beginning with a letter"
    )
    arguments.add_argument(
        "--tracker",
        metavar="ADDRESS",
        help="hobnob://HOST:PORT/#KEY, as its host gives it; without: a local account",
    )
    arguments.add_argument(
        "--invite", metavar="CODE", help="where the tracker registers by invitation only"
    )
    arguments.add_argument(
        "--device", metavar="NAME", help="what to call this machine; default: its host name"
    )
    arguments.add_argument(
        "--recovery-key-file",
        metavar="F",
        help="mix the key in F into the password, made anew if F is missing: without F nobody gets in, you neither",
    )
    add_password_options(arguments)


def add_password_options(arguments: Arguments) -> None:
    """Declare where the password comes from and how the keys rest on disk."""
    arguments.add_argument(
        "--password-file", metavar="FILE", help="take the password from FILE, - is stdin"
    )
    arguments.add_argument(
        "--unsealed",
        action="store_true",
        help="keep this device's keys by file mode 0600 only, not sealed",
    )


def run_register(console: Console, options: Namespace) -> None:
    """Make the account."""
    password = PasswordSource(options.password_file, is_new=True)
    request: Item = {
        "name": options.name,
        "password": password.demand(),
        "tracker": options.tracker,
        "invite": options.invite,
        "recovery_key": recovery.key(options.recovery_key_file, may_make=True),
        "unsealed": options.unsealed,
        "device_name": options.device,
    }

    def show(item: Item) -> None:
        console.emit(item, render.account_made(item))

    tracker_key.ask_with_key(console, "Register", request, show, password=password)
