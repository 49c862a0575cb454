"""`hobnob status`: the tracker link, every friend's link, every transfer that has not ended."""

from __future__ import annotations

from argparse import Namespace

from peer.cli import render, transfer_words
from peer.cli.arguments import Arguments
from peer.cli.console import Console, Item
from peer.cli.plain import clean
from peer.sizes import count_text


def declare_status(arguments: Arguments) -> None:
    """Declare the verb's options: none of its own."""


def run_status(console: Console, _options: Namespace) -> None:
    """Show the status."""
    console.ask("GetStatus", {}, lambda item: console.emit(item, _text(item)))


def _text(item: Item) -> str:
    tracker = item["tracker"]
    assert isinstance(tracker, dict)
    why = f": {clean(tracker['why'])}" if tracker.get("why") else ""
    node = f"up, pid {item['pid']}" if item["node"] == "up" else "down; hobnob up starts it"
    lines = [
        f"account  {clean(item['account']) if item['account'] else 'none; hobnob register makes one'}",
        f"node     {node}",
        f"tracker  {clean(tracker['state'])} {clean(tracker['address'])}{why}"
        if tracker["address"]
        else "tracker  none",
    ]
    if item.get("unread"):
        lines.append(f"unread   {count_text(item['unread'], 'message')}; hobnob read --unread")
    lines += [f"listens  {clean(address)}" for address in _list(item["listen"])]
    lines += _section(
        "to be decided",
        [
            f"  {clean(alarm['code'])}: {clean(alarm['message'])}; {clean(alarm['remedy'])}"
            for alarm in _list(item["alarms"])
            if isinstance(alarm, dict)
        ],
    )
    lines += _section(
        "links", [render.link(link) for link in _list(item["links"]) if isinstance(link, dict)]
    )
    lines += _section(
        "transfers",
        [
            f"  {transfer_words.transfer(transfer)}"
            for transfer in _list(item["transfers"])
            if isinstance(transfer, dict)
        ],
    )
    lines += _section(
        "waits for the tracker", [f"  {clean(words)}" for words in _list(item["waiting"])]
    )
    return "\n".join(lines)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, *lines] if lines else []
