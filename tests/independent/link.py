"""One sealed connection, from its preamble to its end: PROTOCOL.md, section 1 and the head of section 2.

Blocking, with a bound on every wait. Pings are answered while something else is awaited.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from cryptography.exceptions import InvalidTag

from tests.independent.message_numbers import CRITICAL, NAMES, NUMBERS
from tests.independent.msgpack import Value, pack, unpack_array
from tests.independent.noise import Direction, Handshake
from tests.independent.values import Certificate, Device, peek, read_certificate

PATIENCE_S = 90.0
PURPOSES = {"tracker": 1, "peer": 2, "data": 3, "key": 5}
BESIDE = {"relay": 4, "probe": 6}  # of a tracker, where a ticket follows and no handshake
REASONS = {
    1: "version-unsupported",
    2: "suite-unknown",
    3: "handshake-failed",
    4: "too-many-connections",
    5: "shutting-down",
}
MOST_BYTES = {"tracker": 128 * 1024, "peer": 128 * 1024, "data": 1024 * 1024}

ANSWERS = (
    *("Done", "Refused", "Kdf", "LoggedIn", "Entered", "StatePut", "State", "User", "Directory"),
    *("PrekeysHeld", "Prekeys", "Mail", "Relay", "Punch", "Probe"),
)

Place = tuple[str, int]
Message = tuple[str, list[Value]]


class Ended(Exception):
    """The link is over. code: of a Close or a clear refusal, else `eof`."""

    def __init__(self, code: str, text: str = "") -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


class Wire:
    """A connection in frames, before anything is sealed."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        connection.settimeout(PATIENCE_S)

    def send(self, content: bytes) -> None:
        """Send bytes as they are; an end is found out by reading."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.sendall(content)

    def send_frame(self, content: bytes) -> None:
        """Send a length and so many bytes."""
        self.send(struct.pack(">I", len(content)) + content)

    def read_frame(self, most_bytes: int) -> bytes:
        """Read one frame; raises Ended for a clear refusal, an end, a length beyond the bound."""
        head = self.read(4)
        if head == b"HBNB":
            _, _, reason, _ = self.read(4)
            raise Ended(REASONS.get(reason, "handshake-failed"), "in clear")
        (length,) = struct.unpack(">I", head)
        if not 16 < length <= most_bytes:
            raise Ended("frame", f"{length} bytes")
        return self.read(length)

    def read(self, count: int) -> bytes:
        """Read exactly so many bytes; raises Ended."""
        content = bytearray()
        while len(content) < count:
            try:
                piece = self.connection.recv(count - len(content))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Ended("eof")
            content += piece
        return bytes(content)

    def shut(self) -> None:
        """End the connection under whoever reads from it."""
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket at once: with something unread in it the other side may lose what it had not read."""
        self.connection.close()

    def finish(self) -> None:
        """Say no more, hear the other side out, and close: it hangs up when it has read all that was said."""
        with contextlib.suppress(ConnectionError):  # it was quicker
            with contextlib.suppress(OSError):  # of a connection that is gone
                self.connection.shutdown(socket.SHUT_WR)
            while self.connection.recv(65536):
                continue
        self.close()


def preamble(purpose: str) -> bytes:
    """Give the first 8 bytes of an initiator."""
    return b"HBNB" + bytes((1, 1, (PURPOSES | BESIDE)[purpose], 0))


def ask_key(place: Place) -> bytes:
    """Ask a tracker for its link key, in clear: for a person to compare."""
    with socket.create_connection(place, PATIENCE_S) as connection:
        wire = Wire(connection)
        wire.send(preamble("key"))
        return wire.read(32)


class Link:
    """A link whose handshake is done. seen: frames of the handshake as they were sent, for a replay."""

    def __init__(self, wire: Wire, purpose: str, handshake: Handshake, seen: list[bytes]) -> None:
        self.wire = wire
        self.purpose = purpose
        ours, theirs = handshake.split()
        self.sealer, self.opener = Direction(ours), Direction(theirs)
        self.handshake_hash = handshake.h
        self.remote_static = handshake.remote_static
        self.seen = seen
        self.most_bytes = 8 * 1024 + 16
        self.requests = 0
        self.unread: list[Message] = []
        self.heard: list[Message] = []  # everything but pings, for tests to look through

    @classmethod
    def dial(
        cls, place: Place, purpose: str, *, expected: bytes, static: bytes, remote_static: bytes
    ) -> Self:
        """Connect and shake hands; expected: a tracker's link key or a peer's identity."""
        connection = socket.create_connection(place, PATIENCE_S)
        return cls.call(
            connection, purpose, expected=expected, static=static, remote_static=remote_static
        )

    @classmethod
    def call(
        cls,
        connection: socket.socket,
        purpose: str,
        *,
        expected: bytes,
        static: bytes,
        remote_static: bytes,
    ) -> Self:
        """Shake hands as the initiator, however the connection came about."""
        wire = Wire(connection)
        try:
            handshake = Handshake(preamble(purpose) + expected, static, remote_static)
            seen = [handshake.write_1()]
            wire.send(preamble(purpose))
            wire.send_frame(seen[0])
            handshake.read_2(wire.read_frame(2048))
            seen.append(handshake.write_3())
            wire.send_frame(seen[1])
            return cls(wire, purpose, handshake, seen)
        except BaseException:
            wire.close()
            raise

    @classmethod
    def accept(cls, connection: socket.socket, *, own: bytes, static: bytes) -> Self:
        """Shake hands with who dialled us; own: our identity, or link key for a tracker."""
        wire = Wire(connection)
        try:
            first = wire.read(8)
            purpose = next((name for name in PURPOSES if preamble(name) == first), None)
            if purpose == "key":
                wire.send(own)
                raise Ended("key", "answered in clear")
            if purpose is None:
                wire.send(b"HBNB" + bytes((1, 1, 2, 0)))
                raise Ended("suite-unknown")
            handshake = Handshake(first + own, static, None)
            handshake.read_1(wire.read_frame(2048))
            seen = [handshake.write_2()]
            wire.send_frame(seen[0])
            handshake.read_3(wire.read_frame(2048))
            return cls(wire, purpose, handshake, seen)
        except (InvalidTag, ValueError) as error:
            wire.send(b"HBNB" + bytes((1, 1, 3, 0)))
            wire.close()
            raise Ended("handshake-failed") from error
        except BaseException:
            wire.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and self.wire.connection.fileno() >= 0:
            self.wire.finish()
        self.wire.close()

    # --- Hello

    def say_hello(self, device: Device, known_counter: int = 0) -> None:
        """Say who we are."""
        said = (device.certificate, device.device_list, known_counter, os.urandom(16), 0)
        self.say("Hello", *said)

    def hear_hello(self, identity: bytes) -> Certificate:
        """Verify who is there; from here on the link is open."""
        _, fields = self.hear("Hello")
        certificate, device_list = fields[:2]
        assert isinstance(certificate, bytes)
        assert isinstance(device_list, bytes)
        found = read_certificate(certificate, device_list, identity)
        if found.link_key != self.remote_static:
            raise Ended("identity-mismatch")
        self.is_open()
        return found

    def caller(self) -> bytes:
        """Give the identity that whoever dialled us claims in the Hello that comes next, unread."""
        message = self.next()
        self.unread.insert(0, message)
        assert isinstance(message[1][0], bytes)
        identity = peek(message[1][0])[0]
        assert isinstance(identity, bytes)
        return identity

    def is_open(self) -> None:
        """Allow records of this purpose's size from now on."""
        self.most_bytes = MOST_BYTES[self.purpose] + 16

    # --- messages

    def say(self, name: str, *fields: Value) -> None:
        """Send a message."""
        self.say_record(struct.pack(">H", NUMBERS[name]) + pack(fields))

    def say_record(self, plaintext: bytes) -> None:
        """Seal a record and send it."""
        self.wire.send_frame(self.sealer.seal(plaintext))

    def record(self) -> bytes:
        """Open the next record; raises Ended."""
        sealed = self.wire.read_frame(self.most_bytes)
        try:
            return self.opener.open(sealed)
        except InvalidTag:
            raise Ended("link-corrupt", "here") from None

    def next(self) -> Message:
        """Give the next message, answering pings; raises Ended."""
        if self.unread:
            return self.unread.pop(0)
        while True:
            record = self.record()
            (number,) = struct.unpack(">H", record[:2])
            if number not in NAMES:
                if number & CRITICAL:
                    raise Ended("unknown-critical", hex(number))
                continue
            name, fields = NAMES[number], unpack_array(record[2:])
            if name == "Ping":
                self.say("Pong", fields[0])
            elif name == "Close":
                raise Ended(str(fields[0]), str(fields[1]))
            elif name != "Pong":
                self.heard.append((name, fields))
                return name, fields

    def hear(self, *names: str, where: Callable[[list[Value]], bool] = lambda _: True) -> Message:
        """Give the next message of one of these names; others before it are kept for later."""
        passed: list[Message] = []
        try:
            while True:
                message = self.next()
                if message[0] in names and where(message[1]):
                    return message
                passed.append(message)
        finally:
            self.unread = passed + self.unread

    def ask(self, name: str, *fields: Value) -> Message:
        """Send a request to a tracker and give its answer; raises Refused."""
        self.requests += 1
        number = self.requests
        self.say(name, number, *fields)
        answer = self.hear(*ANSWERS, where=lambda got: got[0] == number)
        if answer[0] == "Refused":
            raise Refused(str(answer[1][1]))
        return answer

    def until_end(self) -> Ended:
        """Read until the link is over, and give how it ended."""
        while True:
            try:
                self.next()
            except Ended as ended:
                return ended

    def end(self, code: str = "goodbye") -> None:
        """End the link in good order: what was said on it is heard."""
        self.say("Close", code, "")
        self.wire.finish()


class Refused(Exception):
    """A tracker did not carry out a request. code: why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def octets(fields: Sequence[Value], at: int) -> bytes:
    """Give a field that has to be bytes."""
    value = fields[at]
    if not isinstance(value, bytes):
        raise TypeError(value)
    return value


def number(fields: Sequence[Value], at: int) -> int:
    """Give a field that has to be an integer."""
    value = fields[at]
    if not isinstance(value, int):
        raise TypeError(value)
    return value


def rows(fields: Sequence[Value], at: int) -> list[list[Value]]:
    """Give a field that has to be an array of arrays."""
    value = fields[at]
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise TypeError(value)
    return value
