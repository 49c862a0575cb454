"""The contract that every protocol machine obeys, and the arguments that stand for time and dice.

What lives here: the verb set (`Machine`), the two kinds of instants and the source of randomness as a
port (`Entropy`). What does not: any implementation of them; the one that asks the operating system is
`wire.entropy`, which no other module of `wire` may import.
"""

from __future__ import annotations

import builtins
from typing import Generic, NewType, Protocol, TypeVar

Monotonic = NewType("Monotonic", float)
"""An instant in seconds on a clock that never goes back; only differences mean something."""

UnixMillis = NewType("UnixMillis", int)
"""An instant in milliseconds since 1970-01-01 UTC; a label for people, never a measure of order."""


class Entropy(Protocol):
    """Where a machine takes its dice from; the real one asks the library, a test's replays a seed."""

    def bytes(self, count: int) -> builtins.bytes:
        """Give `count` unpredictable bytes."""
        ...

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        """Encapsulate to an ML-KEM-768 key.

        public_key: 1,184 bytes. Gives (shared secret: 32 bytes, ciphertext: 1,088 bytes).
        Raises ValueError for a key that is no ML-KEM-768 key (FIPS 203, section 7.2 input check).
        """
        ...

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        """Seal to a key by HPKE (RFC 9180, base mode, MLKEM768-X25519, HKDF-SHA256, AES-256-GCM).

        public_key: 1,216 bytes, see `wire.mailbox`. Gives 1,136 bytes more than went in. Raises ValueError
        for a key that is none.
        """
        ...


EventT = TypeVar("EventT")


class Machine(Protocol, Generic[EventT]):
    """Bytes in, events and bytes out: the verbs that the pump and the simulated network know."""

    def receive_data(self, data: bytes, *, now: Monotonic) -> None:
        """Take bytes from the peer; never raises for anything the peer did."""
        ...

    def receive_eof(self, *, now: Monotonic) -> None:
        """Take note that the stream ended; calling it again changes nothing."""
        ...

    def handle_deadline(self, *, now: Monotonic) -> None:
        """Take note that the instant `deadline` named has come."""
        ...

    def deadline(self) -> Monotonic | None:
        """Name the next instant at which this machine wants to be called, or None."""
        ...

    def data_to_send(self) -> bytes:
        """Hand over the bytes for the peer and forget them."""
        ...

    def events(self) -> list[EventT]:
        """Hand over what happened since the last call, in order, and forget it."""
        ...
