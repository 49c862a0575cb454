"""The bytes of one link: frames cut from what comes, records sealed and opened, what waits to be sent.

A part of `Link`, which says when each may happen.
"""

from __future__ import annotations

from wire import codec, limits
from wire.channel.records import Opener, Sealer
from wire.errors import LocalProtocolError
from wire.frames import FrameCutter
from wire.messages import Message, Purpose


class Stream:
    """Both directions of one connection.

    purpose: of its link. incoming: cuts what was fed to it. keys: what seals and opens, None before the
    handshake is finished.
    """

    __slots__ = ("_out", "_purpose", "incoming", "keys", "unsent_bytes")

    def __init__(self, purpose: Purpose) -> None:
        self._purpose = purpose
        self._out: list[bytes] = []
        self.incoming = FrameCutter()
        self.keys: tuple[Sealer, Opener] | None = None
        self.unsent_bytes = 0

    def emit(self, data: bytes) -> None:
        """Queue bytes that go out as they are; none at all change nothing."""
        if data:
            self._out.append(data)
            self.unsent_bytes += len(data)

    def drain(self) -> bytes:
        """Give what is queued, and forget it."""
        data = b"".join(self._out)
        self._out.clear()
        self.unsent_bytes = 0
        return data

    def say(self, message: Message) -> None:
        """Queue a message as a record; raises LocalProtocolError if it is out of bounds."""
        self.seal(codec.encode(self._purpose, message))

    def seal(self, plaintext: bytes) -> None:
        """Queue a record; raises LocalProtocolError beyond 128 KiB on control links, 1 MiB on data links."""
        assert self.keys is not None
        if self._purpose is not Purpose.DATA and len(plaintext) > limits.CONTROL_RECORD_BYTES:
            raise LocalProtocolError(f"a record of {len(plaintext)} bytes on a control link")
        self.emit(self.keys[0].seal(plaintext))

    def open(self, frame: bytes) -> bytes:
        """Give what the next record carries; raises RemoteProtocolError as `Opener.open`."""
        assert self.keys is not None
        return self.keys[1].open(frame)

    def rest(self) -> None:
        """Free what is only needed while records flow."""
        for end in self.keys or ():
            end.rest()

    @property
    def carried_bytes(self) -> int:
        """How much plaintext went through so far, both directions together."""
        return 0 if self.keys is None else self.keys[0].bytes + self.keys[1].bytes
