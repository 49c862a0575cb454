"""Dice for tests: seeded ones, recorded ones, and ones that take notes.

One thing cannot be seeded: the library draws the randomness of an ML-KEM encapsulation itself and
has no way in. So a `SeededEntropy` gives the same bytes on every run but another KEM ciphertext, of
the same length, each time; a test that compares exact bytes takes down what came out
(`NotingEntropy`) and plays it back later (`RecordedEntropy`).
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterable, Mapping

from wire.entropy import SystemEntropy
from wire.machine import Entropy


class SeededEntropy:
    """Bytes that follow from a seed: SHA-256(seed, block number), block after block.

    The encapsulation is the library's and differs from run to run (see the module): everything that
    a machine *does* replays from the seed, the bytes of a handshake and what is sealed after it do
    not.
    """

    def __init__(self, seed: int | str | bytes) -> None:
        """Start the stream of a seed; equal seeds give equal streams."""
        self._seed = f"{seed!s}|".encode()
        self._blocks = 0
        self._left = b""

    def bytes(self, count: int) -> builtins.bytes:
        """Give the next `count` bytes of the stream."""
        while len(self._left) < count:
            self._left += hashlib.sha256(self._seed + self._blocks.to_bytes(8, "big")).digest()
            self._blocks += 1
        drawn, self._left = self._left[:count], self._left[count:]
        return drawn

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        """Encapsulate by the library: (secret, ciphertext), not from the seed."""
        return SystemEntropy().kem_encapsulate(public_key)

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        """Seal by the library, not from the seed."""
        return SystemEntropy().seal(plaintext, public_key, info)


class NotingEntropy:
    """Passes on another's dice and notes them: `draws`, `pairs` (key: secret, ciphertext)."""

    def __init__(self, inner: Entropy) -> None:
        """Start with empty notes."""
        self._inner = inner
        self.draws: list[builtins.bytes] = []
        self.pairs: dict[builtins.bytes, tuple[builtins.bytes, builtins.bytes]] = {}
        self.sealed: dict[tuple[builtins.bytes, ...], builtins.bytes] = {}

    def bytes(self, count: int) -> builtins.bytes:
        """Give and note `count` bytes."""
        self.draws.append(self._inner.bytes(count))
        return self.draws[-1]

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        """Give and note an encapsulation."""
        self.pairs[public_key] = self._inner.kem_encapsulate(public_key)
        return self.pairs[public_key]

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        """Give and note what was sealed."""
        sealed = self._inner.seal(plaintext, public_key, info)
        self.sealed[public_key, info, plaintext] = sealed
        return sealed


class RecordedEntropy:
    """Plays recorded dice back, and refuses to invent any.

    A draw of another length than recorded, one too many, or an encapsulation to an unknown key is
    an AssertionError: the code under test then asks for other dice than when the record was made.
    """

    def __init__(
        self,
        draws: Iterable[builtins.bytes],
        pairs: Mapping[builtins.bytes, tuple[builtins.bytes, builtins.bytes]] | None = None,
        sealed: Mapping[tuple[builtins.bytes, ...], builtins.bytes] | None = None,
    ) -> None:
        """Take the draws in their order, (secret, ciphertext) by ML-KEM key, and what was sealed.

        sealed: by (public key, info, plaintext).
        """
        self._draws = list(draws)
        self._pairs = dict(pairs or {})
        self._sealed = dict(sealed or {})

    @property
    def is_used_up(self) -> bool:
        """Whether everything recorded was asked for."""
        return not self._draws and not self._pairs and not self._sealed

    def bytes(self, count: int) -> builtins.bytes:
        """Give the next recorded draw."""
        assert self._draws, f"{count} bytes were asked for, nothing is left of the record"
        drawn = self._draws.pop(0)
        assert len(drawn) == count, f"{count} bytes were asked for, {len(drawn)} were recorded"
        return drawn

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        """Give the recorded encapsulation to this key."""
        assert public_key in self._pairs, "an encapsulation to a key that is not in the record"
        return self._pairs.pop(public_key)

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        """Give what was recorded for exactly this."""
        key = (public_key, info, plaintext)
        assert key in self._sealed, "something is sealed that is not in the record"
        return self._sealed.pop(key)
