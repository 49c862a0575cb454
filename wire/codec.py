"""One message to bytes and back: the only place where MessagePack of the wire is read or written.

The plaintext of a record, except those on data links that are bytes of files:

    0           2
    +-----------+-----------------------------------+
    | number:   | MessagePack array of the fields   |     top bit of the number: critical
    | big-endian| in the order of the schema        |
    +-----------+-----------------------------------+

Types are strict, every length and number is bounded by the schema (`wire.messages`), extra fields at the
end are ignored, nothing is ever decompressed. What `msgspec` does not do by itself is done here: encoding
checks the same bounds as decoding, and whatever it raises on hostile bytes (ValidationError, DecodeError,
RecursionError, UnicodeDecodeError, OverflowError) becomes one RemoteProtocolError with an exact code.

The library's words are shown to people and never read to decide anything but which code says it best:
the code comes from comparing the value with the schema; where that finds nothing, it is DECODE.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import cast

import msgspec
from msgspec import inspect

from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import CONTROL_RECORD_BYTES, MESSAGE_NUMBER_BYTES
from wire.messages import BY_NUMBER, CRITICAL, NUMBER_OF, Message, Purpose

_ENCODER = msgspec.msgpack.Encoder()
_DECODERS: dict[type[Message], msgspec.msgpack.Decoder[Message]] = {}
_DETAIL_CHARS = 120

_FINER = {"trailing characters": Code.TRAILING_BYTES, "map keys": Code.DECODE_KEYS}
"""The two cases where only the library's words say what is wrong; without them it is DECODE."""

Blame = tuple[Code, str]
"""Why a value does not fit its schema: the code, and a few words that name the field."""


def encode(purpose: Purpose, message: Message) -> bytes:
    """Give the plaintext of the record that carries a message.

    purpose: of the link it is for. Raises LocalProtocolError if the message does not travel on such
    links, if a field is out of its bounds, or if the whole is beyond 128 KiB.
    """
    cls = type(message)
    number = NUMBER_OF.get(cls)
    if number is None or BY_NUMBER[purpose].get(number) is not cls:
        raise LocalProtocolError(f"{cls.__name__} does not travel on {purpose.name} links")
    try:
        body = _ENCODER.encode(message)
        _decoder(cls).decode(body)  # 0.1 to 0.3 microseconds, measured 2026-11
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"{cls.__name__} is out of bounds: {error}") from error
    if len(body) > CONTROL_RECORD_BYTES - MESSAGE_NUMBER_BYTES:
        raise LocalProtocolError(f"{cls.__name__} of {len(body)} bytes is too large for a record")
    return number.to_bytes(MESSAGE_NUMBER_BYTES, "big") + body


def decode(purpose: Purpose, record: bytes | bytearray | memoryview) -> Message | None:
    """Give the message that a record carries; None for an unknown one that is not critical.

    purpose: of the link it came on. record: the plaintext, at least a number. Raises
    RemoteProtocolError: UNKNOWN_CRITICAL with the number, or what is wrong with the fields, naming the
    field: DECODE, DECODE_DEPTH, DECODE_KEYS, TEXT_INVALID, NUMBER_INVALID, NUMBER_RANGE, TYPE_MISMATCH,
    FIELD_MISSING, LENGTH_RANGE, NAME_CHARACTERS, TRAILING_BYTES.
    """
    if len(record) < MESSAGE_NUMBER_BYTES:
        raise RemoteProtocolError(Code.DECODE, "a record without a message number")
    number = int.from_bytes(record[:MESSAGE_NUMBER_BYTES], "big")
    cls = BY_NUMBER[purpose].get(number)
    if cls is None:
        if number & CRITICAL:
            raise RemoteProtocolError(Code.UNKNOWN_CRITICAL, f"message 0x{number:04X}")
        return None
    body = memoryview(record)[MESSAGE_NUMBER_BYTES:]
    try:
        return _decoder(cls).decode(body)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        code, detail = _blame(cls, body, error)
        text = f"{cls.__name__}{detail}"
        raise RemoteProtocolError(code, text[:_DETAIL_CHARS]) from error


def _decoder(cls: type[Message]) -> msgspec.msgpack.Decoder[Message]:
    decoder = _DECODERS.get(cls)
    if decoder is None:
        decoder = _DECODERS[cls] = msgspec.msgpack.Decoder(cls)
    return decoder


def _blame(cls: type[Message], body: memoryview, error: Exception) -> Blame:
    """Find the code that says best what is wrong with bytes that did not decode."""
    try:
        value = msgspec.msgpack.decode(body)
    except RecursionError:
        return Code.DECODE_DEPTH, " is nested too deeply"
    except UnicodeDecodeError:
        return Code.TEXT_INVALID, " has a text that is not UTF-8"
    except (msgspec.MsgspecError, ValueError, OverflowError) as loose:
        finer = (code for words, code in _FINER.items() if words in str(loose))
        return next(finer, Code.DECODE), f": {loose}"
    found = _compare(_schema(cls), value, "")
    return (Code.DECODE, f": {error}") if found is None else found


@cache
def _schema(cls: type[Message]) -> inspect.Type:
    """Give what a message's fields may be; to take a class apart costs up to 0.5 ms, measured 2026-11."""
    return inspect.type_info(cls)


def _compare(schema: inspect.Type, value: object, path: str) -> Blame | None:
    """Compare a value with its schema; None if they fit."""
    if isinstance(value, dict):
        return Code.DECODE_KEYS, f"{path} is a map"
    match schema:
        case inspect.StructType():
            return _compare_struct(schema, value, path)
        case inspect.VarTupleType():
            return _compare_array(schema, value, path)
        case inspect.IntType():
            return _compare_integer(schema, value, path)
        case inspect.EnumType():
            if type(value) is not int:
                return _not_a("number", value, path)
            is_known = value in {member.value for member in schema.cls}
            return None if is_known else (Code.NUMBER_RANGE, f"{path}={value}")
        case inspect.BoolType():
            return None if isinstance(value, bool) else _not_a("truth value", value, path)
        case inspect.StrType():
            return _compare_text(schema, value, path)
        case inspect.BytesType():
            if not isinstance(value, bytes):
                return _not_a("byte string", value, path)
            return _compare_length(schema, value, path)
        case inspect.UnionType():
            return _compare_union(schema, value, path)
        case _:  # a schema of a kind that no message has yet
            return None


def _compare_struct(schema: inspect.StructType, value: object, path: str) -> Blame | None:
    if not isinstance(value, list):
        return _not_a("array", value, path)
    items = cast("list[object]", value)
    for number, field in enumerate(schema.fields):
        if number >= len(items):
            return (Code.FIELD_MISSING, f"{path}.{field.name}") if field.required else None
        found = _compare(field.type, items[number], f"{path}.{field.name}")
        if found is not None:
            return found
    return None


def _compare_array(schema: inspect.VarTupleType, value: object, path: str) -> Blame | None:
    if not isinstance(value, list):
        return _not_a("array", value, path)
    items = cast("list[object]", value)
    found = _compare_length(schema, items, path)
    if found is not None:
        return found
    for number, item in enumerate(items):
        found = _compare(schema.item_type, item, f"{path}[{number}]")
        if found is not None:
            return found
    return None


def _compare_integer(schema: inspect.IntType, value: object, path: str) -> Blame | None:
    if isinstance(value, float) and (not math.isfinite(value) or str(value) == "-0.0"):
        return Code.NUMBER_INVALID, f"{path}={value}"
    if type(value) is not int:
        return _not_a("number", value, path)
    is_low = schema.ge is not None and value < schema.ge
    is_high = (schema.le is not None and value > schema.le) or (
        schema.lt is not None and value >= schema.lt
    )
    return (Code.NUMBER_RANGE, f"{path}={value}") if is_low or is_high else None


def _compare_text(schema: inspect.StrType, value: object, path: str) -> Blame | None:
    if not isinstance(value, str):
        return _not_a("text", value, path)
    found = _compare_length(schema, value, path)
    if found is None and schema.pattern is not None and re.search(schema.pattern, value) is None:
        # Names of accounts are the only texts with a pattern, which a test checks.
        return Code.NAME_CHARACTERS, f"{path} is no name"
    return found


def _compare_union(schema: inspect.UnionType, value: object, path: str) -> Blame | None:
    """Compare with each choice; what fits the type and not the bounds says more than a wrong type."""
    found: list[Blame] = []
    for choice in schema.types:
        if isinstance(choice, inspect.NoneType):
            if value is None:
                return None
            continue
        blame = _compare(choice, value, path)
        if blame is None:
            return None
        found.append(blame)
    return min(found, key=lambda blame: blame[0] is Code.TYPE_MISMATCH)


def _compare_length(
    schema: inspect.StrType | inspect.BytesType | inspect.VarTupleType,
    value: str | bytes | list[object],
    path: str,
) -> Blame | None:
    least, most = schema.min_length or 0, schema.max_length
    if least <= len(value) and (most is None or len(value) <= most):
        return None
    return Code.LENGTH_RANGE, f"{path} has length {len(value)}, allowed are {least} to {most}"


def _not_a(expected: str, value: object, path: str) -> Blame:
    if value is None:
        return Code.FIELD_MISSING, f"{path} is nothing"
    return Code.TYPE_MISMATCH, f"{path} is no {expected}"
