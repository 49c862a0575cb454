"""MessagePack as far as the protocol has it: nil, truth values, integers, text, bytes, arrays.

Maps, floats and extensions are refused: PROTOCOL.md, section 2. What is written is in its shortest form.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TypeAlias

Value: TypeAlias = "bool | int | str | bytes | Sequence[Value] | None"

_UNSIGNED = {0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"}
_SIGNED = {0xD0: ">b", 0xD1: ">h", 0xD2: ">i", 0xD3: ">q"}
_TEXT = {0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
_BYTES = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I"}
_ARRAY = {0xDC: ">H", 0xDD: ">I"}
_MOST = {">B": 2**8, ">H": 2**16, ">I": 2**32, ">Q": 2**64}


def pack(value: Value) -> bytes:
    """Give the bytes of a value."""
    match value:
        case None:
            return b"\xc0"
        case bool():
            return b"\xc3" if value else b"\xc2"
        case int():
            return _pack_integer(value)
        case str():
            raw = value.encode()
            if len(raw) < 32:
                return bytes((0xA0 | len(raw),)) + raw
            return _headed(_TEXT, len(raw)) + raw
        case bytes() | bytearray() | memoryview():
            return _headed(_BYTES, len(value)) + bytes(value)
        case _:
            items = b"".join(map(pack, value))
            if len(value) < 16:
                return bytes((0x90 | len(value),)) + items
            return _headed(_ARRAY, len(value)) + items


def _pack_integer(value: int) -> bytes:
    if 0 <= value < 128:
        return bytes((value,))
    if -32 <= value < 0:
        return struct.pack(">b", value)
    if value >= 0:
        return _headed(_UNSIGNED, value)
    for mark, form in _SIGNED.items():
        if value >= -(_MOST[form.upper()] // 2):
            return bytes((mark,)) + struct.pack(form, value)
    raise ValueError(value)


def _headed(forms: dict[int, str], number: int) -> bytes:
    for mark, form in forms.items():
        if number < _MOST[form]:
            return bytes((mark,)) + struct.pack(form, number)
    raise ValueError(number)


def unpack(raw: bytes) -> Value:
    """Give the one value of some bytes; raises ValueError for anything else."""
    value, end = _take(raw, 0, 0)
    if end != len(raw):
        raise ValueError("bytes stand behind the value")
    return value


def unpack_array(raw: bytes) -> list[Value]:
    """Give the items of an array, the only thing that messages and signed values are."""
    value = unpack(raw)
    if isinstance(value, list):
        return value
    raise ValueError("no array")


def _take(raw: bytes, at: int, depth: int) -> tuple[Value, int]:
    if at >= len(raw) or depth > 16:
        raise ValueError("cut short, or nested too deeply")
    mark, at = raw[at], at + 1
    if mark < 0x80:
        return mark, at
    if mark >= 0xE0:
        return mark - 256, at
    if 0x90 <= mark < 0xA0:
        return _take_array(raw, at, mark & 15, depth)
    if 0xA0 <= mark < 0xC0:
        return _cut(raw, at, mark & 31).decode(), at + (mark & 31)
    if mark in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[mark], at
    for forms in (_UNSIGNED, _SIGNED, _TEXT, _BYTES, _ARRAY):
        if mark in forms:
            form = forms[mark]
            size = struct.calcsize(form)
            (number,) = struct.unpack(form, _cut(raw, at, size))
            at += size
            if forms is _ARRAY:
                return _take_array(raw, at, number, depth)
            if forms is _TEXT:
                return _cut(raw, at, number).decode(), at + number
            if forms is _BYTES:
                return _cut(raw, at, number), at + number
            return int(number), at
    raise ValueError(f"type {mark:#x} does not occur in this protocol")


def _take_array(raw: bytes, at: int, count: int, depth: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    for _ in range(count):
        item, at = _take(raw, at, depth + 1)
        items.append(item)
    return items, at


def _cut(raw: bytes, at: int, length: int) -> bytes:
    piece = raw[at : at + length]
    if len(piece) < length:
        raise ValueError("cut short")
    return piece
