"""Words for transfers: a line for each, and one that moves while a verb waits for them."""

from __future__ import annotations

from collections.abc import Sequence

from peer.cli.plain import Item, clean, number_of, seconds_text, size_text
from peer.sizes import count_text


def transfer(item: Item) -> str:
    """Render a Transfer as one line."""
    way = "from" if item["direction"] == "in" else "to"
    head = f"{clean(item['id'])[:12]}  {item['state']:<9}  {way} {clean(item['friend'])}"
    parts = [
        f"{head}  {clean(item['name'])}",
        f"{_share([item])} % of {size_text(item['bytes'])}",
        *_files([item]),
    ]
    if item["state"] == "running":
        parts += [*_pace([item]), *_resumed(item)]
    if item["path"]:
        parts.append(clean(item["path"]))
    parts += _sources(item)
    if item["saved_as"]:
        parts.append(f"saved as {clean(item['saved_as'])}")
    if item["reason"]:
        place = f" (place {item['place']})" if item["reason"] == "slot" else ""
        parts.append(_WAITS.get(str(item["reason"]), clean(item["reason"])) + place)
    error = item["error"]
    if isinstance(error, dict):
        parts.append(f"{clean(error['code'])}: {clean(error['message'])}; {clean(error['remedy'])}")
    return "  ".join(parts)


_WAITS = {
    "friend": "waits for the friend",
    "slot": "waits for its turn",
    "source": "waits for somebody who has it",
    "source-offline": "waits: nobody who has the rest is there",
    "tracker": "waits for the tracker",
    "space": "waits for free space",
    "folder": "waits for the folder to come back",
    "friend-paused": "waits: the friend has paused it",
    "friend-space": "waits: the friend has no space for it",
    "friend-folder": "waits: the friend's folder for it is not there",
    "other-device": "sent by another machine of yours, where it shows how far it is",
}


def progress(items: Sequence[Item], width: int) -> str:
    """Render transfers that are under way as one line of at most `width` columns, with a bar if there is room.

    Only verified bytes count: what the line says is what stands on the receiver's disk.
    """
    share = _share(items)
    verified = sum(number_of(item["verified_bytes"]) for item in items)
    total = sum(number_of(item["bytes"]) for item in items)
    amount = f"{size_text(verified)} of {size_text(total)}"
    facts = [f"{share:>3} %", amount, *_files(items), *_pace(items), *_count_sources(items)]
    facts += sorted({clean(item["path"]) for item in items if item["path"]})
    waits = {str(item["reason"]) for item in items if item["reason"]}
    if all(item["state"] == "waiting" for item in items):
        facts += [_WAITS.get(reason, clean(reason)) for reason in sorted(waits)]
    name = clean(items[0]["name"])
    tail = "  ".join(facts)
    room = width - len(name) - len(tail) - 6
    if room >= 8:
        bar = ("#" * (min(room, 30) * share // 100)).ljust(min(room, 30), ".")
        return f"{name}  [{bar}]  {tail}"
    return f"{name}  {tail}"[:width]


def resumed(item: Item) -> str:
    """Say that a transfer goes on after an interruption, and where; empty for another."""
    return f"{clean(item['name'])} {words[0]}" if (words := _resumed(item)) else ""


def _resumed(item: Item) -> list[str]:
    if item["resumed_at"] is None:
        return []
    at = int(100 * number_of(item["resumed_at"]) // max(number_of(item["bytes"]), 1))
    return [f"resumes at {at} %"]


def _files(items: Sequence[Item]) -> list[str]:
    """Say how many files are whole, where there are several and not all are."""
    done = sum(int(number_of(item["files_done"])) for item in items)
    files = sum(int(number_of(item["files"])) for item in items)
    return [f"{done} of {count_text(files, 'file')}"] if done < files and files > len(items) else []


def _sources(item: Item) -> list[str]:
    """Name those who bring it, if they are several, and those who did wrong."""
    asked = [each for each in _sources_of(item) if each["path"]]
    told = [f"{clean(each['friend'])} {size_text(number_of(each['bytes']))}" for each in asked]
    found = [f"{len(told)} sources: {', '.join(told)}"] if len(told) > 1 else []
    wrong = [each for each in _sources_of(item) if each["error"]]
    return found + [f"not asked any more: {clean(_told_wrong(each))}" for each in wrong]


def _told_wrong(source: Item) -> str:
    return f"{source['friend']} ({source['error']})"


def _count_sources(items: Sequence[Item]) -> list[str]:
    """Say from how many it comes, if they are several."""
    count = sum(bool(each["path"]) for item in items for each in _sources_of(item))
    return [f"from {count} sources"] if count > len(items) else []


def _sources_of(item: Item) -> list[Item]:
    found = item["sources"]
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _share(items: Sequence[Item]) -> int:
    """Give whole percents, rounded down: 100 is all of it."""
    total = sum(number_of(item["bytes"]) for item in items)
    verified = sum(number_of(item["verified_bytes"]) for item in items)
    if total == 0:
        return 100 if all(item["state"] == "done" for item in items) else 0
    return int(100 * verified // total)


def _pace(items: Sequence[Item]) -> list[str]:
    """Say how fast, and how long it takes at that pace."""
    rates = [number_of(item["rate"]) for item in items if item["rate"] is not None]
    rate = sum(rates)
    if rate <= 0:
        return ["stands still"] if rates else []
    left = sum(number_of(item["bytes"]) - number_of(item["verified_bytes"]) for item in items)
    return [f"{size_text(rate)}/s", f"{seconds_text(left / rate)} left"]
