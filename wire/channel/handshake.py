"""HandshakeState of the Noise text, revision 34, section 5.3, as an interpreter of token tables.

A pattern is a table; this module walks it. The product holds one table, `XKPSK3`; those of the
published vectors stand in the tests. What payloads mean, and where the psk comes from, is not known
here (`hybrid`).
"""

from __future__ import annotations

import enum
from typing import TypeVar

from msgspec import Struct

from wire.channel.primitives import KEY_BYTES, KeyPair
from wire.channel.symmetric import CipherState, Suite, SymmetricState
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import TAG_BYTES
from wire.machine import Entropy

_Key = TypeVar("_Key")

MESSAGE_BYTES = 65535
"""The longest handshake message (Noise, section 3); links allow far less (`limits`)."""


class Role(enum.Enum):
    """Who speaks first."""

    INITIATOR = "initiator"
    RESPONDER = "responder"


class Token(enum.Enum):
    """One step of a handshake message; of a DH the first letter is the initiator's key."""

    E = "e"
    S = "s"
    EE = "ee"
    ES = "es"
    SE = "se"
    SS = "ss"
    PSK = "psk"


class Pattern(Struct, frozen=True):
    """One handshake pattern (Noise, section 7).

    name: with its modifiers, as in a protocol name. initiator_known, responder_known: that side's
    static key is known to the other beforehand (the pre-message `s`). messages: the tokens of each,
    the initiator's first, then in turn.
    """

    name: str
    initiator_known: bool
    responder_known: bool
    messages: tuple[tuple[Token, ...], ...]


XKPSK3 = Pattern(
    "XKpsk3",
    initiator_known=False,
    responder_known=True,
    messages=(
        (Token.E, Token.ES),
        (Token.E, Token.EE),
        (Token.S, Token.SE, Token.PSK),
    ),
)
"""The pattern of our links: the initiator knows whom it calls and says last who it is."""


class HandshakeState:
    """One side of one handshake: messages are written and read in turn until the table ends.

    After the first error of the other side it is dead: every further verb raises
    LocalProtocolError.
    """

    __slots__ = (
        "_dead",
        "_entropy",
        "_ephemeral",
        "_is_psk",
        "_pattern",
        "_psk",
        "_remote_ephemeral",
        "_remote_static",
        "_role",
        "_static",
        "_symmetric",
        "position",
    )

    def __init__(
        self,
        *,
        pattern: Pattern,
        suite: Suite,
        role: Role,
        prologue: bytes,
        static: KeyPair | None,
        remote_static: bytes | None,
        entropy: Entropy,
    ) -> None:
        """Start before the first message (Initialize).

        prologue: any bytes, which both sides must hold alike. static: our key, None where the
        pattern has none. remote_static: 32 bytes, given exactly if the pattern says it is known
        beforehand. entropy: asked for 32 bytes when our ephemeral key is due. Raises
        LocalProtocolError if keys and pattern do not fit.
        """
        is_initiator = role is Role.INITIATOR
        knows_remote = pattern.responder_known if is_initiator else pattern.initiator_known
        if knows_remote is (remote_static is None):
            raise LocalProtocolError("the other side's static key is given exactly if it is known")
        self._pattern = pattern
        self._role = role
        self._static = static
        self._remote_static = remote_static
        self._ephemeral: KeyPair | None = None
        self._remote_ephemeral: bytes | None = None
        self._entropy = entropy
        self._psk: bytes | None = None
        self._is_psk = any(Token.PSK in tokens for tokens in pattern.messages)
        self._dead = False
        self.position = 0
        self._symmetric = SymmetricState(f"Noise_{pattern.name}_{suite.name}", suite)
        self._symmetric.mix_hash(prologue)
        if pattern.initiator_known:
            self._symmetric.mix_hash(self._public_static(ours=is_initiator))
        if pattern.responder_known:
            self._symmetric.mix_hash(self._public_static(ours=not is_initiator))

    @property
    def is_finished(self) -> bool:
        """Whether every message of the table was written or read, and none was refused."""
        return self.position == len(self._pattern.messages) and not self._dead

    @property
    def next_is_write(self) -> bool:
        """Whether the next message is ours to write; False once nothing is left to do."""
        if self._dead or self.position == len(self._pattern.messages):
            return False
        return (self.position % 2 == 0) is (self._role is Role.INITIATOR)

    @property
    def handshake_hash(self) -> bytes:
        """The transcript so far: hash_length bytes, public, unique to this handshake at its end."""
        return self._symmetric.handshake_hash

    @property
    def remote_static(self) -> bytes:
        """The other side's static key, 32 bytes, proven only once all is finished.

        Raises LocalProtocolError before it is known.
        """
        return _present(self._remote_static)

    def set_psk(self, psk: bytes) -> None:
        """Hand over the pre-shared key before the message with its token.

        psk: 32 bytes, secret. Raises LocalProtocolError for another length.
        """
        if len(psk) != KEY_BYTES:
            raise LocalProtocolError("a psk has 32 bytes")
        self._psk = psk

    def fail(self) -> None:
        """Give the handshake up: for a caller who refuses what a payload carried."""
        self._dead = True

    def write(self, payload: bytes) -> bytes:
        """Write the next message (WriteMessage).

        payload: any bytes that leave the message below 65,536. Raises LocalProtocolError if it is
        not our turn, a key is missing, or the message grows too long; the handshake is then dead.
        """
        if not self.next_is_write:
            raise LocalProtocolError("it is not our turn to write a handshake message")
        self._dead = True  # until all of it went well: nothing goes on from half a message
        parts = [self._write_token(token) for token in self._pattern.messages[self.position]]
        parts.append(self._symmetric.encrypt_and_hash(payload))
        message = b"".join(parts)
        if len(message) > MESSAGE_BYTES:
            raise LocalProtocolError("a handshake message has at most 65,535 bytes")
        self._step()
        return message

    def read(self, message: bytes) -> bytes:
        """Read the next message and give its payload (ReadMessage).

        message: as it came, any length. Raises RemoteProtocolError with HANDSHAKE_FAILED if
        anything in it does not fit or verify, LocalProtocolError if it is not the other side's
        turn.
        """
        if self._dead or self.is_finished or self.next_is_write:
            raise LocalProtocolError("it is not the other side's turn in this handshake")
        self._dead = True
        if len(message) > MESSAGE_BYTES:
            raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "a message is too long")
        rest = message
        for token in self._pattern.messages[self.position]:
            rest = self._read_token(token, rest)
        payload = self._symmetric.decrypt_and_hash(rest)
        self._step()
        return payload

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the ciphers to send and to receive with (Split); LocalProtocolError too early."""
        if not self.is_finished:
            raise LocalProtocolError("the handshake is not finished")
        initiators, responders = self._symmetric.split()
        if self._role is Role.INITIATOR:
            return initiators, responders
        return responders, initiators

    def _public_static(self, *, ours: bool) -> bytes:
        return _present(self._static).public if ours else _present(self._remote_static)

    def _step(self) -> None:
        self.position += 1
        self._dead = False

    def _write_token(self, token: Token) -> bytes:
        """Do one token of a message of ours and give what it puts on the wire."""
        if token is Token.E:
            self._ephemeral = KeyPair(self._entropy.bytes(KEY_BYTES))
            self._mix_ephemeral(self._ephemeral.public)
            return self._ephemeral.public
        if token is Token.S:
            return self._symmetric.encrypt_and_hash(_present(self._static).public)
        self._mix(token)
        return b""

    def _read_token(self, token: Token, rest: bytes) -> bytes:
        """Do one token of a message of theirs and give what of the message is left."""
        if token is Token.E:
            self._remote_ephemeral, rest = _cut(rest, KEY_BYTES)
            self._mix_ephemeral(self._remote_ephemeral)
        elif token is Token.S:
            length = KEY_BYTES + (TAG_BYTES if self._symmetric.has_key else 0)
            sealed, rest = _cut(rest, length)
            self._remote_static = self._symmetric.decrypt_and_hash(sealed)
        else:
            self._mix(token)
        return rest

    def _mix_ephemeral(self, public: bytes) -> None:
        self._symmetric.mix_hash(public)
        if self._is_psk:  # so that a key from a psk is never used twice (Noise, section 9.2)
            self._symmetric.mix_key(public)

    def _mix(self, token: Token) -> None:
        """Do a token that both sides do alike: a psk or a DH."""
        if token is Token.PSK:
            self._symmetric.mix_key_and_hash(_present(self._psk))
            return
        ours, theirs = token.value
        if self._role is Role.RESPONDER:
            ours, theirs = theirs, ours
        key_pair = self._ephemeral if ours == "e" else self._static
        public = self._remote_ephemeral if theirs == "e" else self._remote_static
        self._symmetric.mix_key(_present(key_pair).dh(_present(public)))


def _present(key: _Key | None) -> _Key:
    """Give a key that the table needs now; LocalProtocolError if it was never handed over."""
    if key is None:
        raise LocalProtocolError("a key that the pattern needs is missing")
    return key


def _cut(rest: bytes, length: int) -> tuple[bytes, bytes]:
    """Cut a message after `length` bytes; raises RemoteProtocolError if there are fewer."""
    if len(rest) < length:
        raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "a message is too short")
    return rest[:length], rest[length:]
