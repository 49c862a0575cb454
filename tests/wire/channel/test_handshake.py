"""The interpreter's own rules: whose turn it is, which keys are due, what is final."""

from __future__ import annotations

import pytest

from tests.harness.entropy import SeededEntropy
from tests.wire.channel.patterns import pattern
from tests.wire.channel.sides import INITIATOR_PUBLIC, RESPONDER_PUBLIC
from tests.wire.channel.suites import SUITES
from wire.channel.handshake import MESSAGE_BYTES, HandshakeState, Role
from wire.channel.primitives import KeyPair
from wire.channel.symmetric import AESGCM_SHA256, NONCES, CipherState, Suite
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError

STATIC = KeyPair(SeededEntropy("static").bytes(32))


def _side(
    name: str,
    role: Role,
    static: KeyPair | None = None,
    remote_static: bytes | None = None,
) -> HandshakeState:
    return HandshakeState(
        pattern=pattern(name),
        suite=AESGCM_SHA256,
        role=role,
        prologue=b"",
        static=static,
        remote_static=remote_static,
        entropy=SeededEntropy(name + role.value),
    )


def _pair(name: str = "NN") -> tuple[HandshakeState, HandshakeState]:
    return _side(name, Role.INITIATOR), _side(name, Role.RESPONDER)


def test_messages_are_written_and_read_in_turn_only() -> None:
    one, other = _pair()
    for wrong in (lambda: one.read(b""), lambda: other.write(b""), one.split):
        with pytest.raises(LocalProtocolError):
            wrong()
    other.read(one.write(b""))
    for wrong in (lambda: one.write(b""), lambda: other.read(b""), other.split):
        with pytest.raises(LocalProtocolError):
            wrong()
    one.read(other.write(b""))
    assert one.is_finished
    assert other.is_finished
    for side in (one, other):
        assert not side.next_is_write
        with pytest.raises(LocalProtocolError):
            side.write(b"")
        with pytest.raises(LocalProtocolError):
            side.read(b"")


def test_after_a_refused_message_a_handshake_is_dead() -> None:
    one, other = _pair()
    other.read(one.write(b""))
    message = other.write(b"")
    with pytest.raises(RemoteProtocolError):
        one.read(message[:-1])
    assert not one.next_is_write
    assert not one.is_finished
    with pytest.raises(LocalProtocolError):
        one.read(message)
    with pytest.raises(LocalProtocolError):
        one.split()


def test_a_caller_may_give_a_handshake_up() -> None:
    one, other = _pair()
    other.read(one.write(b""))
    one.read(other.write(b""))
    one.fail()
    assert not one.is_finished
    with pytest.raises(LocalProtocolError):
        one.split()


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("name", ["XK", "KN", "NN"])
def test_a_remote_static_key_is_given_exactly_if_the_pattern_knows_it(
    name: str, role: Role
) -> None:
    table = pattern(name)
    is_initiator = role is Role.INITIATOR
    knows = table.responder_known if is_initiator else table.initiator_known
    with pytest.raises(LocalProtocolError):
        _side(name, role, STATIC, remote_static=None if knows else RESPONDER_PUBLIC)


def test_a_pattern_with_a_static_key_of_ours_needs_it() -> None:
    with pytest.raises(LocalProtocolError):
        _side("XK", Role.RESPONDER)
    with pytest.raises(LocalProtocolError):
        _side("KN", Role.INITIATOR)
    side = _side("IN", Role.INITIATOR)
    with pytest.raises(LocalProtocolError):
        side.write(b"")
    assert not side.next_is_write


def test_a_psk_has_32_bytes_and_must_be_there_in_time() -> None:
    for length in (0, 31, 33):
        with pytest.raises(LocalProtocolError):
            _side("NNpsk0", Role.INITIATOR).set_psk(bytes(length))
    with pytest.raises(LocalProtocolError):
        _side("NNpsk0", Role.INITIATOR).write(b"")


def test_the_remote_static_key_is_not_named_before_it_is_known() -> None:
    one = _side("IN", Role.INITIATOR, STATIC)
    other = _side("IN", Role.RESPONDER)
    with pytest.raises(LocalProtocolError):
        _ = other.remote_static
    other.read(one.write(b""))
    assert other.remote_static == STATIC.public
    known = _side("XK", Role.INITIATOR, STATIC, INITIATOR_PUBLIC)
    assert known.remote_static == INITIATOR_PUBLIC


def test_a_message_is_at_most_65535_bytes_long() -> None:
    one, other = _pair()
    message = one.write(bytes(MESSAGE_BYTES - 32))
    assert len(message) == MESSAGE_BYTES
    assert other.read(message) == bytes(MESSAGE_BYTES - 32)
    one, other = _pair()
    with pytest.raises(LocalProtocolError):
        one.write(bytes(MESSAGE_BYTES - 31))
    with pytest.raises(RemoteProtocolError) as caught:
        other.read(message + b"!")
    assert caught.value.code is Code.HANDSHAKE_FAILED


@pytest.mark.parametrize("name", ["NN", "IN", "XX"])
def test_every_cut_of_a_message_before_its_payload_is_too_short(name: str) -> None:
    message = _side(name, Role.INITIATOR, STATIC).write(b"")
    for length in range(len(message)):
        with pytest.raises(RemoteProtocolError) as caught:
            _side(name, Role.RESPONDER, STATIC).read(message[:length])
        assert caught.value.code is Code.HANDSHAKE_FAILED


class TestCipherState:
    @pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
    def test_the_last_nonce_is_never_used(self, suite: Suite) -> None:
        cipher = CipherState(suite, bytes(32), blame=Code.LINK_CORRUPT)
        cipher.nonce = NONCES - 1
        sealed = cipher.encrypt(b"", b"the last one")
        for wrong in (
            lambda: cipher.encrypt(b"", b""),
            lambda: cipher.decrypt(b"", sealed),
            lambda: cipher.encrypt_into(memoryview(b""), memoryview(bytearray(16))),
            lambda: cipher.decrypt_into(memoryview(sealed), memoryview(bytearray(12))),
        ):
            with pytest.raises(LocalProtocolError):
                wrong()

    def test_a_failed_tag_uses_no_nonce_up(self) -> None:
        ours = CipherState(AESGCM_SHA256, bytes(32), blame=Code.LINK_CORRUPT)
        theirs = CipherState(AESGCM_SHA256, bytes(32), blame=Code.LINK_CORRUPT)
        sealed = ours.encrypt(b"", b"text")
        with pytest.raises(RemoteProtocolError):
            theirs.decrypt(b"", bytes(20))
        with pytest.raises(RemoteProtocolError):
            theirs.decrypt_into(memoryview(bytes(20)), memoryview(bytearray(4)))
        assert theirs.decrypt(b"", sealed) == b"text"

    @pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
    def test_both_ways_to_seal_give_the_same_bytes(self, suite: Suite) -> None:
        by_value, by_buffer = (
            CipherState(suite, bytes(32), blame=Code.LINK_CORRUPT) for _ in range(2)
        )
        out, back = bytearray(20), bytearray(4)
        for _ in range(3):
            by_buffer.encrypt_into(memoryview(b"text"), memoryview(out))
            assert by_value.encrypt(b"", b"text") == out
            by_value.rekey()
            by_buffer.rekey()
        by_value.nonce = by_buffer.nonce = 0
        sealed = by_value.encrypt(b"", b"more")
        by_buffer.decrypt_into(memoryview(sealed), memoryview(back))
        assert back == b"more"

    def test_without_a_key_nothing_is_sealed_and_buffers_are_refused(self) -> None:
        cipher = CipherState(AESGCM_SHA256, None, blame=Code.HANDSHAKE_FAILED)
        assert not cipher.has_key
        assert cipher.decrypt(b"", cipher.encrypt(b"", b"text")) == b"text"
        buffer = memoryview(bytearray(16))
        for wrong in (
            cipher.rekey,
            lambda: cipher.encrypt_into(buffer[:0], buffer),
            lambda: cipher.decrypt_into(buffer, buffer[:0]),
        ):
            with pytest.raises(LocalProtocolError):
                wrong()
