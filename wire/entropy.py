"""The real dice: the operating system's generator and the library's encapsulation.

The one module of `wire` that is not pure. Programs make one `SystemEntropy` at their top and pass it
down; nothing inside `wire` imports this module, which a contract of the import linter checks.
"""

from __future__ import annotations

import builtins
import os


class SystemEntropy:
    """Randomness of the operating system; implements `wire.machine.Entropy`."""

    def bytes(self, count: int) -> builtins.bytes:
        """Give `count` bytes of the operating system's generator."""
        return os.urandom(count)

    def kem_encapsulate(self, public_key: builtins.bytes) -> tuple[builtins.bytes, builtins.bytes]:
        """Encapsulate to an ML-KEM-768 key (1,184 bytes): (secret: 32 bytes, ciphertext: 1,088).

        Raises ValueError for bytes that are no such key.
        """
        # Here and not above, so that a library without it gets to `primitives.require_ml_kem`.
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey

        return MLKEM768PublicKey.from_public_bytes(public_key).encapsulate()

    def seal(
        self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
    ) -> builtins.bytes:
        """Seal by HPKE, whose ephemeral key the library draws.

        public_key: 1,216 bytes. Raises ValueError for bytes that are no such key.
        """
        from wire.channel.primitives import hpke_seal

        return hpke_seal(plaintext, public_key, info)
