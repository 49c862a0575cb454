"""`hobnob friend ...`: befriend people, and see who is there."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import picture, plain, render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.plain import clean


def declare_code(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_code(console: Console, _options: Namespace) -> None:
    """Print the friend code, on a terminal also as a picture."""

    def show(item: Item) -> None:
        code = clean(item["code"])
        console.emit(item, f"{picture.of(code)}\n{code}" if console.is_terminal() else code)

    console.ask("GetFriendCode", {}, show)


def declare_add(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "who", metavar="NAME|CODE", help="a name at your tracker, or a friend code"
    )
    arguments.add_argument(
        "--note", metavar="TEXT", default="", help="a few words that come with the request"
    )
    add_password_file(arguments)


def run_add(console: Console, options: Namespace) -> None:
    """Ask somebody."""
    console.ask(
        "AddFriend",
        {"who": options.who, "note": options.note},
        lambda item: console.emit(item, _added(item)),
        password=password_of(options),
    )


def _added(item: Item) -> str:
    name = clean(item["friend"])
    return (
        f"{name} and you are friends"
        if item["state"] == "friends"
        else f"asked {name}; it is theirs to answer"
    )


def declare_requests(arguments: Arguments) -> None:
    """Declare the verb's options."""
    add_password_file(arguments)


def run_requests(console: Console, options: Namespace) -> None:
    """List the requests that wait, one per line."""
    console.ask(
        "ListFriendRequests",
        {},
        lambda item: console.emit(item, render.friend_request(item)),
        password=password_of(options),
    )


def _declare_name(arguments: Arguments) -> None:
    arguments.add_argument("name", metavar="NAME", help="the person's name")
    add_password_file(arguments)


declare_accept = declare_reject = declare_remove = declare_block = declare_unblock = _declare_name


def run_accept(console: Console, options: Namespace) -> None:
    """Say yes."""
    console.ask(
        "AnswerFriend",
        {"name": options.name, "accept": True},
        lambda item: console.emit(item, _added(item)),
        password=password_of(options),
    )


def run_reject(console: Console, options: Namespace) -> None:
    """Say no."""
    _say_done(console, options, "AnswerFriend", {"accept": False}, "rejected")


def run_remove(console: Console, options: Namespace) -> None:
    """End a friendship, or take a request back."""
    _say_done(console, options, "RemoveFriend", {}, "removed")


def run_block(console: Console, options: Namespace) -> None:
    """Block a person."""
    _say_done(console, options, "BlockFriend", {"blocked": True}, "blocked")


def run_unblock(console: Console, options: Namespace) -> None:
    """Unblock a person."""
    _say_done(console, options, "BlockFriend", {"blocked": False}, "unblocked")


def _say_done(console: Console, options: Namespace, do: str, request: Item, done: str) -> None:
    console.ask(
        do,
        {"name": options.name, **request},
        lambda item: console.emit(item, f"{done} {clean(options.name)}"),
        password=password_of(options),
    )


def declare_list(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("--online", action="store_true", help="only who is there now")
    add_password_file(arguments)


def run_list(console: Console, options: Namespace) -> None:
    """List friends with presence, one per line."""
    rows: list[tuple[str, ...]] = []

    def show(item: Item) -> None:
        rows.append(render.friend(item, has_colour=console.has_colour()))
        console.emit(item, "")

    console.ask("ListFriends", {"online_only": options.online}, show, password=password_of(options))
    if rows and not console.is_json:
        console.emit({}, plain.columns(rows))
