"""`hobnob friend ...`: befriend people, and see who is there."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import picture, plain, quantities, render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.plain import clean


def declare_code(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--lan",
        action="store_true",
        help="let people on this local network ask by it for 10 minutes, without a tracker",
    )
    add_password_file(arguments)


def run_code(console: Console, options: Namespace) -> None:
    """Print the friend code, on a terminal also as a picture."""

    def show(item: Item) -> None:
        code = clean(item["code"])
        text = picture.above(code, code) if console.is_terminal() else code
        if item["lan_until"] is not None:
            text += "\nfor 10 minutes people on this network can ask by it: hobnob friend requests"
        console.emit(item, text)

    if options.lan:
        console.ask("OpenLan", {}, show, password=password_of(options))
    else:
        console.ask("GetFriendCode", {}, show)


def declare_add(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "who", metavar="NAME|CODE", help="a name at your tracker, or a friend code"
    )
    arguments.add_argument(
        "--note", metavar="TEXT", default="", help="a few words that come with the request"
    )
    arguments.add_argument(
        "--at",
        metavar="HOST:PORT",
        help="where the holder of the code is, if neither the tracker nor the local network tells",
    )
    add_password_file(arguments)


def run_add(console: Console, options: Namespace) -> None:
    """Ask somebody."""
    console.ask(
        "AddFriend",
        {"who": options.who, "note": options.note, "at": _place(options.at)},
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


def _place(text: str | None) -> str | None:
    """Give HOST:PORT as it was typed; another thing is a misuse."""
    return None if text is None else quantities.host_and_port(text)


def declare_dial(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="NAME", help="the friend")
    arguments.add_argument("at", metavar="HOST:PORT", help="where their `hobnob up` listens")
    add_password_file(arguments)


def run_dial(console: Console, options: Namespace) -> None:
    """Dial a friend by hand, and say whether they answered."""
    console.ask(
        "DialFriend",
        {"name": options.name, "at": quantities.host_and_port(options.at)},
        lambda item: console.emit(
            item, f"linked with {clean(item['friend'])}, {clean(item['path'])}"
        ),
        password=password_of(options),
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


def declare_shown(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_shown(console: Console, _options: Namespace) -> None:
    """List them, one per line, the newest first."""
    console.ask("ListShownTo", {}, lambda item: console.emit(item, render.shown_to(item)))


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
