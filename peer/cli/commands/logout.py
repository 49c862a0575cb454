"""`hobnob logout`: this device signs off; with `--forget` its home is wiped."""

from __future__ import annotations

from argparse import Namespace

from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console
from peer.cli.exit_codes import Misuse
from peer.cli.prompts import ask


def declare_logout(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--forget", action="store_true", help="wipe the home: keys, messages, everything"
    )
    arguments.add_argument("--yes", action="store_true", help="with --forget: do not ask")
    add_password_file(arguments)


def run_logout(console: Console, options: Namespace) -> None:
    """Sign off."""
    if options.forget and not options.yes and not _is_sure(console):
        raise Misuse(
            "nothing was wiped, because nobody said yes", "to go on without being asked: --yes"
        )
    done = (
        f"signed off, and wiped {console.home}"
        if options.forget
        else "signed off; log in to come back"
    )
    console.ask(
        "LogOut",
        {"forget": options.forget},
        lambda item: console.emit(item, done),
        password=password_of(options),
    )


def _is_sure(console: Console) -> bool:
    typed = ask(f"Wipe {console.home}: keys, messages, everything? Type yes: ")
    return typed is not None and typed.lower() == "yes"
