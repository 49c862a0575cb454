"""Our side, in both roles, against the independent `noiseprotocol` package."""

from __future__ import annotations

import pytest
from noise.connection import Keypair, NoiseConnection
from noise.exceptions import NoiseInvalidMessage

from tests.harness.entropy import SeededEntropy
from tests.wire.channel.patterns import pattern
from tests.wire.channel.sides import (
    INITIATOR_KEY,
    INITIATOR_PUBLIC,
    PROLOGUE,
    RESPONDER_KEY,
    RESPONDER_PUBLIC,
)
from tests.wire.channel.suites import SUITES
from wire.channel.handshake import HandshakeState, Role
from wire.channel.primitives import KeyPair
from wire.channel.symmetric import CipherState
from wire.codes import Code
from wire.errors import RemoteProtocolError

PSK = SeededEntropy("psk").bytes(32)
PROTOCOLS = [f"XKpsk3_{suite}" for suite in sorted(SUITES)]
OURS = "XKpsk3_25519_AESGCM_SHA256"


def _theirs(protocol: str, role: Role, psk: bytes = PSK) -> NoiseConnection:
    connection = NoiseConnection.from_name(f"Noise_{protocol}".encode())
    if role is Role.INITIATOR:
        connection.set_as_initiator()
        connection.set_keypair_from_private_bytes(Keypair.STATIC, INITIATOR_KEY)
        connection.set_keypair_from_public_bytes(Keypair.REMOTE_STATIC, RESPONDER_PUBLIC)
    else:
        connection.set_as_responder()
        connection.set_keypair_from_private_bytes(Keypair.STATIC, RESPONDER_KEY)
    connection.set_psks(psk)
    connection.set_prologue(PROLOGUE)
    connection.start_handshake()
    return connection


def _ours(protocol: str, role: Role) -> HandshakeState:
    name, suite = protocol.split("_", 1)
    is_initiator = role is Role.INITIATOR
    state = HandshakeState(
        pattern=pattern(name),
        suite=SUITES[suite],
        role=role,
        prologue=PROLOGUE,
        static=KeyPair(INITIATOR_KEY if is_initiator else RESPONDER_KEY),
        remote_static=RESPONDER_PUBLIC if is_initiator else None,
        entropy=SeededEntropy("ours"),
    )
    state.set_psk(PSK)
    return state


def _shake_hands(ours: HandshakeState, theirs: NoiseConnection) -> None:
    """Pass all messages, each with a payload of its own."""
    while not ours.is_finished:
        payload = SeededEntropy(f"payload {ours.position}").bytes(100 * ours.position)
        if ours.next_is_write:
            assert theirs.read_message(ours.write(payload)) == payload
        else:
            assert ours.read(bytes(theirs.write_message(payload))) == payload


def _linked(protocol: str, role: Role) -> tuple[HandshakeState, NoiseConnection]:
    ours = _ours(protocol, role)
    theirs = _theirs(protocol, Role.RESPONDER if role is Role.INITIATOR else Role.INITIATOR)
    _shake_hands(ours, theirs)
    return ours, theirs


def _talk(sends: CipherState, receives: CipherState, theirs: NoiseConnection) -> None:
    for number in range(5):
        text = SeededEntropy(number).bytes(1 + 700 * number)
        assert theirs.decrypt(sends.encrypt(b"", text)) == text
        assert receives.decrypt(b"", theirs.encrypt(text)) == text


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_independent_implementation_understands_us_and_we_it(protocol: str, role: Role) -> None:
    ours, theirs = _linked(protocol, role)
    assert theirs.handshake_finished
    assert theirs.get_handshake_hash() == ours.handshake_hash
    public = RESPONDER_PUBLIC if role is Role.INITIATOR else INITIATOR_PUBLIC
    assert ours.remote_static == public
    _talk(*ours.split(), theirs)


@pytest.mark.parametrize("role", Role)
def test_both_replace_keys_alike(role: Role) -> None:
    ours, theirs = _linked(OURS, role)
    sends, receives = ours.split()
    for _ in range(3):
        _talk(sends, receives, theirs)
        sends.rekey()
        theirs.rekey_inbound_cipher()
        receives.rekey()
        theirs.rekey_outbound_cipher()
    _talk(sends, receives, theirs)


def test_another_psk_is_found_out_by_us_in_the_third_message() -> None:
    ours = _ours(OURS, Role.RESPONDER)
    theirs = _theirs(OURS, Role.INITIATOR, psk=bytes(32))
    ours.read(bytes(theirs.write_message()))
    theirs.read_message(ours.write(b""))
    with pytest.raises(RemoteProtocolError) as caught:
        ours.read(bytes(theirs.write_message()))
    assert caught.value.code is Code.HANDSHAKE_FAILED


@pytest.mark.parametrize("role", Role)
def test_a_record_that_was_changed_is_refused_by_both(role: Role) -> None:
    ours, theirs = _linked(OURS, role)
    sends, receives = ours.split()
    with pytest.raises(NoiseInvalidMessage):
        theirs.decrypt(_changed(sends.encrypt(b"", b"text")))
    with pytest.raises(RemoteProtocolError) as caught:
        receives.decrypt(b"", _changed(theirs.encrypt(b"text")))
    assert caught.value.code is Code.LINK_CORRUPT


def _changed(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes((sealed[-1] ^ 1,))
