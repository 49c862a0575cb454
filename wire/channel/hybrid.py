"""The handshake of our links: XKpsk3, whose psk comes out of an ML-KEM-768 encapsulation.

    message 1   e, es        payload: the initiator's ML-KEM-768 encapsulation key (1,184 bytes)
    message 2   e, ee        payload: the ciphertext (1,088 bytes)
    message 3   s, se, psk   payload: nothing

    psk = HKDF-SHA256(secret: KEM secret, salt: h after message 2, info: "hobnob/v1/psk", 32 bytes)

The key of message 1 is used for this handshake alone. The salt binds the psk to this transcript, so
a secret that leaked from one handshake opens no other. A corrupt ciphertext gives the two sides
different psks (implicit rejection), which the tag of message 3 shows.

Dice are drawn in this order, which our vectors rely on: the initiator 64 bytes (KEM seed) and 32
bytes (ephemeral key) at message 1; the responder one encapsulation on reading message 1 and 32
bytes (ephemeral key) at message 2.
"""

from __future__ import annotations

from wire.channel.handshake import XKPSK3, HandshakeState, Role
from wire.channel.primitives import (
    KEM_SEED_BYTES,
    KEY_BYTES,
    KemKeyPair,
    hkdf,
    kem_encapsulate,
    require_ml_kem,
    static_pair,
)
from wire.channel.records import Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import REKEY_AFTER_BYTES, REKEY_AFTER_RECORDS
from wire.machine import Entropy

PSK_INFO = b"hobnob/v1/psk"


class HybridHandshake:
    """One side of the handshake of one link; write and read in turn, three messages in all.

    After the first error it is dead: every further verb raises LocalProtocolError.
    """

    __slots__ = (
        "_ciphertext",
        "_entropy",
        "_expected_static",
        "_kem",
        "_kem_secret",
        "_noise",
    )

    def __init__(
        self,
        *,
        role: Role,
        prologue: bytes,
        static_private: bytes,
        expected_static: bytes | None,
        entropy: Entropy,
    ) -> None:
        """Start before message 1.

        prologue: what both sides must hold alike (the preamble and the identity that the initiator
        expects). static_private: our link key, 32 bytes, secret. expected_static: the other side's
        link key, 32 bytes; an initiator must know it, a responder may. entropy: see the module.
        Raises LocalProtocolError for an initiator without it, WireError(LIBRARY_TOO_OLD) without
        ML-KEM.
        """
        require_ml_kem()
        is_initiator = role is Role.INITIATOR
        self._noise = HandshakeState(
            pattern=XKPSK3,
            suite=AESGCM_SHA256,
            role=role,
            prologue=prologue,
            static=static_pair(static_private),
            remote_static=expected_static if is_initiator else None,
            entropy=entropy,
        )
        self._entropy = entropy
        self._expected_static = expected_static
        self._kem: KemKeyPair | None = None  # the initiator's, between messages 1 and 2
        self._ciphertext = b""  # the responder's answer, and its secret, between messages 1 and 2
        self._kem_secret = b""

    @property
    def next_is_write(self) -> bool:
        """Whether the next message is ours to write; False once nothing is left to do."""
        return self._noise.next_is_write

    @property
    def is_finished(self) -> bool:
        """Whether all three messages went well here; the other's first record proves theirs."""
        return self._noise.is_finished

    @property
    def handshake_hash(self) -> bytes:
        """The channel's name: 32 bytes, public, alike on both sides and unique; once finished."""
        self._need_finished()
        return self._noise.handshake_hash

    @property
    def remote_static(self) -> bytes:
        """The link key (32 bytes) that the other side proved to hold; once finished."""
        self._need_finished()
        return self._noise.remote_static

    def write(self) -> bytes:
        """Give our next message: 1,232, 1,136 or 64 bytes; LocalProtocolError out of turn."""
        if not self.next_is_write:
            raise LocalProtocolError("it is not our turn to write a handshake message")
        number = self._noise.position + 1
        payload = b""
        if number == 1:
            self._kem = KemKeyPair(self._entropy.bytes(KEM_SEED_BYTES))
            payload = self._kem.public
        elif number == 2:
            payload = self._ciphertext
        message = self._noise.write(payload)
        if number == 2:
            self._set_psk(self._kem_secret)
        return message

    def read(self, message: bytes) -> None:
        """Take the other side's next message.

        message: as it came, any length. Raises RemoteProtocolError with HANDSHAKE_FAILED for
        whatever is wrong with it, LocalProtocolError out of turn.
        """
        number = self._noise.position + 1
        payload = self._noise.read(message)
        try:
            self._take(number, payload)
        except RemoteProtocolError:
            self._noise.fail()
            raise

    def split(
        self,
        *,
        rekey_after_records: int = REKEY_AFTER_RECORDS,
        rekey_after_bytes: int = REKEY_AFTER_BYTES,
    ) -> tuple[Sealer, Opener]:
        """Give the two ends of the records: what we seal with, what we open with; once finished.

        rekey_after_records, rekey_after_bytes: see `records`; both sides must use the same.
        """
        ours, theirs = self._noise.split()
        return (
            Sealer(ours, rekey_after_records, rekey_after_bytes),
            Opener(theirs, rekey_after_records, rekey_after_bytes),
        )

    def _take(self, number: int, payload: bytes) -> None:
        """Do with the payload of a message of theirs what its number says."""
        if number == 1:
            self._kem_secret, self._ciphertext = kem_encapsulate(self._entropy, payload)
        elif self._kem is not None:  # message 2: an initiator's key waits for nothing else
            self._set_psk(self._kem.decapsulate(payload))
        elif payload:
            raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "the third message has a payload")
        elif self._expected_static not in (None, self._noise.remote_static):
            raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "another key than the expected one")

    def _set_psk(self, secret: bytes) -> None:
        """Derive the psk at the end of message 2, and forget what is no longer needed."""
        self._noise.set_psk(hkdf(secret, self._noise.handshake_hash, PSK_INFO, KEY_BYTES))
        self._kem, self._kem_secret, self._ciphertext = None, b"", b""

    def _need_finished(self) -> None:
        if not self.is_finished:
            raise LocalProtocolError("the handshake is not finished")
