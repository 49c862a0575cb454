"""Options that several verbs share, declared once."""

from __future__ import annotations

import os
from argparse import Namespace

from peer.cli import quantities, transfer_words
from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.passwords import PasswordSource


def add_password_file(arguments: Arguments) -> None:
    """Declare `--password-file`: needed only when no node is up and the key file is sealed."""
    arguments.add_argument(
        "--password-file",
        metavar="FILE",
        help="when no node is up: take the password that opens the key file from FILE, - is stdin",
    )


def password_of(options: Namespace) -> PasswordSource:
    """Give the source that `--password-file` names."""
    return PasswordSource(options.password_file)


def add_paging(arguments: Arguments) -> None:
    """Declare what bounds the lines of a conversation."""
    arguments.add_argument("--limit", metavar="N", help="only the newest N")
    arguments.add_argument(
        "--before",
        metavar="ID|DATE",
        help="only what stands before that message, or was said before that day or instant",
    )


def paging_of(options: Namespace) -> Item:
    """Give the fields of a command that `add_paging` declared; raises Misuse."""
    limit = None if options.limit is None else quantities.count(options.limit)
    return {"limit": limit, "before": options.before}


def add_transfer(arguments: Arguments) -> None:
    """Declare what a verb about one transfer takes."""
    arguments.add_argument(
        "id", metavar="ID", help="the transfer's id, or the first 8 or more characters of it"
    )
    add_password_file(arguments)


def ask_about_transfer(console: Console, options: Namespace, do: str) -> None:
    """Carry out a command about one transfer and show what became of it."""
    console.ask(
        do,
        {"id": options.id},
        lambda item: console.emit(item, transfer_words.transfer(item)),
        password=password_of(options),
    )


def absolute(path: str) -> str:
    """Give a path as the node has to see it: absolute, `~` as the shell left it, links untouched.

    Raises Misuse for an empty one: what a script meant by it is not the folder that it runs in.
    """
    if not path:
        raise Misuse("a path is empty", "name a file or folder; . is the folder that you are in")
    return os.path.abspath(path)  # noqa: PTH100 - resolve() would follow links
