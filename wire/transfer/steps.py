"""What a `Sender` asks its shell to do next, one step at a time."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from wire.messages import Message
from wire.transfer.holding import OfferKey


class Part(msgspec.Struct, frozen=True, gc=False):
    """One chunk to read: `length` bytes at `offset` of a file."""

    file: int
    index: int
    offset: int
    length: int


class Say(msgspec.Struct, frozen=True):
    """Send these messages."""

    messages: tuple[Message, ...]


class Read(msgspec.Struct, frozen=True):
    """Read these chunks one after another into one buffer, hash each, then call `on_read`.

    run: how many consecutive chunks from the first on are asked for; if the shell knows that some of
    them lie in a hole, it may call `on_zeros` instead. is_sent: False where only digests are wanted.
    """

    key: OfferKey
    fetch: int
    parts: tuple[Part, ...]
    run: int
    is_sent: bool


class CheckPin(msgspec.Struct, frozen=True):
    """Look whether this file is still the one that was offered, then call `on_pin`."""

    key: OfferKey
    fetch: int
    file: int


class ReadDigests(msgspec.Struct, frozen=True):
    """Read one page of a file's digests, all of which are known, then call `on_digests`."""

    key: OfferKey
    fetch: int
    file: int
    page: int


Step: TypeAlias = Say | Read | ReadDigests | CheckPin
