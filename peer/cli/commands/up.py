"""`hobnob up`: the node of this home, until it is stopped."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

from peer.cli import exit_codes, quantities, render, transfer_words
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.cli.plain import clean


def declare_up(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "--listen",
        metavar="HOST:PORT",
        action="append",
        help="where friends reach this machine; may be repeated; default: all addresses, last time's port",
    )
    arguments.add_argument(
        "--web", metavar="off", default="off", help="no web face in this version"
    )
    arguments.add_argument(
        "--lan",
        metavar="on|off",
        choices=("on", "off"),
        help="find friends on the local network, or do not; default: as the setting `lan` is",
    )
    add_password_file(arguments)


def run_up(console: Console, options: Namespace) -> None:
    """Run it, and print what happens."""
    if options.web != "off":
        raise Misuse(f"--web {options.web!r}: this version knows only `--web off`")
    listen = tuple(quantities.host_and_port(text) for text in options.listen or ())
    from peer import door
    from peer.cli import ask
    from peer.cli.spelling import spell

    password = password_of(options)
    home = console.home
    states: dict[str, object] = {}

    def show(item: Item) -> None:
        if console.is_json:
            text = ""
        elif item["event"] == "transfer":
            stands = item["state"], item["resumed_at"]
            text = transfer_words.transfer(item) if states.get(str(item["id"])) != stands else ""
            states[str(item["id"])] = stands
        else:
            text = _text(item, console)
        # a person is told of changes, a script of every step
        console.emit(item, text, is_last=False, spell=spell)

    is_lan = None if options.lan is None else options.lan == "on"
    events = partial(door.up, home, listen=listen, password=password, is_lan=is_lan)
    ask.drive(events, show, exit_codes.flush)


def _text(item: Item, console: Console) -> str:
    kind = str(item["event"])
    if kind == "ready":
        addresses = item["listen"]
        where = ", ".join(map(clean, addresses)) if isinstance(addresses, list) else ""
        return f"{clean(item['account'])} is up, listening on {where}; Ctrl-C ends it"
    if kind == "message":
        return render.message(item, with_conversation=False, has_colour=console.has_colour())
    if kind == "offer":
        return f"offer {render.offer(item)}"
    return render.event(item)
