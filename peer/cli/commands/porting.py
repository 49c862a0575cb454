"""`hobnob export` and `import`: the whole profile in one sealed file, and a home made from one."""

from __future__ import annotations

import os
from argparse import Namespace

from peer.cli import recovery, render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import absolute
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.passwords import NEW_VARIABLE, PasswordSource
from peer.cli.plain import clean


def declare_export(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "file", metavar="FILE", help="where to write it; nothing may stand there"
    )
    arguments.add_argument(
        "--password-file",
        metavar="FILE",
        help="take the account's password, which seals the file, from FILE, - is stdin",
    )


def run_export(console: Console, options: Namespace) -> None:
    """Export the profile."""
    if options.file in {"", "-"}:
        raise Misuse("it goes into a file, which has to be named")
    password = PasswordSource(options.password_file, is_new=True)
    request: Item = {"file": absolute(options.file), "password": password.demand()}
    console.ask(
        "ExportProfile",
        request,
        lambda item: console.emit(item, f"exported {clean(item['file'])}, {item['bytes']} bytes"),
        password=password,
    )


def declare_import(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("file", metavar="FILE", help="what hobnob export wrote")
    arguments.add_argument(
        "--device", metavar="NAME", help="what to call this machine; default: its host name"
    )
    arguments.add_argument(
        "--password-file",
        metavar="FILE",
        help="take the password it was exported with from FILE, - is stdin",
    )
    arguments.add_argument(
        "--new-password-file",
        metavar="FILE",
        help=f"take the account's password from FILE where it was changed since; also {NEW_VARIABLE}",
    )
    arguments.add_argument(
        "--recovery-key-file", metavar="F", help="the recovery key the account was made with"
    )
    arguments.add_argument(
        "--unsealed",
        action="store_true",
        help="do not seal the keys on this disk by the password; file mode 0600 only",
    )


def run_import(console: Console, options: Namespace) -> None:
    """Import a profile."""
    if options.password_file == options.new_password_file == "-":
        raise Misuse("only one of the two passwords can come from stdin")
    password = PasswordSource(options.password_file)
    following = None
    if options.new_password_file is not None or NEW_VARIABLE in os.environ:
        following = PasswordSource(options.new_password_file, variable=NEW_VARIABLE)()
    request: Item = {
        "file": absolute(options.file),
        "password": password.demand(),
        "account_password": following,
        "device_name": options.device,
        "recovery_key": recovery.key(options.recovery_key_file, may_make=False),
        "unsealed": options.unsealed,
    }
    console.ask(
        "ImportProfile",
        request,
        lambda item: console.emit(item, render.account_made(item)),
        password=password,
    )
