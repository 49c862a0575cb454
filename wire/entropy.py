"""The real dice: the operating system's generator and the library's encapsulation.

The one module of `wire` that is not pure. Programs make one `SystemEntropy` at their top and pass it
down; nothing inside `wire` imports this module, which a contract of the import linter checks.
"""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey


class SystemEntropy:
    """Randomness of the operating system; implements `wire.machine.Entropy`."""

    def bytes(self, count: int) -> bytes:
        """Give `count` bytes of the operating system's generator."""
        return os.urandom(count)

    def kem_encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Encapsulate to an ML-KEM-768 key (1,184 bytes): (secret: 32 bytes, ciphertext: 1,088).

        Raises ValueError for bytes that are no such key.
        """
        return MLKEM768PublicKey.from_public_bytes(public_key).encapsulate()
