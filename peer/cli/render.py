"""Results as lines for people.

Every function takes the JSON fields of a result and gives text without a final newline.
"""

from __future__ import annotations

from peer.cli.plain import Item, clean, coloured, grouped, local_time, size_text
from peer.cli.words import body
from peer.sizes import count_text


def account_made(item: Item) -> str:
    """Render an AccountMade."""
    where = f" at {clean(item['tracker'])}" if item["tracker"] else ", not known to any tracker yet"
    lines = [f"{clean(item['account'])}{where}", f"fingerprint  {grouped(item['fingerprint'])}"]
    if item["last_changed"]:
        at = local_time(item["last_changed"])
        lines.append(f"last changed {at}; if you changed it later, the tracker shows old things")
    if item["trouble"]:
        lines.append(f"friends and settings did not come along: {clean(item['trouble'])}")
    return "\n".join(lines)


def message(item: Item, *, with_conversation: bool, has_colour: bool) -> str:
    """Render a Message, a gap mark or a notice."""
    at = local_time(item["at"]) + (" (its clock is off)" if item.get("clock_off") else "")
    where = f"[{clean(item['to'])}] " if with_conversation else ""
    head = f"{coloured(at, 'dim', has_colour=has_colour)}  {where}"
    if item["kind"] != "message":
        return f"{head}-- {clean(item['text']) or 'something is missing here'} --"
    name = coloured(clean(item["from"]), "name", has_colour=has_colour)
    indent = " " * (len(at) + 2)
    return f"{head}{name}: {body(item, indent, has_colour=has_colour)}"


def friend(item: Item, *, has_colour: bool) -> tuple[str, ...]:
    """Give the columns of a Friend."""
    presence = str(item["presence"])
    seen = item.get("last_seen")
    since = f"last seen {local_time(seen)}" if seen and presence == "offline" else ""
    unread = f"{item['unread']} unread" if item.get("unread") else ""
    said = " - ".join(part for part in (clean(item["text"]), since, unread) if part)
    verified = "verified" if item["verified"] else "not verified"
    if item.get("key_changed"):
        verified = coloured("KEY CHANGED", "error", has_colour=has_colour)
    dot = coloured(presence.ljust(9), presence, has_colour=has_colour)
    return clean(item["friend"]), dot, verified, count_text(item["devices"], "device"), said


def shown_to(item: Item) -> str:
    """Render a ShownTo."""
    name, device = clean(item["friend"]), clean(item["name"]) or str(item["device"])[:8]
    former = "" if item["is_current"] else "; not since"
    return f"{local_time(item['at'])}  {name}, {device}{former}"


def friend_request(item: Item) -> str:
    """Render a FriendRequest."""
    name = clean(item["friend"])
    note = f': "{clean(item["note"])}"' if item["note"] else ""
    if item["direction"] == "out":
        return f"you asked {name} ({local_time(item['at'])}){note}"
    if item.get("key_changed"):
        return (
            f"{name} asks you ({local_time(item['at'])}){note}\n  KEY CHANGED: this is not the key that"
            f" {name} had; compare fingerprints, then: hobnob friend accept-key {name} FINGERPRINT"
            f"\n  fingerprint  {grouped(item['fingerprint'])}"
        )
    print_ = f"\n  fingerprint  {grouped(item['fingerprint'])}" if item["fingerprint"] else ""
    return (
        f"{name} asks you ({local_time(item['at'])}){note}{print_}\n  hobnob friend accept {name}"
    )


def offer(item: Item) -> str:
    """Render an Offer."""
    way = "from" if item["direction"] == "in" else "to"
    what = f"{count_text(item['files'], 'file')}, {size_text(item['bytes'])}"
    return (
        f"{clean(item['offer'])[:12]}  {item['state']:<9}  {way} {clean(item['friend'])}"
        f"  {clean(item['name'])}  ({what})"
    )


def setting(item: Item) -> str:
    """Render a Setting as one line."""
    whom = f" for {clean(item['friend'])}" if item["friend"] else ""
    return f"{clean(item['key'])} is {clean(item['value'])}{whom}"


def setting_row(item: Item) -> tuple[str, ...]:
    """Give the columns of a Setting."""
    whom = f"for {clean(item['friend'])}" if item["friend"] else ""
    is_default = item["value"] == item["default"]
    note = "" if is_default else f"default {clean(item['default'])}"
    return clean(item["key"]), clean(item["value"]), whom or note, clean(item["help"])


def accept_policy(item: Item) -> str:
    """Render an AcceptPolicy as one line."""
    who = clean(item["friend"]) if item["friend"] else "everybody"
    said = {
        "ask": f"offers of {who} wait for your answer",
        "auto": f"offers of {who} are taken without asking",
        "never": f"offers of {who} are refused without asking",
    }[str(item["policy"])]
    bounds = []
    if item["max_size"] != "off":
        bounds.append(f"up to {clean(item['max_size'])}")
    if item["types"] != "off":
        bounds.append(f"if all files match {clean(item['types'])}")
    return ", ".join([said, *bounds])


def link(item: Item) -> str:
    """Render one link of Status."""
    parts = [f"  {clean(item['friend'])}: {clean(item['path'])}"]
    if item["rtt_ms"] is not None:
        parts.append(f"{float(str(item['rtt_ms'])):.1f} ms")
    if item["since"]:
        parts.append(f"since {local_time(item['since'])}")
    if item["why_not_better"]:
        parts.append(clean(item["why_not_better"]))
    if item["files_link"]:
        parts.append("a link for files stands beside it")
    return ", ".join(parts)


def event(item: Item) -> str:
    """Render an event that has no form of its own: its kind, then its fields that say something."""
    said = (
        f"{name} {clean(value)}"
        for name, value in item.items()
        if name != "event" and value not in ("", None)
    )
    return f"{clean(item['event'])}: {', '.join(said)}"
