"""Strategies for every registered message, from the schemas themselves.

`hypothesis.strategies.from_type` ignores the bounds that msgspec keeps; this builder reads them.
"""

from __future__ import annotations

import functools
from typing import Any

from hypothesis import strategies as st
from msgspec import inspect

from wire.ids import RequestId
from wire.messages import BY_NUMBER, Message, Purpose

REGISTERED = sorted(
    {(cls, purpose) for purpose, numbers in BY_NUMBER.items() for cls in numbers.values()},
    key=lambda pair: (pair[1], pair[0].__name__),
)
"""Every registered message with every purpose it travels for."""

_WIDE = 64  # items and bytes drawn without need; the bounds themselves have tests of their own


@functools.cache
def of(cls: type[Message]) -> st.SearchStrategy[Any]:
    """Values of one message class within its bounds."""
    return _of_type(inspect.type_info(cls))


def spoken(purpose: Purpose) -> st.SearchStrategy[Message]:
    """Any message that travels on links of a purpose, those of the link itself left out."""
    from wire.messages import session

    own = {session.Hello, session.HelloAnonymous, session.HelloTracker, session.Close}
    own |= {session.Ping, session.Pong}
    classes = [cls for cls, its in REGISTERED if its is purpose and cls not in own]
    return st.one_of([of(cls) for cls in classes])


def request_ids() -> st.SearchStrategy[RequestId]:
    """Numbers that an asker may choose."""
    return st.integers(0, 2**32 - 1).map(RequestId)


def _of_type(schema: inspect.Type) -> st.SearchStrategy[Any]:
    match schema:
        case inspect.StructType():
            fields = {field.encode_name: _of_type(field.type) for field in schema.fields}
            return st.builds(schema.cls, **fields)
        case inspect.VarTupleType():
            least, most = _lengths(schema.min_length, schema.max_length, 3)
            items = st.lists(_of_type(schema.item_type), min_size=least, max_size=most)
            return items.map(tuple)
        case inspect.IntType():
            most = schema.le if schema.le is not None else (schema.lt or 2**63) - 1
            return st.integers(0 if schema.ge is None else schema.ge, most)
        case inspect.EnumType():
            return st.sampled_from(list(schema.cls))
        case inspect.BoolType():
            return st.booleans()
        case inspect.StrType() if schema.pattern is not None:
            return st.from_regex(r"\A[a-z][a-z0-9._-]{1,31}\Z")
        case inspect.StrType():
            least, most = _lengths(schema.min_length, schema.max_length, _WIDE)
            return st.text(st.characters(codec="utf-8"), min_size=least, max_size=most)
        case inspect.BytesType():
            least, most = _lengths(schema.min_length, schema.max_length, _WIDE)
            return st.binary(min_size=least, max_size=most)
        case inspect.UnionType():
            return st.one_of([_of_type(choice) for choice in schema.types])
        case inspect.NoneType():
            return st.none()
        case _:
            raise AssertionError(f"no strategy for {schema}: teach this builder")


def _lengths(least: int | None, most: int | None, wide: int) -> tuple[int, int]:
    least = least or 0
    return least, min(most if most is not None else least + wide, least + wide)
