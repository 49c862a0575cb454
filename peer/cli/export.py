"""A conversation as a file: line by line, so that its length costs no memory, and under its name only when whole.

What came from others is data in each of the forms: escaped in JSON and HTML, made harmless in text.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from peer.cli import plain, render
from peer.cli.exit_codes import Failure
from peer.markup import as_html

Item = Mapping[str, object]


@contextmanager
def exclusive(path: Path) -> Iterator[TextIO]:
    """Write a file under another name, and give it its own at the end; one that is there stays as it is.

    The draft goes if anything fails. Raises Failure with `file-exists` or `output-failed`.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        if path.is_symlink() or path.exists():
            raise FileExistsError
        try:
            with draft.open("x", encoding="utf-8", errors="backslashreplace") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _take_name(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError as error:
        raise Failure("file-exists", f"{path} is there already", "choose another name") from error
    except (OSError, ValueError) as error:
        raise Failure(
            "output-failed", f"{path}: {getattr(error, 'strerror', None) or error}"
        ) from error


def _take_name(draft: Path, path: Path) -> None:
    """Give a draft its name, never another file's; where no hard links are, after a look."""
    try:
        os.link(draft, path)
    except FileExistsError:
        raise
    except OSError as error:
        if path.exists():
            raise FileExistsError from error
        draft.rename(path)
    with suppress(OSError):  # a folder that cannot be synced is no reason to call the file lost
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


class Form(Struct, frozen=True):
    """How a conversation is written down. begin: of the friend's name."""

    begin: Callable[[str], str]
    line: Callable[[Item], str]
    end: str = ""


def _json_line(item: Item) -> str:
    """Give an object on a line, as `hobnob history --json` prints it."""
    return json.dumps(item, ensure_ascii=False) + "\n"


def _text_line(item: Item) -> str:
    """Give what `hobnob history` shows."""
    return render.message(item, with_conversation=False, has_colour=False) + "\n"


def _html_line(item: Item) -> str:
    """Give an item of the page's list."""
    at, sender, kind, event = (_escaped(item[name]) for name in ("at", "from", "kind", "id"))
    marks = [str(item[name]) for name in ("gone", "state") if item.get(name)]
    marks += ["edited"] if item.get("edited") else []
    if origin := item.get("forwarded_from"):
        marks.append(f"forwarded from {origin}")
    said = "something is missing here" if item["kind"] == "gap" else item["text"]
    text = as_html(plain.clean_block(said, ""))
    return (
        f'<li class="{kind}" id="{event}"><time datetime="{at}">{at}</time> <b>{sender}</b>'
        f'{_quote(item)} <div dir="auto">{text}</div>{_reactions(item)}'
        f" <i>{_escaped(', '.join(marks))}</i></li>\n"
    )


def _escaped(text: object) -> str:
    return html.escape(plain.clean(text))


def _quote(item: Item) -> str:
    quote = item.get("quote")
    if not isinstance(quote, dict):
        return ""
    who, text = (_escaped(quote.get(name, "")) for name in ("from", "text"))
    return f' <q dir="auto">{who}: {text}</q>'


def _reactions(item: Item) -> str:
    reactions = item.get("reactions")
    if not isinstance(reactions, list):
        return ""
    marks = (str(one["mark"]) for one in reactions if isinstance(one, dict) and "mark" in one)
    return "".join(f" <em>{_escaped(mark)}</em>" for mark in marks)


_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>
body {{ font: 16px/1.4 sans-serif; max-width: 50em; margin: 2em auto; }}
ol {{ list-style: none; padding: 0; }}
div {{ white-space: pre-wrap; overflow-wrap: anywhere; }}
p, blockquote, pre {{ margin: 0.2em 0; white-space: pre-wrap; }}
blockquote {{ border-left: 3px solid #ccc; padding-left: 0.6em; }}
time, i, q {{ color: #666; font-size: 80%; }}
.gap, .notice {{ color: #666; }}
</style>
<h1>{title}</h1>
<ol>
"""


def _html_head(friend: str) -> str:
    return _HEAD.format(title=_escaped(f"Hobnob: {friend}"))


def _nothing(_friend: str) -> str:
    return ""


FORMATS = {
    "jsonl": Form(_nothing, _json_line),
    "text": Form(_nothing, _text_line),
    "html": Form(_html_head, _html_line, "</ol>\n</html>\n"),
}
"""Every form by its name."""
