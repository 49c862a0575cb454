"""What people compare and copy: fingerprints, safety numbers, friend codes; and what two people share.

Friend code: `hobnob-friend:` and lower-case base32 (RFC 4648, no padding) of

    version: 1 | n: 1 | name: n | identity: 32 | a: 1 | k: 1 | address: a | tracker key: k | checksum: 4

Name and address are ASCII; the address is the tracker's without its key, and empty without a tracker; k is
32 or 0. The checksum is the first 4 bytes of SHA-256 over all before it, so that a typing error is named
as one and never mistaken for another key.
"""

from __future__ import annotations

import base64
import binascii
import re

from msgspec import Struct

from wire.address import TrackerAddress
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import WireError
from wire.ids import AccountName, ConversationId, IdentityKey, LinkKey, account_name

CODE_PREFIX = "hobnob-friend:"
CODE_VERSION = 1
CHECKSUM_BYTES = 4
SAFETY_ROUNDS = (
    5200  # as the iterated hash of Signal's fingerprints: it makes a near-collision dear
)


def fingerprint(identity: IdentityKey) -> str:
    """Give an identity as people and scripts see it: 64 hex digits."""
    return identity.hex()


def safety_number(ours: IdentityKey, theirs: IdentityKey) -> str:
    """Give the 60 digits that two friends compare, alike on both sides.

    Each identity is hashed 5,200 times and gives 30 digits (six groups of five from 5 bytes each,
    modulo 100,000); the smaller half stands first.
    """
    halves = sorted((_half(ours), _half(theirs)))
    return "".join(halves)


def _half(identity: IdentityKey) -> str:
    digest = b"hobnob/v1/safety\0" + identity
    for _ in range(SAFETY_ROUNDS):
        digest = sha256(digest + identity)
    groups = (digest[index : index + 5] for index in range(0, 30, 5))
    return "".join(f"{int.from_bytes(group, 'big') % 100_000:05}" for group in groups)


def direct_conversation(one: IdentityKey, other: IdentityKey) -> ConversationId:
    """Give the id of the conversation of two identities, whichever is named first."""
    return ConversationId(sha256(b"hobnob/v1/direct\0" + b"".join(sorted((one, other)))))


class FriendCode(Struct, frozen=True):
    """What a friend code says: who, where, and the whole identity key."""

    name: AccountName
    tracker: TrackerAddress | None  # None: an account without a tracker
    identity: IdentityKey


def encode_friend_code(
    name: AccountName, tracker: TrackerAddress | None, identity: IdentityKey
) -> str:
    """Give the friend code of an account; tracker: with its key, or None."""
    address = "" if tracker is None else str(TrackerAddress(tracker.host, tracker.port, None))
    key = b"" if tracker is None or tracker.key is None else tracker.key
    raw = bytes((CODE_VERSION, len(name))) + name.encode() + identity
    raw += bytes((len(address), len(key))) + address.encode() + key
    raw += sha256(raw)[:CHECKSUM_BYTES]
    return CODE_PREFIX + base64.b32encode(raw).rstrip(b"=").decode().lower()


def looks_like_friend_code(text: str) -> bool:
    """Say whether a person meant a friend code rather than a name."""
    return text.strip().lower().startswith(CODE_PREFIX)


def decode_friend_code(text: str) -> FriendCode:
    """Read a friend code as a person pasted it: capitals, spaces and line breaks do not matter.

    Raises WireError with CODE_CHECKSUM for everything that is not one, whole and unchanged.
    """
    squeezed = re.sub(r"\s+", "", text).lower()
    if not squeezed.startswith(CODE_PREFIX):
        raise _broken(f"it does not begin with {CODE_PREFIX}")
    letters = squeezed[len(CODE_PREFIX) :]
    try:
        raw = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except (ValueError, binascii.Error) as error:
        raise _broken("it has a character or a length that no code has") from error
    if base64.b32encode(raw).rstrip(b"=").decode().lower() != letters:
        raise _broken("its last character is wrong")
    body, checksum = raw[:-CHECKSUM_BYTES], raw[-CHECKSUM_BYTES:]
    if sha256(body)[:CHECKSUM_BYTES] != checksum:
        raise _broken("its checksum does not fit: a character is wrong or missing")
    return _fields(body)


def _fields(body: bytes) -> FriendCode:
    """Take the checked bytes apart; whoever made the checksum may still have made nonsense."""
    try:
        version, name_length = body[0], body[1]
        at = 2 + name_length
        name = body[2:at].decode("ascii")
        identity = body[at : at + 32]
        address_length, key_length = body[at + 32], body[at + 33]
        at += 34
        address = body[at : at + address_length].decode("ascii")
        key = body[at + address_length :]
    except (IndexError, UnicodeDecodeError) as error:
        raise _broken("it is cut short") from error
    if version != CODE_VERSION:
        raise _broken(f"it has version {version}, this program reads {CODE_VERSION}")
    if len(key) != key_length or key_length not in (0, 32):
        raise _broken("it is cut short")
    try:
        tracker = None
        if address:
            plain = TrackerAddress.parse(address)
            tracker = TrackerAddress(plain.host, plain.port, LinkKey(key) if key else None)
        return FriendCode(account_name(name), tracker, IdentityKey(identity))
    except WireError as error:
        raise _broken(error.detail) from error


def _broken(why: str) -> WireError:
    return WireError(Code.CODE_CHECKSUM, f"the friend code is not right: {why}")
