"""`hobnob config ...` and `hobnob accept-policy`: what holds, and setting it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable

from peer.cli import plain, render
from peer.cli.arguments import Arguments, nearest_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse

POLICIES = ("ask", "auto", "never")
_WRONG = "config-invalid"


def declare_list(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_list(console: Console, _options: Namespace) -> None:
    """List every setting, then what was set for single friends."""
    rows: list[tuple[str, ...]] = []

    def show(item: Item) -> None:
        rows.append(render.setting_row(item))
        console.emit(item, "")

    _ask(console, "ListSettings", {}, show)
    if rows and not console.is_json:
        console.emit({}, plain.columns(rows))


def declare_get(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("key", metavar="KEY", help="see: hobnob config list")
    arguments.add_argument("--friend", metavar="F", help="what holds for this friend")


def run_get(console: Console, options: Namespace) -> None:
    """Show one setting: its value alone, so that a script can take it."""
    request: Item = {"key": options.key, "friend": options.friend}
    _ask(
        console,
        "GetSetting",
        request,
        lambda item: console.emit(item, plain.clean(item["value"])),
    )


def declare_set(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("key", metavar="KEY", help="see: hobnob config list")
    arguments.add_argument(
        "value", metavar="VALUE", help="its new value; default takes back what was set"
    )
    arguments.add_argument("--friend", metavar="F", help="for this friend alone")


def run_set(console: Console, options: Namespace) -> None:
    """Set it."""
    request: Item = {"key": options.key, "value": options.value, "friend": options.friend}
    _ask(console, "SetSetting", request, lambda item: console.emit(item, render.setting(item)))


def declare_accept_policy(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "friend",
        metavar="FRIEND",
        nargs="?",
        help="whose offers, your own name too; without it everybody's",
    )
    arguments.add_argument(
        "policy",
        metavar="|".join(POLICIES),
        help="ask: an offer waits for you; auto: it is taken; never: it is refused",
    )
    arguments.add_argument(
        "--max-size", metavar="SIZE", help="auto takes nothing larger, like 25MB; it waits for you"
    )
    arguments.add_argument(
        "--types",
        metavar="GLOB",
        help="auto takes only what matches in every file, like '*.jpg,*.png'; the rest waits",
    )


def run_accept_policy(console: Console, options: Namespace) -> None:
    """Say who may send without asking; what is named for a friend counts over what holds for all."""
    policy = options.policy
    if policy not in POLICIES:
        nearest = nearest_of(policy, POLICIES)
        hint = f", did you mean {nearest}?" if nearest else ""
        raise Misuse(f"there is no policy {policy!r}{hint}", f"one of: {', '.join(POLICIES)}")
    request: Item = {
        "policy": policy,
        "friend": options.friend,
        "max_size": options.max_size,
        "types": options.types,
    }
    _ask(
        console,
        "SetAcceptPolicy",
        request,
        lambda item: console.emit(item, render.accept_policy(item)),
    )


def _ask(console: Console, do: str, request: Item, show: Callable[[Item], None]) -> None:
    """Carry out a command; a key or value that is not understood is wrong usage."""
    try:
        console.ask(do, request, show)
    except Exception as error:
        code = getattr(error, "code", None)
        if getattr(code, "value", code) == _WRONG:
            message, remedy = (str(getattr(error, name)) for name in ("message", "remedy"))
            raise Misuse(message, remedy, code=_WRONG) from error
        raise
