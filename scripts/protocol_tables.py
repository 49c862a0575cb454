"""The tables of wire/PROTOCOL.md that are made from the code: messages, limits, the states of a link."""

from __future__ import annotations

import ast
import inspect as python
from pathlib import Path

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
    """Give each message: what it is, who sends it, what answers it, its fields in order."""
    from wire.messages import CRITICAL, NUMBER_OF

    parts = []
    for cls in sorted(NUMBER_OF, key=lambda cls: NUMBER_OF[cls] & ~CRITICAL):
        schema = inspect.type_info(cls)
        assert isinstance(schema, inspect.StructType)
        said = python.cleandoc(cls.__doc__ or "")
        parts.append(
            f"#### {cls.__name__} (`0x{NUMBER_OF[cls]:04X}`)\n\n{said}\n\n{_sender(cls)}\n"
        )
        fields = [_field(field) for field in schema.fields]
        parts.append(rows("field", "type", "default", of=fields) if fields else "No fields.\n")
    return "\n".join(parts)


def _sender(cls: type) -> str:
    from wire.dialogue import REQUESTS
    from wire.messages import BY_NUMBER, NUMBER_OF, session
    from wire.messages.registry import Purpose

    rule = REQUESTS.get(cls)
    if rule is not None:
        answers = " or ".join(f"`{answer.__name__}`" for answer in (*rule.answers, session.Refused))
        states = " or ".join(sorted(state.value for state in rule.states))
        return (
            f"Sent by a peer to its tracker, in a session that is {states}; answered by {answers}."
        )
    asked = [request.__name__ for request, rule in REQUESTS.items() if cls in rule.answers]
    if asked or cls is session.Refused:
        named = ", ".join(f"`{name}`" for name in asked) if asked else "any request"
        return f"Sent by a tracker; answers {named}."
    links = [p for p, its in BY_NUMBER.items() if NUMBER_OF[cls] in its]
    if cls is session.HelloAnonymous:
        return "Sent by the initiator of a tracker link; answered by `HelloTracker`."
    if cls is session.HelloTracker:
        return "Sent by a tracker as its first record."
    if links == [Purpose.TRACKER]:
        return "Sent by a tracker, unasked."
    return f"Sent by either side of a {' or '.join(p.name.lower() for p in links)} link."


def _field(field: inspect.Field) -> tuple[str, str, str]:
    default = "" if field.required else f"`{field.default!r}`"
    return f"`{field.name}`", _type(field.type), default


def _type(schema: inspect.Type) -> str:
    match schema:
        case inspect.StructType():
            inner = "; ".join(f"{field.name}: {_type(field.type)}" for field in schema.fields)
            return f"array {schema.cls.__name__} [{inner}]"
        case inspect.VarTupleType():
            return f"array{_lengths(schema)} of {_type(schema.item_type)}"
        case inspect.IntType():
            most = schema.le if schema.le is not None else (schema.lt or 0) - 1
            return f"integer {schema.ge} to {most}"
        case inspect.EnumType():
            members = ", ".join(f"{member.value} {member.name.lower()}" for member in schema.cls)
            return f"integer: {members}"
        case inspect.BoolType():
            return "truth value"
        case inspect.StrType():
            pattern = f", matches `{schema.pattern}`" if schema.pattern else ""
            return f"text{_lengths(schema)} characters{pattern}"
        case inspect.BytesType():
            return f"bytes{_lengths(schema)}"
        case inspect.UnionType():
            return " or ".join(_type(choice) for choice in schema.types)
        case _:
            return "nil"


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
