"""The outside of the stream: the preamble, the clear refusal, and lengths before frames.

What lives here: every byte of a link that is not sealed. What does not: what is inside a frame, which
`wire.channel` seals and `wire.codec` reads. Whoever knocks decides nothing here but lengths, and each is
compared with the bound of the present state before anything behind it is kept.

The first bytes of a link, from the initiator, in clear:

    0        4         5       6         7     8
    +--------+---------+-------+---------+-----+
    | "HBNB" | version | suite | purpose |  0  |     version 1, suite 1, purpose: registry.Purpose
    +--------+---------+-------+---------+-----+

Then frames in both directions: the three messages of the handshake, later records:

    0                4                           4 + n
    +----------------+---------------------------+
    | n: big-endian  | handshake message, or     |     n: 17 to the bound of the state
    | 32 bits        | ciphertext with its tag   |
    +----------------+---------------------------+

Instead of its first frame or record a responder may send a clear refusal, and close. It is nobody's
word: a man in the middle can forge it, as he can cut the line.

    0        4         5          6        7     8
    +--------+---------+----------+--------+-----+
    | "HBNB" | lowest  | highest  | reason |  0  |     versions it speaks; reason: REFUSALS
    +--------+---------+----------+--------+-----+

Read as a length, "HBNB" is 1,212,304,962: beyond every bound, so the two cannot be confused.
"""

from __future__ import annotations

from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import LENGTH_BYTES, PRE_OPEN_FRAME_BYTES, PREAMBLE_BYTES, TAG_BYTES
from wire.messages.registry import Purpose

MAGIC = b"HBNB"
VERSION = 1
SUITE = 1  # Noise_XKpsk3_25519_AESGCM_SHA256, its psk from ML-KEM-768

REFUSALS: dict[int, Code] = {
    1: Code.VERSION_UNSUPPORTED,
    2: Code.SUITE_UNKNOWN,
    3: Code.HANDSHAKE_FAILED,
    4: Code.TOO_MANY_CONNECTIONS,
    5: Code.SHUTTING_DOWN,
}
"""What a clear refusal may say; a reason that is not listed is read as HANDSHAKE_FAILED."""

_REASONS = {code: reason for reason, code in REFUSALS.items()}

_STRANGERS = {
    b"GET ": "HTTP",
    b"POST": "HTTP",
    b"HEAD": "HTTP",
    b"PUT ": "HTTP",
    b"DELE": "HTTP",
    b"OPTI": "HTTP",
    b"PATC": "HTTP",
    b"CONN": "HTTP",
    b"PRI ": "HTTP/2",
    b"HTTP": "HTTP",
    b"\x15\x03": "TLS",
    b"\x16\x03": "TLS",
    b"SSH-": "SSH",
}
"""How what is often met on a wrong port begins (at most 4 bytes: a length), and its name for the log."""


def preamble(purpose: Purpose) -> bytes:
    """Give the 8 bytes that an initiator begins with."""
    return MAGIC + bytes((VERSION, SUITE, purpose, 0))


def read_preamble(start: bytes) -> Purpose | None:
    """Give what a link is for from its first bytes, or None while they are too few to tell.

    start: the first bytes as they came, any number; those behind the eighth are not looked at. Raises
    RemoteProtocolError as soon as they cannot become right any more: NOT_OUR_PROTOCOL, naming what it
    looks like, VERSION_UNSUPPORTED, naming what is supported, SUITE_UNKNOWN for suite, purpose or the
    last byte.
    """
    if start[: len(MAGIC)] != MAGIC[: len(start)]:
        name = _find_stranger(bytes(start))
        detail = "the first bytes are not ours" if name is None else f"this looks like {name}"
        raise RemoteProtocolError(Code.NOT_OUR_PROTOCOL, detail)
    rest = start[len(MAGIC) : PREAMBLE_BYTES]
    if len(rest) > 0 and rest[0] != VERSION:
        detail = f"version {rest[0]}; supported: {VERSION} to {VERSION}"
        raise RemoteProtocolError(Code.VERSION_UNSUPPORTED, detail)
    if len(rest) > 1 and rest[1] != SUITE:
        raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"suite {rest[1]}; supported: {SUITE}")
    if len(rest) > 2 and rest[2] not in Purpose.__members__.values():
        raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"purpose {rest[2]}")
    if len(rest) > 3 and rest[3] != 0:
        raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"last byte of the preamble is {rest[3]}")
    return Purpose(rest[2]) if len(start) >= PREAMBLE_BYTES else None


def _find_stranger(start: bytes) -> str | None:
    """Give the name of the protocol that begins like this, if it is one of those often met."""
    return next(
        (name for beginning, name in _STRANGERS.items() if start.startswith(beginning)), None
    )


def clear_refusal(code: Code) -> bytes:
    """Give the 8 bytes with which a responder refuses before keys exist; empty for other codes.

    A code without a number there (NOT_OUR_PROTOCOL, HANDSHAKE_TIMEOUT) gets no answer at all: whoever
    caused it would not understand it.
    """
    reason = _REASONS.get(code)
    return b"" if reason is None else MAGIC + bytes((VERSION, VERSION, reason, 0))


def read_clear_refusal(start: bytes) -> RemoteProtocolError | None:
    """Give the refusal that stands where a frame should begin, or None if none does (yet).

    start: what came since the last frame. The error says who refused and, for a version, which ones
    the other side speaks.
    """
    if len(start) < PREAMBLE_BYTES or start[: len(MAGIC)] != MAGIC:
        return None
    lowest, highest, reason = start[4], start[5], start[6]
    code = REFUSALS.get(reason, Code.HANDSHAKE_FAILED)
    if code is Code.VERSION_UNSUPPORTED:
        return RemoteProtocolError(code, f"the other side speaks versions {lowest} to {highest}")
    return RemoteProtocolError(code, "the other side refused in clear")


def frame(content: bytes) -> bytes:
    """Give a handshake message with its length before it; records bring theirs along (`Sealer`)."""
    return len(content).to_bytes(LENGTH_BYTES, "big") + content


class FrameCutter:
    """Cuts a stream into frames, whatever pieces it comes in.

    Feed and take in turn: what is kept is less than one frame of the present bound and what was fed
    last. After the first error it is dead and gives that error again.
    """

    __slots__ = ("_buffer", "_error", "_most", "_too_large")

    def __init__(self) -> None:
        """Start with the bound of handshake messages: 2 KiB."""
        self._buffer = bytearray()
        self._error: RemoteProtocolError | None = None
        self._most = PRE_OPEN_FRAME_BYTES
        self._too_large = Code.FRAME_TOO_LARGE_BEFORE_AUTH

    def bound(self, most_bytes: int, too_large: Code) -> None:
        """Set the bound of the frames that are not taken yet.

        most_bytes: of ciphertext with tag. too_large: the code for a frame beyond it.
        """
        self._most = most_bytes
        self._too_large = too_large

    @property
    def buffered_bytes(self) -> int:
        """How many bytes were fed and not taken."""
        return len(self._buffer)

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of the stream, any number; a dead cutter drops them."""
        if self._error is None:
            self._buffer += data

    def peek(self, count: int) -> bytes:
        """Give up to `count` bytes that come next, and keep them."""
        return bytes(self._buffer[:count])

    def take_start(self, count: int) -> bytes:
        """Give exactly `count` bytes that stand before any frame; LocalProtocolError if they lack."""
        if len(self._buffer) < count:
            raise LocalProtocolError(f"{count} bytes were taken, {len(self._buffer)} are here")
        start = bytes(self._buffer[:count])
        del self._buffer[:count]
        return start

    def take(self) -> bytes | None:
        """Give the content of the next frame, or None while it is not here whole.

        Raises RemoteProtocolError from its 4 bytes of length alone: FRAME_EMPTY below 17, since a tag
        over nothing has 16, the code of `bound` beyond the bound, or NOT_OUR_PROTOCOL where an initiator
        hears the banner of something else. What was fed is forgotten then.
        """
        if self._error is not None:
            raise self._error
        if len(self._buffer) < LENGTH_BYTES:
            return None
        length = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
        if not TAG_BYTES < length <= self._most:
            raise self._die(length)
        end = LENGTH_BYTES + length
        if len(self._buffer) < end:
            return None
        content = bytes(memoryview(self._buffer)[LENGTH_BYTES:end])
        del self._buffer[:end]
        return content

    def take_rest(self) -> bytes:
        """Give everything that was fed and not taken, and forget it."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _die(self, length: int) -> RemoteProtocolError:
        name = _find_stranger(bytes(self._buffer))
        if self._too_large is Code.FRAME_TOO_LARGE_BEFORE_AUTH and name is not None:
            self._error = RemoteProtocolError(Code.NOT_OUR_PROTOCOL, f"this looks like {name}")
        elif length <= TAG_BYTES:
            self._error = RemoteProtocolError(Code.FRAME_EMPTY, f"a frame of {length} bytes")
        else:
            detail = f"a frame of {length} bytes, the most is {self._most}"
            self._error = RemoteProtocolError(self._too_large, detail)
        self._buffer.clear()
        return self._error
