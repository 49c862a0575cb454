"""How an input is changed into the next: blind to what it means, true to how it is built."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import msgspec

from tests.fuzz.target import Shape, Step, Target, script_of, steps_of

INTEGERS = (
    *(0, 1, -1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 255, 256, 1023, 1024, 65535, 65536),
    *(2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**44, 2**53, 2**53 + 1, 2**63 - 1, 2**63),
    *(2**64 - 1, -(2**31), -(2**63)),
)
TEXTS = (
    "",
    "a",
    "alice",
    "..",
    "\0",
    "é",
    "e\u0301",
    "\u202egpj.exe",
    "\x1b]52;c;AA\x07",
    "\U0001f511" * 9,
)
LENGTHS = (0, 1, 8, 15, 16, 17, 31, 32, 33, 64, 255, 1025)
_DEEPEST = 40

Plain = Callable[[bytes, int], bytes]
"""An engine's own mutation: (bytes, the most it may give) -> bytes."""


def mutate(target: Target, data: bytes, dice: Random, others: Sequence[bytes]) -> bytes:
    """Give another input for a target; others: inputs that parts may be taken from."""
    head, rest = data[: target.head], data[target.head :]
    if target.head and dice.random() < 0.1:
        head = bytes(dice.choice((byte ^ 1, dice.randrange(8), byte)) for byte in head)
    other = dice.choice(others)[target.head :] if others else rest
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        rest = _BY_SHAPE[target.shape](rest, dice, other)
    return (head + rest)[: target.most_bytes]


def mutate_bytes(data: bytes, dice: Random, other: bytes) -> bytes:
    """Flip, cut, double, overwrite or splice."""
    at = dice.randrange(len(data) + 1)
    end = min(len(data), at + dice.choice((1, 1, 2, 4, 16, 64)))
    match dice.randrange(8):
        case 0 if at < len(data):
            return data[:at] + bytes((data[at] ^ 1 << dice.randrange(8),)) + data[at + 1 :]
        case 1 if at < len(data):
            return data[:at] + bytes((dice.choice((0, 1, 127, 128, 255)),)) + data[at + 1 :]
        case 2:
            return data[:at] + data[end:]
        case 3:
            return data[:end] + data[at:end] + data[end:]
        case 4:
            return data[:at]
        case 5:
            return data[:at] + dice.randbytes(dice.choice((1, 2, 4, 16))) + data[end:]
        case 6 if other:
            start = dice.randrange(len(other))
            return data[:at] + other[start : start + dice.choice((4, 16, 64, 512))] + data[end:]
        case _:
            width = dice.choice((1, 2, 4, 8))
            number = dice.choice(INTEGERS) % (1 << 8 * width)
            return data[:at] + number.to_bytes(width, "big") + data[at + width :]


def mutate_packed(data: bytes, dice: Random, other: bytes) -> bytes:
    """Change a value of MessagePack somewhere inside; as bytes now and then, and where it is none."""
    if dice.random() < 0.15:
        return mutate_bytes(data, dice, other)
    try:
        value = msgspec.msgpack.decode(data)
        made: bytes = msgspec.msgpack.encode(_change(value, dice))
        return made
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError, TypeError):
        return mutate_bytes(data, dice, other)


def mutate_message(data: bytes, dice: Random, other: bytes) -> bytes:
    """Change the fields of a message; its number rarely."""
    number = other[:2] if dice.random() < 0.05 else data[:2]
    return number + mutate_packed(data[2:], dice, other[2:])


def mutate_text(data: bytes, dice: Random, other: bytes) -> bytes:
    """Change a JSON value inside, or characters."""
    try:
        value = json.loads(data)
        if isinstance(value, dict | list) and dice.random() < 0.7:
            return json.dumps(_change(value, dice), default=repr).encode()
    except (ValueError, RecursionError, TypeError):
        pass
    if dice.random() < 0.3:
        at = dice.randrange(len(data) + 1)
        return data[:at] + dice.choice(TEXTS).encode() + data[at:]
    return mutate_bytes(data, dice, other)


def mutate_script(data: bytes, dice: Random, other: bytes) -> bytes:
    """Change a step, or which steps there are and in which order."""
    steps, more = list(steps_of(data)), list(steps_of(other))
    if not steps or dice.random() < 0.03:
        return mutate_bytes(data, dice, other)
    at = dice.randrange(len(steps))
    match dice.randrange(10):
        case 0:
            del steps[at]
        case 1:
            steps.insert(dice.randrange(len(steps) + 1), steps[at])
        case 2 if more:
            start = dice.randrange(len(more))
            steps[at:at] = more[start : start + dice.choice((1, 2, 8))]
        case 3:
            swap = dice.randrange(len(steps))
            steps[at], steps[swap] = steps[swap], steps[at]
        case 4:
            steps[at] = Step(dice.randrange(12), steps[at].content)
        case _:
            content = mutate_message(steps[at].content, dice, dice.choice(more or steps).content)
            steps[at] = Step(steps[at].kind, content[:65535])
    return script_of(*steps)


def _change(value: Any, dice: Random, depth: int = 0) -> Any:
    """Give a value that differs in one place."""
    inside = len(value) if isinstance(value, list | dict) else 0
    if inside and depth < _DEEPEST and dice.random() < 0.8:
        if isinstance(value, dict):
            key = dice.choice(list(value))
            return {**value, key: _change(value[key], dice, depth + 1)}
        at = dice.randrange(inside)
        return [*value[:at], _change(value[at], dice, depth + 1), *value[at + 1 :]]
    if isinstance(value, list) and dice.random() < 0.7:
        return _change_list(value, dice)
    if isinstance(value, bytes) and dice.random() < 0.7:
        return _change_bytes(value, dice)
    if isinstance(value, int) and not isinstance(value, bool) and dice.random() < 0.5:
        return value + dice.choice((-1, 1, 2, 256))
    return _any_value(dice, value)


def _change_list(value: list[Any], dice: Random) -> list[Any]:
    at = dice.randrange(len(value) + 1)
    match dice.randrange(5):
        case 0:
            return value[:at]
        case 1:
            return [
                *value[:at],
                *value[at : at + 1] * dice.choice((2, 3, 17, 600)),
                *value[at + 1 :],
            ]
        case 2:
            return [*value[:at], _any_value(dice, value), *value[at:]]
        case 3:
            return dice.sample(value, len(value))
        case _:
            return [*value[:at], *value[at + 1 :]]


def _change_bytes(value: bytes, dice: Random) -> bytes:
    """Change bytes; those that hold MessagePack of their own stay that."""
    if len(value) > 2 and dice.random() < 0.6:
        return mutate_packed(value, dice, value)
    if dice.random() < 0.5:
        return mutate_bytes(value, dice, value)
    return dice.randbytes(dice.choice(LENGTHS))


def _any_value(dice: Random, value: Any) -> Any:
    match dice.randrange(10):
        case 0:
            return None
        case 1:
            return dice.random() < 0.5
        case 2:
            return dice.choice((0.0, -0.0, 1.5, float("inf"), float("nan")))
        case 3:
            return dice.choice(TEXTS)
        case 4:
            return dice.randbytes(dice.choice(LENGTHS))
        case 5:
            return [value]
        case 6:
            return {dice.choice(("a", 1)): value} if dice.random() < 0.5 else []
        case 7 if isinstance(value, str):
            return value + dice.choice(TEXTS)
        case _:
            return dice.choice(INTEGERS)


_BY_SHAPE = {
    Shape.BYTES: mutate_bytes,
    Shape.TEXT: mutate_text,
    Shape.PACKED: mutate_packed,
    Shape.MESSAGE: mutate_message,
    Shape.SCRIPT: mutate_script,
}
