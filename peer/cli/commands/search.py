"""`hobnob search`: what was said, found by its words; the newest first."""

from __future__ import annotations

from argparse import Namespace
from typing import cast

from peer.cli import plain, quantities
from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item

LIMIT = 20


def declare_search(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument(
        "words",
        metavar="WORDS",
        nargs="+",
        help="beginnings of words that all have to be there; 'words in \"quotation marks\"' stand in a row",
    )
    arguments.add_argument("--friend", metavar="F", help="only in talk with this friend")
    arguments.add_argument("--limit", metavar="N", help=f"at most N of them (default {LIMIT})")
    arguments.add_argument(
        "--before", metavar="ID", help="only what was said before this message: the next page"
    )


def run_search(console: Console, options: Namespace) -> None:
    """Show what was found."""
    request: Item = {
        "text": " ".join(options.words),
        "friend": options.friend,
        "limit": LIMIT if options.limit is None else quantities.count(options.limit),
        "before": options.before,
    }
    has_colour = console.has_colour()
    console.ask(
        "SearchMessages",
        request,
        lambda item: console.emit(item, _line(item, has_colour=has_colour)),
    )


def _line(item: Item, *, has_colour: bool) -> str:
    """Give a line that was searched for: when, with whom, who, and a piece of it; its id finds it again."""
    at = plain.coloured(plain.local_time(item["at"]), "dim", has_colour=has_colour)
    sender = plain.coloured(plain.clean(item["from"]), "name", has_colour=has_colour)
    where = "" if item["from"] == item["friend"] else f" to {plain.clean(item['friend'])}"
    hits = cast("list[list[int]]", item["hits"])
    piece = _marked(str(item["snippet"]), hits, has_colour=has_colour)
    return f"{plain.clean(item['id'])[:12]}  {at}  {sender}{where}: {piece}"


def _marked(text: str, hits: list[list[int]], *, has_colour: bool) -> str:
    """Give one line of a peer's text with some of it in bold. hits: [start, end] in characters, ascending."""
    shown: list[str] = []
    place = 0
    for start, end in hits:
        shown += [
            plain.clean(text[place:start]),
            plain.coloured(plain.clean(text[start:end]), "bold", has_colour=has_colour),
        ]
        place = end
    return "".join([*shown, plain.clean(text[place:])])
