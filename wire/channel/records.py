"""Records: what flows on a link after its handshake, sealed one by one and counted.

    +----------------+----------------------------------+-----------+
    | length: 4      | ciphertext: 1 to the limit       | tag: 16   |
    | big-endian,    | AES-256-GCM, no associated data, |           |
    | of what follows| nonce = number of the record     |           |
    +----------------+----------------------------------+-----------+

The nonce is the count of records of this direction, from 0, and is not sent: a record that is lost,
doubled or out of place fails its tag. The key is replaced by Noise's REKEY() after the record with
which the records since the last replacement reach `rekey_after_records`, or their plaintext
`rekey_after_bytes`; the count goes on, so no nonce ever comes back.

A record's limit depends on the link's purpose and is enforced before the record is read whole, in
`wire.frames`; here only the widest of them is. Neither end is safe to use from two threads at once.
"""

from __future__ import annotations

from wire.channel.symmetric import CipherState
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import DATA_RECORD_BYTES, LENGTH_BYTES, TAG_BYTES

OVERHEAD_BYTES = LENGTH_BYTES + TAG_BYTES
"""How much longer a sealed record with its length is than what it carries."""


class _Direction:
    """One direction of a link: its cipher, its counts and when its key is due."""

    __slots__ = (
        "_cipher",
        "_key_bytes",
        "_key_records",
        "_rekey_after_bytes",
        "_rekey_after_records",
        "bytes",
        "records",
    )

    def __init__(
        self, cipher: CipherState, rekey_after_records: int, rekey_after_bytes: int
    ) -> None:
        """Start before the first record.

        cipher: fresh from the handshake. rekey_after_records, rekey_after_bytes: at least 1.
        """
        if rekey_after_records < 1 or rekey_after_bytes < 1:
            raise LocalProtocolError("a key is replaced after at least one record and one byte")
        self._cipher = cipher
        self._rekey_after_records = rekey_after_records
        self._rekey_after_bytes = rekey_after_bytes
        self._key_records = 0
        self._key_bytes = 0
        self.records = 0  # sealed or opened since the handshake
        self.bytes = 0  # of plaintext in them

    def rest(self) -> None:
        """Free what is only needed while records flow."""
        self._cipher.rest()

    def _count(self, length: int) -> None:
        """Count one record of `length` bytes of plaintext, and replace the key if it is due."""
        self.records += 1
        self.bytes += length
        self._key_records += 1
        self._key_bytes += length
        if (
            self._key_records >= self._rekey_after_records
            or self._key_bytes >= self._rekey_after_bytes
        ):
            self._cipher.rekey()
            self._key_records = 0
            self._key_bytes = 0


class Sealer(_Direction):
    """Seals our records, in the order in which they must go out."""

    __slots__ = ()

    def seal(self, plaintext: bytes) -> bytes:
        """Give the next record: its length and the ciphertext with tag.

        plaintext: 1 to 1,048,576 bytes. Raises LocalProtocolError for another length.
        """
        out = bytearray(len(plaintext) + OVERHEAD_BYTES)
        self.seal_into(memoryview(plaintext), memoryview(out))
        return bytes(out)

    def seal_into(self, plaintext: memoryview, out: memoryview) -> int:
        """Write the next record, length first, to a buffer and give how many bytes it takes.

        plaintext: a contiguous view of 1 to 1,048,576 bytes. out: one of at least 20 bytes more,
        which does not overlap it or begins LENGTH_BYTES before it. Raises LocalProtocolError for
        other lengths; nothing is counted then.
        """
        length = len(plaintext)
        if not 1 <= length <= DATA_RECORD_BYTES:
            raise LocalProtocolError(f"a record carries 1 to {DATA_RECORD_BYTES} bytes")
        end = length + OVERHEAD_BYTES
        self._cipher.encrypt_into(plaintext, out[LENGTH_BYTES:end])
        out[:LENGTH_BYTES] = (length + TAG_BYTES).to_bytes(LENGTH_BYTES, "big")
        self._count(length)
        return end


class Opener(_Direction):
    """Opens their records, in the order in which they came; dead after the first that fails."""

    __slots__ = ("is_dead",)

    def __init__(
        self, cipher: CipherState, rekey_after_records: int, rekey_after_bytes: int
    ) -> None:
        """Start before the first record; arguments as of `Sealer`."""
        super().__init__(cipher, rekey_after_records, rekey_after_bytes)
        self.is_dead = False

    def open(self, ciphertext: bytes) -> bytes:
        """Give what the next record carries.

        ciphertext: with tag, without its length. Raises RemoteProtocolError: FRAME_EMPTY below 17
        bytes, RECORD_TOO_LARGE beyond 1,048,592, LINK_CORRUPT if it does not verify, and ever
        after.
        """
        self._check(len(ciphertext))
        out = bytearray(len(ciphertext) - TAG_BYTES)
        self.open_into(memoryview(ciphertext), memoryview(out))
        return bytes(out)

    def open_into(self, ciphertext: memoryview, out: memoryview) -> int:
        """Write what the next record carries to a buffer and give how many bytes that is.

        ciphertext: a contiguous view, with tag, without its length. out: one of at least 16 bytes
        less, which begins where it does or does not overlap it. Raises as `open`, and then nobody
        may read `out`; LocalProtocolError if `out` is too short: the record may be opened again.
        """
        length = self._check(len(ciphertext))
        if len(out) < length:
            raise LocalProtocolError("a buffer to open into is too short")
        try:
            self._cipher.decrypt_into(ciphertext, out[:length])
        except RemoteProtocolError:
            self.is_dead = True
            raise
        self._count(length)
        return length

    def _check(self, sealed_bytes: int) -> int:
        """Give how much a record of so many bytes carries, or refuse it."""
        if self.is_dead:
            raise RemoteProtocolError(Code.LINK_CORRUPT, "an earlier record did not verify")
        if sealed_bytes <= TAG_BYTES:
            raise RemoteProtocolError(Code.FRAME_EMPTY, "a record carries at least one byte")
        if sealed_bytes > DATA_RECORD_BYTES + TAG_BYTES:
            raise RemoteProtocolError(Code.RECORD_TOO_LARGE, f"{sealed_bytes} bytes")
        return sealed_bytes - TAG_BYTES
