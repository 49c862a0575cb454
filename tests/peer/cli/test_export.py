"""A conversation as a file: what others wrote is data in it, and a name is taken only by a whole file."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from peer.cli import export
from peer.cli.exit_codes import Failure

NASTY = "<script>alert(1)</script>\" onmouseover='x' \x1b[31m\u202e</li>&amp;\n<img src=x>"


def item(**fields: object) -> dict[str, object]:
    given: dict[str, object] = {
        "kind": "message",
        "id": "ab" * 32,
        "from": NASTY,
        "to": "bob",
        "at": "2026-11-20T12:00:00.000Z",
        "text": NASTY,
        "state": "delivered",
        "edited": True,
        "clock_off": False,
        "forwarded_from": NASTY,
        "quote": {"from": NASTY, "text": NASTY},
        "reactions": [{"mark": "<b>", "from": ["bob"]}],
        "gone": None,
    }
    return given | fields


class Tags(HTMLParser):
    """Collects what a browser would make elements and attributes of."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[str, ...]]] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, tuple(name for name, _ in attrs)))


def test_a_page_holds_no_element_that_a_peer_wrote() -> None:
    form = export.FORMATS["html"]
    page = form.begin(NASTY) + form.line(item()) + form.line(item(kind="gap", text="")) + form.end
    tags = Tags()
    tags.feed(page)
    assert {name for name, _ in tags.seen} == {
        "html", "meta", "title", "style", "h1", "ol", "li", "time", "b", "q", "div", "p", "br", "em", "i",
    }  # fmt: skip
    assert all(name in ("lang", "charset", "http-equiv", "content", "name", "class", "id", "datetime", "dir")
               for _, names in tags.seen for name in names)  # fmt: skip
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page


def test_a_page_shows_the_styles_of_a_message_and_its_links_as_they_lead() -> None:
    said = "**no** `a_b_c`\n> as you said\n```\n<i> & **code**\n```\n[here](https://example.org/)"
    page = export.FORMATS["html"].line(item(text=said))
    assert "<p><strong>no</strong> <code>a_b_c</code></p>" in page
    assert "<blockquote>as you said</blockquote>" in page
    assert "<pre><code>&lt;i&gt; &amp; **code**</code></pre>" in page
    assert ">here</a> (https://example.org/)" in page


def test_lines_of_json_give_back_what_was_said() -> None:
    line = export.FORMATS["jsonl"].line(item())
    assert line.count("\n") == 1
    assert json.loads(line) == item()


def test_text_does_nothing_to_a_terminal() -> None:
    line = export.FORMATS["text"].line(item())
    assert "\x1b" not in line
    assert "\u202e" not in line


def test_a_file_stands_when_it_is_whole_and_no_draft_stays(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    with export.exclusive(path) as file:
        file.write("one\n")
        assert not path.exists()
    assert path.read_text() == "one\n"
    assert [one.name for one in tmp_path.iterdir()] == ["talk.txt"]


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), export.exclusive(tmp_path / "talk.txt"):
        raise ZeroDivisionError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", ["touch", "symlink", "folder"])
def test_a_name_that_is_taken_is_never_written_over(tmp_path: Path, make: str) -> None:
    path = tmp_path / "talk.txt"
    if make == "touch":
        path.write_text("mine")
    elif make == "symlink":
        path.symlink_to(tmp_path / "away")
    else:
        path.mkdir()
    with pytest.raises(Failure) as caught, export.exclusive(path):
        raise AssertionError("it should not have begun")
    assert caught.value.code == "file-exists"
    assert not (tmp_path / "away").exists()


def test_a_name_that_is_taken_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "talk.txt"
    with pytest.raises(Failure) as caught, export.exclusive(path):
        path.write_text("first")
    assert caught.value.code == "file-exists"
    assert path.read_text() == "first"
    assert [one.name for one in tmp_path.iterdir()] == ["talk.txt"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught, export.exclusive(tmp_path / "no" / "talk.txt"):
        raise AssertionError("it should not have begun")
    assert caught.value.code == "output-failed"
