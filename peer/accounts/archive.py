"""A file sealed by a password, written and read piece by piece: what `export` makes and `import` takes.

    "HBNX" | length of head (4 bytes) | head | pieces
    head   = MessagePack [version, account name, salt (16), Argon2id m, t, p, key salt (32)]
    key    = HKDF(wrap, key salt, "hobnob/v1/export"); wrap as for the key file: `wire.vault`, no tracker
    piece  = length (4 bytes) | AES-256-GCM(key, nonce 2 * number + is last, SHA-256 of all before the pieces)

Pieces have at most PIECE_BYTES of content; the last says that it is the last, so that a file that was cut short is
told from a whole one. Nothing is held in memory but one piece. Lengths are big-endian.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

from msgspec import Meta

from peer.errors import PeerError
from wire import limits
from wire.channel.primitives import AesGcm, hkdf, sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity.packing import Packed, pack, unpack
from wire.ids import AccountName
from wire.machine import Entropy
from wire.vault import NO_TRACKER, KdfParameters, derive_keys

MAGIC = b"HBNX"
VERSION = 1
PIECE_BYTES = limits.MIB
HEAD_BYTES = 4 * limits.KIB
LENGTH_BYTES = 4


class Head(Packed, frozen=True):
    """What stands in clear before the pieces."""

    version: int
    name: str
    salt: Annotated[bytes, Meta(min_length=16, max_length=16)]
    memory_kib: Annotated[int, Meta(ge=0, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=0, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=0, le=limits.KDF_LANES_MOST)]
    key_salt: Annotated[bytes, Meta(min_length=32, max_length=32)]


class Writer:
    """Writes one archive. Raises OSError; nothing is synced here."""

    def __init__(self, file: BinaryIO, name: AccountName, password: str, entropy: Entropy) -> None:
        kdf = KdfParameters(entropy.bytes(16))
        head = Head(
            VERSION, name, kdf.salt, kdf.memory_kib, kdf.passes, kdf.lanes, entropy.bytes(32)
        )
        raw = pack(head)
        before = MAGIC + len(raw).to_bytes(LENGTH_BYTES, "big") + raw
        self._cipher = _cipher(head, password)
        self._ad = sha256(before)
        self._file = file
        self._number = 0
        self._rest = b""
        file.write(before)

    def write(self, content: bytes) -> None:
        """Add content."""
        rest = self._rest + content
        while len(rest) > PIECE_BYTES:  # one that is exactly full may be the last
            self._put(rest[:PIECE_BYTES], is_last=False)
            rest = rest[PIECE_BYTES:]
        self._rest = rest

    def close(self) -> None:
        """Put the last piece; the file itself stays open."""
        self._put(self._rest, is_last=True)

    def _put(self, piece: bytes, *, is_last: bool) -> None:
        sealed = self._cipher.seal(2 * self._number + is_last, self._ad, piece)
        self._number += 1
        self._file.write(len(sealed).to_bytes(LENGTH_BYTES, "big") + sealed)


def read(path: Path, file: io.BufferedReader, password: str) -> tuple[AccountName, Iterator[bytes]]:
    """Give whose archive it is, and its content piece by piece.

    Raises PeerError with EXPORT_INVALID for what is none, or is damaged or cut short (from the iterator as well), and
    WRONG_PASSWORD where not even the first piece opens.
    """
    before = file.read(len(MAGIC) + LENGTH_BYTES)
    length = int.from_bytes(before[len(MAGIC) :], "big")
    if before[: len(MAGIC)] != MAGIC or not 0 < length <= HEAD_BYTES:
        raise PeerError(Code.EXPORT_INVALID, f"{path} is no export of hobnob")
    raw = file.read(length)
    try:
        head = unpack(Head, raw, Code.EXPORT_INVALID)
        if head.version != VERSION:
            detail = f"{path} has version {head.version}, this program reads {VERSION}"
            raise PeerError(Code.EXPORT_INVALID, detail, remedy="update this program")
        cipher = _cipher(head, password)
    except WireError as error:
        raise PeerError(Code.EXPORT_INVALID, f"{path} is damaged: {error}") from error
    ad = sha256(before + raw)
    return AccountName(head.name), _pieces(path, file, cipher, ad)


def _pieces(path: Path, file: io.BufferedReader, cipher: AesGcm, ad: bytes) -> Iterator[bytes]:
    number, is_last = 0, False
    while not is_last:
        length = int.from_bytes(_exactly(path, file, LENGTH_BYTES), "big")
        if length > PIECE_BYTES + limits.TAG_BYTES:
            raise PeerError(Code.EXPORT_INVALID, f"{path} is damaged")
        sealed = _exactly(path, file, length)
        is_last = not file.peek(1)
        try:
            piece = cipher.open(2 * number + is_last, ad, sealed)
        except RemoteProtocolError as error:
            raise _closed(path, number, is_last=is_last) from error
        number += 1
        yield piece


def _closed(path: Path, number: int, *, is_last: bool) -> PeerError:
    """Say why a piece did not open: the first one mostly for the password's sake."""
    if number == 0:
        return PeerError(
            Code.WRONG_PASSWORD,
            f"the password does not open {path}, or the file is damaged",
            remedy="try again with the password it was exported with",
        )
    what = "cut short" if is_last else "damaged"
    return PeerError(Code.EXPORT_INVALID, f"{path} is {what}")


def _exactly(path: Path, file: BinaryIO, length: int) -> bytes:
    raw = file.read(length)
    if len(raw) != length:
        raise PeerError(Code.EXPORT_INVALID, f"{path} is cut short")
    return raw


def _cipher(head: Head, password: str) -> AesGcm:
    kdf = KdfParameters(head.salt, head.memory_kib, head.passes, head.lanes)
    wrap = derive_keys(password, AccountName(head.name), NO_TRACKER, kdf).wrap_key
    return AesGcm(hkdf(wrap, head.key_salt, b"hobnob/v1/export", 32), Code.EXPORT_INVALID)
