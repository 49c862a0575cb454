"""What a target is, and the script of steps that the inputs of machines are."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

STEP_HEAD_BYTES = 3


class Shape(enum.Enum):
    """How an input is built, so that a mutation changes it and still gets past the first check."""

    BYTES = "bytes"
    TEXT = "text"  # UTF-8, JSON where it parses
    PACKED = "MessagePack"
    MESSAGE = "2 bytes, then MessagePack"
    SCRIPT = "steps"  # see `steps_of`; the content of each is a MESSAGE


@dataclass(frozen=True)
class Target:
    """One thing to be fuzzed.

    run: takes any bytes and raises only if something is wrong with our code. seeds: inputs that get far.
    head: so many bytes before what has the shape (which way to go, for instance).
    """

    name: str
    run: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]
    shape: Shape = Shape.BYTES
    head: int = 0
    most_bytes: int = 4096

    def __str__(self) -> str:
        return self.name


class Finding(AssertionError):
    """A promise of the code under test does not hold."""


def check(promise: object, what: str) -> None:
    """Raise a Finding unless the promise holds."""
    if not promise:
        raise Finding(what)


class Step(NamedTuple):
    """One step of a script: what is done, and with which bytes."""

    kind: int
    content: bytes


def steps_of(script: bytes, most: int = 64) -> Iterator[Step]:
    """Take a script apart: kind (1 byte), length of the content (2, big-endian), content; any bytes do."""
    position = 0
    for _ in range(most):
        head = script[position : position + STEP_HEAD_BYTES]
        if len(head) < STEP_HEAD_BYTES:
            return
        end = position + STEP_HEAD_BYTES + int.from_bytes(head[1:], "big")
        yield Step(head[0], script[position + STEP_HEAD_BYTES : end])
        position = end


def script_of(*steps: Step | tuple[int, bytes]) -> bytes:
    """Put a script together; contents of at most 65,535 bytes."""
    return b"".join(
        bytes((kind,)) + len(content).to_bytes(2, "big") + content for kind, content in steps
    )
