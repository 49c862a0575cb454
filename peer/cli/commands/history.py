"""`hobnob history`: a conversation as it is kept; marks nothing as read."""

from __future__ import annotations

import html
import json
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from peer.cli import quantities, render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_password_file, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Failure, Misuse
from peer.cli.render import clean
from peer.sizes import count_text


def declare_history(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")
    arguments.add_argument("--limit", metavar="N", help="only the newest N")
    arguments.add_argument(
        "--export", metavar="FILE", help="write it to FILE, which must not be there yet"
    )
    arguments.add_argument(
        "--format", metavar="jsonl|text|html", default="jsonl", help="of the export"
    )


def run_history(console: Console, options: Namespace) -> None:
    """Show or export it."""
    limit = quantities.count(options.limit) if options.limit is not None else None
    request: Item = {"to": options.to, "limit": limit}
    if options.format not in _FORMATS:
        raise Misuse(f"there is no format {options.format!r}", f"one of: {', '.join(_FORMATS)}")
    if options.export is None:
        has_colour = console.has_colour()
        console.ask(
            "GetHistory",
            request,
            lambda item: console.emit(
                item, render.message(item, with_conversation=False, has_colour=has_colour)
            ),
        )
        return
    _export(console, request, Path(options.export), options.format)


def declare_share(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="FRIEND", help="a friend's name")
    add_password_file(arguments)


def run_share(console: Console, options: Namespace) -> None:
    """Share the conversation with the friend's machines."""
    done = f"{clean(options.name)}'s machines get all that was said"
    console.ask(
        "ShareHistory",
        {"name": options.name},
        lambda item: console.emit(item, done),
        password=password_of(options),
    )


def _export(console: Console, request: Item, path: Path, form: str) -> None:
    items: list[Item] = []
    console.ask("GetHistory", request, items.append)
    try:
        with path.open("x", encoding="utf-8", errors="backslashreplace") as file:
            _FORMATS[form](items, file)
    except FileExistsError as error:
        raise Failure("file-exists", f"{path} is there already") from error
    except (OSError, ValueError) as error:
        raise Failure(
            "output-failed", f"{path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    summary: Item = {"export": str(path.absolute()), "format": form, "messages": len(items)}
    console.emit(summary, f"{count_text(len(items), 'message')} written to {clean(path)}")


def _jsonl(items: list[Item], file: TextIO) -> None:
    file.writelines(json.dumps(item, ensure_ascii=False) + "\n" for item in items)


def _text(items: list[Item], file: TextIO) -> None:
    file.writelines(
        render.message(item, with_conversation=False, has_colour=False) + "\n" for item in items
    )


def _html(items: list[Item], file: TextIO) -> None:
    file.write('<!doctype html>\n<meta charset="utf-8">\n<title>Hobnob</title>\n<ol>\n')
    for item in items:
        at, sender, text = (html.escape(clean(item[name])) for name in ("at", "from", "text"))
        file.write(f'<li><time datetime="{at}">{at}</time> <b>{sender}</b> {text}</li>\n')
    file.write("</ol>\n")


_FORMATS: dict[str, Callable[[list[Item], TextIO], None]] = {
    "jsonl": _jsonl,
    "text": _text,
    "html": _html,
}
