"""Small values that name things, and the functions that refuse nonsense.

Each is a `NewType` over `bytes` or `str`: free at run time, distinct to the type checker. The function
of the same name in lower case is the only way in from bytes that somebody else chose. The annotated
twins ending in `Field` are for message schemas: msgspec then checks the length at decoding.
"""

from __future__ import annotations

import re
from typing import Annotated, NewType

from msgspec import Meta

from wire.codes import Code
from wire.errors import WireError

DeviceId = NewType("DeviceId", bytes)  # 16 bytes, random
OfferId = NewType("OfferId", bytes)  # 16 bytes, random
BootId = NewType("BootId", bytes)  # 16 bytes, random, new at each start of a node
RequestId = NewType("RequestId", int)  # 0 to 2^32-1, chosen by the asker, unique among those open
Epoch = NewType("Epoch", bytes)  # 8 bytes, random: one run of sequence numbers of one device
IdentityKey = NewType("IdentityKey", bytes)  # 32 bytes, Ed25519 public
SigningKey = NewType("SigningKey", bytes)  # 32 bytes, Ed25519 public, of a device
LinkKey = NewType(
    "LinkKey", bytes
)  # 32 bytes, X25519 public: Noise static of a device or a tracker
AuthKey = NewType("AuthKey", bytes)  # 32 bytes, Ed25519 public, derived from the password
EventId = NewType("EventId", bytes)  # 32 bytes, SHA-256 of the header
ConversationId = NewType("ConversationId", bytes)  # 32 bytes
ChunkDigest = NewType("ChunkDigest", bytes)  # 32 bytes, BLAKE3
FileRoot = NewType("FileRoot", bytes)  # 32 bytes, BLAKE3(size, page digests)
AccountName = NewType("AccountName", str)  # 2 to 32 characters, folded

DeviceIdField = Annotated[DeviceId, Meta(min_length=16, max_length=16)]
OfferIdField = Annotated[OfferId, Meta(min_length=16, max_length=16)]
BootIdField = Annotated[BootId, Meta(min_length=16, max_length=16)]
RequestIdField = Annotated[RequestId, Meta(ge=0, le=2**32 - 1)]
EpochField = Annotated[Epoch, Meta(min_length=8, max_length=8)]
IdentityKeyField = Annotated[IdentityKey, Meta(min_length=32, max_length=32)]
SigningKeyField = Annotated[SigningKey, Meta(min_length=32, max_length=32)]
LinkKeyField = Annotated[LinkKey, Meta(min_length=32, max_length=32)]
AuthKeyField = Annotated[AuthKey, Meta(min_length=32, max_length=32)]
EventIdField = Annotated[EventId, Meta(min_length=32, max_length=32)]
ConversationIdField = Annotated[ConversationId, Meta(min_length=32, max_length=32)]
ChunkDigestField = Annotated[ChunkDigest, Meta(min_length=32, max_length=32)]
FileRootField = Annotated[FileRoot, Meta(min_length=32, max_length=32)]
AccountNameField = Annotated[
    AccountName, Meta(min_length=2, max_length=32, pattern=r"^[a-z][a-z0-9._-]{1,31}\Z")
]
Millis = Annotated[int, Meta(ge=0, le=2**53)]  # milliseconds since 1970, UTC; beyond is nonsense
Counter = Annotated[int, Meta(ge=0, le=2**53)]  # only ever goes up
Seq = Annotated[int, Meta(ge=1, le=2**53)]  # position in one chain, from 1, without holes
SizeBytes = Annotated[int, Meta(ge=0, le=2**44)]  # 16 TiB, the largest file of design section 7
Signature = Annotated[bytes, Meta(min_length=64, max_length=64)]

_NAME = re.compile(r"[a-z][a-z0-9._-]*\Z")

RESERVED_NAMES = frozenset(
    "admin administrator all anonymous everyone here hobnob me moderator nobody none owner root room"
    " self server support system tracker user you".split()
)
"""Names that could be mistaken for the service, a role or a word of the command line."""


def account_name(text: str) -> AccountName:
    """Fold and check a name that a person typed.

    text: any string. Gives 2 to 32 characters of `a-z 0-9 . _ -` that start with a letter; ASCII
    capitals are folded, nothing else is: look-alikes of other scripts are refused, not mapped.
    Raises WireError with NAME_LENGTH, NAME_CHARACTERS or NAME_RESERVED.
    """
    if not 2 <= len(text) <= 32:
        raise WireError(Code.NAME_LENGTH, f"a name has 2 to 32 characters, this one {len(text)}")
    if not text.isascii():
        raise WireError(Code.NAME_CHARACTERS, "a name has only the characters a-z 0-9 . _ -")
    folded = text.lower()
    if _NAME.match(folded) is None:
        raise WireError(
            Code.NAME_CHARACTERS, "a name starts with a letter and has only a-z 0-9 . _ -"
        )
    if folded in RESERVED_NAMES:
        raise WireError(Code.NAME_RESERVED, f"the name {folded!r} is reserved")
    return AccountName(folded)
