"""`hobnob passwd`: another password in place of the present one."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import recovery
from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure, Misuse
from peer.cli.passwords import NEW_VARIABLE, PasswordSource


def declare_passwd(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--password-file", metavar="FILE", help="take the present password from FILE, - is stdin"
    )
    arguments.add_argument(
        "--new-password-file",
        metavar="FILE",
        help=f"take the new one from FILE, - is stdin; also {NEW_VARIABLE}",
    )
    arguments.add_argument(
        "--recovery-key-file",
        metavar="F",
        help="the recovery key the account was made with; it stays the same",
    )


def run_passwd(console: Console, options: Namespace) -> None:
    """Change the password."""
    if options.password_file == options.new_password_file == "-":
        raise Misuse("only one of the two passwords can come from stdin")
    present = PasswordSource(options.password_file, prompt="Present password")
    following = PasswordSource(
        options.new_password_file, is_new=True, variable=NEW_VARIABLE, prompt="New password"
    )
    request: Item = {"password": present.demand()}
    new_password = following()
    if new_password is None:
        raise Failure(
            "password-needed",
            "a new password is needed and none was given",
            f"use --new-password-file FILE, {NEW_VARIABLE} or a terminal",
        )
    request["new_password"] = new_password
    request["recovery_key"] = recovery.key(options.recovery_key_file, may_make=False)
    done = "the password is changed; devices that are logged in stay so"
    console.ask("ChangePassword", request, lambda item: console.emit(item, done), password=present)
