"""Values that are signed or sealed, as bytes and back: MessagePack of frozen array-like structs.

The other reader of MessagePack is `wire.codec`, for messages; this one is for what rests in a database
or a sealed box and is verified as bytes first. Here stands the only call of the decoder, so that hostile
bytes have one way to fail.
"""

from __future__ import annotations

import functools
from typing import Any, TypeVar

import msgspec

from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """What all such values share: fields in order, new ones go at the end, unknown ones are ignored."""


PackedT = TypeVar("PackedT", bound=Packed)

_ENCODER = msgspec.msgpack.Encoder()


@functools.cache
def _decoder(cls: type[PackedT]) -> msgspec.msgpack.Decoder[PackedT]:
    return msgspec.msgpack.Decoder(cls)


def pack(value: Packed) -> bytes:
    """Give the bytes of a value.

    Raises LocalProtocolError for a value beyond its own bounds, which the library's encoder does not
    look at: what leaves here can be read by the other side.
    """
    try:
        raw = _ENCODER.encode(value)
        _decoder(type(value)).decode(raw)
    except (ValueError, OverflowError) as error:
        raise LocalProtocolError(f"{type(value).__name__} is out of bounds: {error}") from error
    return raw


def unpack(cls: type[PackedT], raw: bytes, code: Code = Code.DECODE) -> PackedT:
    """Give the value of bytes that somebody else chose.

    raw: any bytes. Raises RemoteProtocolError with `code` for everything that is not exactly one value
    of the class within its bounds; nothing is allocated for lengths that only are claimed.
    """
    try:
        value: PackedT = _decoder(cls).decode(raw)
    except (ValueError, RecursionError) as error:
        raise RemoteProtocolError(code, f"{cls.__name__}: {_reason(error)}") from error
    return value


def _reason(error: Any) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    return "nested too deep" if isinstance(error, RecursionError) else str(error)[:120]
