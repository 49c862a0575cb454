"""`hobnob account data` and `account delete`: what the tracker holds about me, and the end of it."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import recovery
from peer.cli.arguments import Arguments
from peer.cli.commands.options import absolute, add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.passwords import PasswordSource
from peer.cli.plain import clean
from peer.cli.prompts import ask


def declare_data(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "file", metavar="FILE", help="where to write it, as JSON, readable by you only"
    )
    arguments.add_argument("--force", action="store_true", help="replace FILE if it is there")
    add_password_file(arguments)


def run_data(console: Console, options: Namespace) -> None:
    """Save what the tracker holds."""
    if options.file in {"", "-"}:
        raise Misuse("it goes into a file, which has to be named")
    console.ask(
        "SaveAccount",
        {"file": absolute(options.file), "replace": options.force},
        lambda item: console.emit(item, f"saved {clean(item['file'])}, {item['bytes']} bytes"),
        password=password_of(options),
    )


def declare_delete(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--yes", action="store_true", help="do not ask for the account's name to be typed"
    )
    arguments.add_argument(
        "--password-file", metavar="FILE", help="take the password from FILE, - is stdin"
    )
    arguments.add_argument(
        "--recovery-key-file", metavar="F", help="the recovery key the account was made with"
    )


def run_delete(console: Console, options: Namespace) -> None:
    """Remove the account."""
    password = PasswordSource(options.password_file)
    name = _name(console)
    if not options.yes and _typed(name) != name:
        raise Misuse(
            "nothing was deleted, because nobody typed the account's name",
            "to go on without being asked: --yes",
        )
    request: Item = {
        "name": name,
        "password": password.demand(),
        "recovery_key": recovery.key(options.recovery_key_file, may_make=False),
    }
    done = (
        f"{clean(name)} is deleted at its tracker; what you said and received stays in {console.home},"
        " until hobnob logout --forget"
    )
    console.ask("DeleteAccount", request, lambda item: console.emit(item, done), password=password)


def _name(console: Console) -> str:
    """Give the name of this home's account."""
    found: list[str] = []
    console.ask("WhoAmI", {}, lambda item: found.append(str(item["account"])))
    return found[0]


def _typed(name: str) -> str | None:
    typed = ask(
        f"Delete {clean(name)} at its tracker, for good? Friends lose you, and the name is free for anybody."
        f" Type the name: "
    )
    return None if typed is None else typed.lower()
