"""Whether a Hello proves who is at the other end, by purpose and role (design, section 4)."""

from __future__ import annotations

from wire import limits
from wire.channel.handshake import Role
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import check_hello, peek_certificate
from wire.ids import LinkKey
from wire.link.events import AnyHello, LinkConfig, Remote
from wire.messages.registry import Purpose
from wire.messages.session import Hello, HelloAnonymous, HelloTracker


def prove(hello: AnyHello, link_key: LinkKey, role: Role, config: LinkConfig) -> Remote:
    """Give who is there.

    hello: their first record. link_key: 32 bytes, which the handshake proved. role: ours. Raises
    RemoteProtocolError with NOT_NOW for the wrong kind of Hello, else as `check_hello`.
    """
    if config.purpose is Purpose.TRACKER:
        return _prove_on_tracker_link(hello, link_key, role)
    assert isinstance(hello, Hello), "the codec knows no other Hello between devices"
    certificate, device_list = check_hello(
        hello, link_key, config.expected_identity, known_counter=config.known_counter
    )
    return Remote(hello, certificate, device_list, link_key)


def _prove_on_tracker_link(hello: AnyHello, link_key: LinkKey, role: Role) -> Remote:
    """The handshake proved the tracker's key; a device is looked up by its link key, unverified.

    A signature check at each return would cost a tracker more than all the rest of a login.
    """
    if isinstance(hello, HelloTracker) is not (role is Role.INITIATOR):
        raise RemoteProtocolError(Code.NOT_NOW, "that Hello is for the other side to say")
    if not isinstance(hello, Hello):
        return Remote(hello, None, None, link_key)
    certificate = peek_certificate(hello.certificate)
    if certificate.link_key != link_key:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a certificate names another link key")
    return Remote(hello, certificate, None, link_key)


def is_anonymous(ours: AnyHello | None, theirs: AnyHello | None) -> bool:
    """Say whether one of the two ends of a link shows no device."""
    return isinstance(ours, HelloAnonymous) or isinstance(theirs, HelloAnonymous)


def most_record_bytes(purpose: Purpose, *, is_anonymous: bool) -> int:
    """Give how much plaintext a record of an open link carries at most."""
    if purpose is Purpose.DATA:
        return limits.DATA_RECORD_BYTES
    if is_anonymous:
        return limits.HELLO_BYTES  # the largest that may come is AddDevice, a little smaller
    return limits.CONTROL_RECORD_BYTES
