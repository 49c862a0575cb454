"""`hobnob devices` and `device revoke`: this account's machines."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import recovery
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.passwords import PasswordSource
from peer.cli.plain import clean

ID_CHARS = 8


def declare_devices(arguments: Arguments) -> None:
    """Declare the verb's options."""
    add_password_file(arguments)


def run_devices(console: Console, options: Namespace) -> None:
    """List the devices."""
    console.ask(
        "ListDevices",
        {},
        lambda item: console.emit(item, _text(item)),
        password=password_of(options),
    )


def declare_revoke(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "device", metavar="NAME", help="as hobnob devices shows it; or the first 8 digits of its id"
    )
    arguments.add_argument(
        "--password-file",
        metavar="FILE",
        help="take the account's password from FILE, - is stdin",
    )
    arguments.add_argument(
        "--recovery-key-file", metavar="F", help="the recovery key the account was made with"
    )


def run_revoke(console: Console, options: Namespace) -> None:
    """Take a device off."""
    password = PasswordSource(options.password_file)
    request: Item = {
        "device": options.device,
        "password": password.demand(),
        "recovery_key": recovery.key(options.recovery_key_file, may_make=False),
    }

    def show(item: Item) -> None:
        text = f"{clean(item['name'])} is off the account and gets nothing more"
        hint = "if whoever has it may know the password: hobnob passwd"
        console.emit(item, f"{text}; {hint}")

    console.ask("RevokeDevice", request, show, password=password)


def _text(item: Item) -> str:
    parts = [clean(item["name"]), clean(item["device"])[:ID_CHARS]]
    if item["this"]:
        parts.append("this machine")
    if item["added"]:
        parts.append(f"since {clean(item['added'])}")
    if item["revoked"]:
        parts.append(f"taken off {clean(item['revoked'])}")
    elif item["logged_out"]:
        parts.append("logged out")
    if item["last_seen"]:
        parts.append(f"last seen {clean(item['last_seen'])}")
    return "  ".join(parts)
