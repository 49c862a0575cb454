"""The tables of wire/PROTOCOL.md that are made from the code: messages, limits, the states of a link."""

from __future__ import annotations

import ast
import inspect as python
from pathlib import Path

from message_fields import meaning
from msgspec import inspect

WIRE = Path(__file__).resolve().parent.parent / "wire"


def rows(*heads: str, of: list[tuple[str, ...]]) -> str:
    """Give a Markdown table."""
    lines = [heads, ("---",) * len(heads), *of]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


def message_numbers() -> str:
    """Give every message by number."""
    from wire.messages import BY_NUMBER, CRITICAL, NUMBER_OF

    table = []
    for cls in sorted(NUMBER_OF, key=lambda cls: NUMBER_OF[cls] & ~CRITICAL):
        number = NUMBER_OF[cls]
        links = [p.name.lower() for p, its in BY_NUMBER.items() if number in its]
        critical = "yes" if number & CRITICAL else "no"
        table.append((f"`0x{number:04X}`", f"`{cls.__name__}`", critical, ", ".join(links)))
    return rows("number", "message", "critical", "on links", of=table)


def messages() -> str:
    """Give each message: what it is, its schema, its fields in order, who sends it, what answers it."""
    from wire.messages import CRITICAL, NUMBER_OF

    parts = []
    for cls in sorted(NUMBER_OF, key=lambda cls: NUMBER_OF[cls] & ~CRITICAL):
        said = python.cleandoc(cls.__doc__ or "")
        schema = _schema(cls)
        names = ", ".join(_named(field) for field in schema.fields)
        parts.append(
            f"#### {cls.__name__}\n\n{said}\n\n"
            f"`0x{NUMBER_OF[cls]:04X} [{names}]` · {_sender(cls)}\n\n{_fields(cls)}"
        )
    return "\n".join(parts)


def _schema(cls: type) -> inspect.StructType:
    schema = inspect.type_info(cls)
    assert isinstance(schema, inspect.StructType)
    return schema


def _named(field: inspect.Field) -> str:
    return field.name if field.required else f"{field.name} = {_value(field.default)}"


def _value(value: object) -> str:
    """Give a default as the document writes values."""
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    return '""' if value in ("", b"") else str(value)


def _fields(cls: type) -> str:
    """Give the table of a struct's fields, and those of the rows in it."""
    schema = _schema(cls)
    if not schema.fields:
        return "No fields.\n"
    table = [
        (f"`{field.name}`", _type(field.type), meaning(cls, field.name)) for field in schema.fields
    ]
    parts = [rows("field", "type", "what", of=table)]
    for row in dict.fromkeys(found for field in schema.fields for found in _rows_in(field.type)):
        names = ", ".join(_named(field) for field in _schema(row).fields)
        parts.append(f"`{row.__name__}` is `[{names}]`:\n\n{_fields(row)}")
    return "\n".join(parts)


def _rows_in(schema: inspect.Type) -> list[type]:
    """Give the structs that a field is made of."""
    match schema:
        case inspect.StructType():
            return [schema.cls]
        case inspect.VarTupleType():
            return _rows_in(schema.item_type)
        case _:
            return []


def _sender(cls: type) -> str:
    """Say who sends a message and what the answer is."""
    from wire.dialogue import REQUESTS
    from wire.messages import BY_NUMBER, NUMBER_OF, session
    from wire.messages.registry import Purpose

    rule = REQUESTS.get(cls)
    if rule is not None:
        answers = " or ".join(f"`{answer.__name__}`" for answer in (*rule.answers, session.Refused))
        states = " or ".join(sorted(state.value for state in rule.states))
        return f"a peer to its tracker, in a session that is {states} · answer: {answers}"
    asked = [request.__name__ for request, rule in REQUESTS.items() if cls in rule.answers]
    if asked or cls is session.Refused:
        named = ", ".join(f"`{name}`" for name in asked) if asked else "any request"
        return f"a tracker, to answer {named}"
    if cls.__name__ in WHO:
        return WHO[cls.__name__]
    links = [p for p, its in BY_NUMBER.items() if NUMBER_OF[cls] in its]
    if links == [Purpose.TRACKER]:
        return "a tracker, unasked · no answer"
    return f"either side of a {' or '.join(p.name.lower() for p in links)} link · no answer"


WHO = {
    "Hello": "a device, as its first record on any link · answer: `HelloTracker` of a tracker, `Hello` of a device",
    "HelloAnonymous": "the initiator of a tracker link, as its first record · answer: `HelloTracker`",
    "HelloTracker": "a tracker, as its first record, to answer either Hello",
    "Close": "either side of any link, as its last record · no answer",
    "Ping": "either side of any link · answer: `Pong`",
    "Pong": "either side of any link, to answer `Ping`",
    "Digests": "either side of a peer link, once, as its first message · answer: `Vector`, where they differ",
    "Vector": "either side of a peer link, once for each conversation · answer: its own `Vector`, then `Events`",
    "Events": "either side of a peer link · answer: `Receipt`",
    "AskEvents": "either side of a peer link · answer: `Events`, of what is known",
    "AskFriendship": "who is no friend, once, on a peer link to a device that takes requests · answer: `AnswerFriendship`, on this link or a later one",
    "AnswerFriendship": "either side of a peer link, as its first message, as long as the tracker did not take the answer · no answer",
    "AskDial": "either side of a peer link · answer: a data link, dialled",
    "FetchManifest": "the receiver, on a data link · answer: `ManifestPage` or `FetchRefused`",
    "ManifestPage": "the sender, on a data link, to answer `FetchManifest`",
    "Fetch": "the receiver, on a data link · answer: `Piece`, `Pack` and `Zeros`, then `Fetched`; or `FetchRefused`",
    "Piece": "the sender, on a data link, to answer `Fetch`; then the bytes",
    "Pack": "the sender, on a data link, to answer `Fetch`; then the bytes, unless all lengths are 0",
    "Zeros": "the sender, on a data link, to answer `Fetch`",
    "SignedDigests": "the sender, on a data link, beside what it sends · no answer",
    "Fetched": "the sender, on a data link: the end of the answer to `Fetch`, also after `StopFetch`",
    "FetchRefused": "the sender, on a data link, to answer `FetchManifest`, `Fetch` or `FetchDigests`",
    "StopFetch": "the receiver, on a data link · answer: `Fetched`, if it was still open",
    "FetchDigests": "the receiver, on a data link · answer: `DigestPage` or `FetchRefused`",
    "DigestPage": "the sender, on a data link, to answer `FetchDigests`",
    "Have": "a holder, on a data link, to answer `Watch`, whenever there is news",
    "Watch": "a receiver, on a data link to another receiver · answer: `SignedDigests` and `Have`, again and again; or `FetchRefused`",
    "Verified": "the receiver, on a data link, at most four times a second · no answer",
}
"""Of messages that are no request to a tracker: who sends them, and what the answer is."""


def _type(schema: inspect.Type) -> str:
    match schema:
        case inspect.StructType():
            return f"`{schema.cls.__name__}`"
        case inspect.VarTupleType():
            return f"array{_lengths(schema)} of {_type(schema.item_type)}"
        case inspect.IntType():
            most = schema.le if schema.le is not None else (schema.lt or 0) - 1
            return f"integer {schema.ge} to {_number(most)}"
        case inspect.EnumType():
            members = ", ".join(f"{member.value} {member.name.lower()}" for member in schema.cls)
            return f"integer: {members}"
        case inspect.BoolType():
            return "truth value"
        case inspect.StrType():
            if schema.pattern:
                return f"text, `{schema.pattern}`"
            return f"text{_lengths(schema)} characters"
        case inspect.BytesType():
            return f"bytes{_lengths(schema)}"
        case inspect.UnionType():
            return " or ".join(_type(choice) for choice in schema.types)
        case _:
            return "nil"


def _number(number: int) -> str:
    """Give a bound so that a reader sees what it is."""
    for power in (24, 32, 44, 53):
        if number in {2**power, 2**power - 1}:
            return f"2^{power}" if number == 2**power else f"2^{power}-1"
    return str(number)


def _lengths(schema: inspect.StrType | inspect.BytesType | inspect.VarTupleType) -> str:
    least, most = schema.min_length or 0, schema.max_length
    return f", {least}" if least == most else f", {least} to {most}"


def limits() -> str:
    """Give every limit with its value and its reason."""
    from wire import limits as bounds

    text = (WIRE / "limits.py").read_text(encoding="utf-8")
    lines = text.splitlines()
    table = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("KIB", "MIB", "GIB"):
                continue
            own = " ".join(lines[node.lineno - 1 : node.end_lineno])
            reason = own.partition("#")[2].strip()
            table.append(
                (
                    f"`{name}`",
                    f"{getattr(bounds, name):,}"
                    if not isinstance(getattr(bounds, name), tuple)
                    else str(getattr(bounds, name)),
                    reason,
                )
            )
    return rows("limit", "value", "of what, and why", of=table)


def link_states() -> str:
    """Give the table of a link."""
    from wire.link.states import TRANSITIONS

    table = [
        (role.name.lower(), state.value, step.value, after.value)
        for role, states in TRANSITIONS.items()
        for state, steps in states.items()
        for step, after in steps.items()
    ]
    return rows("role", "state", "when", "then", of=table)


def wire_codes() -> str:
    """Give every code that crosses the wire."""
    from wire.codes import Code

    sent = [code for code in Code if code.sent_by != "local"]
    return rows(
        "code",
        "sent by",
        "try again",
        "what happened",
        of=[(f"`{c.value}`", c.sent_by, c.retry, c.what) for c in sent],
    )


MADE = {
    "message-numbers": message_numbers,
    "messages": messages,
    "limits": limits,
    "link-states": link_states,
    "wire-codes": wire_codes,
}
