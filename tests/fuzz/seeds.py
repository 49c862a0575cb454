"""Valid inputs to begin with: what the strategies draw, the same on every run."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import strategies
from tests.strategies import REGISTERED
from tests.wire.messages.freeze import example_of
from wire import codec
from wire.messages import Message, Purpose

T = TypeVar("T")


def drawn(strategy: st.SearchStrategy[T], count: int) -> list[T]:
    """Give up to `count` values of a strategy, the same every time."""
    found: list[T] = []

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def take(value: T) -> None:
        found.append(value)

    take()
    return found


def messages(purpose: Purpose, each: int = 3) -> list[Message]:
    """Give every message of a purpose, with its fields filled in one way and another."""
    found: list[Message] = []
    for cls, its in REGISTERED:
        if its is purpose:
            found.append(example_of(cls))
            found += drawn(strategies.of(cls), each)
    return found


def records(purpose: Purpose, each: int = 3) -> list[bytes]:
    """Give the plaintext of a record for every message of a purpose."""
    return [codec.encode(purpose, message) for message in messages(purpose, each)]


def packed(value: Any) -> bytes:
    """Give MessagePack of plain values."""
    return msgspec.msgpack.encode(value)
