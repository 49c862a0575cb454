"""`hobnob history`: a conversation as it is kept; marks nothing as read."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from peer.cli import export, plain, render
from peer.cli.arguments import Arguments
from peer.cli.commands.options import add_paging, add_password_file, paging_of, password_of
from peer.cli.console import Console, Item
from peer.cli.exit_codes import Misuse
from peer.sizes import count_text


def declare_history(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("to", metavar="TO", help="a friend's name")
    add_paging(arguments)
    arguments.add_argument(
        "--export", metavar="FILE", help="write it to FILE, which must not be there yet"
    )
    arguments.add_argument(
        "--format", metavar="jsonl|text|html", default="jsonl", help="of the export"
    )


def run_history(console: Console, options: Namespace) -> None:
    """Show or export it."""
    request: Item = {"to": options.to, **paging_of(options)}
    if options.format not in export.FORMATS:
        raise Misuse(
            f"there is no format {options.format!r}", f"one of: {', '.join(export.FORMATS)}"
        )
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
    path = Path(options.export)
    form = export.FORMATS[options.format]
    with export.exclusive(path) as file:
        file.write(form.begin(options.to))
        count = 0

        def write(item: Item) -> None:
            nonlocal count
            file.write(form.line(item))
            count += 1

        console.ask("GetHistory", request, write)
        file.write(form.end)
    summary: Item = {"export": str(path.absolute()), "format": options.format, "messages": count}
    console.emit(summary, f"{count_text(count, 'message')} written to {plain.clean(path)}")


def declare_share(arguments: Arguments) -> None:
    """Declare the verb's options."""
    arguments.add_argument("name", metavar="FRIEND", help="a friend's name")
    add_password_file(arguments)


def run_share(console: Console, options: Namespace) -> None:
    """Share the conversation with the friend's machines."""
    done = f"{plain.clean(options.name)}'s machines get all that was said"
    console.ask(
        "ShareHistory",
        {"name": options.name},
        lambda item: console.emit(item, done),
        password=password_of(options),
    )
