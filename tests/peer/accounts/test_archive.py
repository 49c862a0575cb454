"""A file sealed by a password: it comes back whole, and what was done to it is named."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from peer.accounts import archive
from peer.errors import PeerError
from tests.harness.entropy import SeededEntropy
from wire.codes import Code
from wire.ids import AccountName

NAME, PASSWORD = AccountName("alice"), "seven purple owls"
PIECE = archive.PIECE_BYTES
WHERE = Path("profile.hobnob")


def sealed(content: bytes, step: int = 300_000) -> bytes:
    file = io.BytesIO()
    writer = archive.Writer(file, NAME, PASSWORD, SeededEntropy(b"archive"))
    for at in range(0, len(content), step):
        writer.write(content[at : at + step])
    writer.close()
    return file.getvalue()


def opened(raw: bytes, password: str = PASSWORD) -> bytes:
    name, pieces = archive.read(WHERE, io.BufferedReader(io.BytesIO(raw)), password)
    assert name == NAME
    return b"".join(pieces)


def refused(raw: bytes, password: str = PASSWORD) -> Code:
    with pytest.raises(PeerError) as caught:
        opened(raw, password)
    assert "profile.hobnob" in caught.value.message
    return caught.value.code


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE])
def test_what_was_written_comes_back(size: int) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    raw = sealed(content)
    assert opened(raw) == content
    assert content[:64] not in raw or size < 64


def test_another_password_opens_nothing() -> None:
    assert refused(sealed(b"talk"), "seven purple cats") is Code.WRONG_PASSWORD


def test_a_file_that_was_cut_short_is_never_taken_for_a_whole_one() -> None:
    raw = sealed(bytes(3 * PIECE))
    head = len(raw) - (3 * (PIECE + 16 + 4))
    piece = PIECE + 16 + 4
    for kept in (head + 2 * piece, head + 2 * piece + 3, len(raw) - 1, head + piece + 700):
        assert refused(raw[:kept]) is Code.EXPORT_INVALID
    assert refused(raw[: head - 1]) is Code.EXPORT_INVALID
    assert refused(raw[: head + 2]) is Code.EXPORT_INVALID


def test_pieces_do_not_open_in_another_place_and_nothing_may_follow() -> None:
    raw = sealed(bytes(3 * PIECE))
    piece = PIECE + 16 + 4
    head = len(raw) - 3 * piece
    one, two, three = (raw[head + n * piece : head + (n + 1) * piece] for n in range(3))
    assert refused(raw[:head] + one + three) is Code.EXPORT_INVALID
    assert refused(raw[:head] + one + one + two + three) is Code.EXPORT_INVALID
    assert refused(raw + b"more") is Code.EXPORT_INVALID
    flipped = bytearray(raw)
    flipped[head + piece + 100] ^= 1
    assert refused(bytes(flipped)) is Code.EXPORT_INVALID


@pytest.mark.parametrize("raw", [b"", b"HBN", b"PK\x03\x04" + bytes(60), b"HBNX" + bytes(90)])
def test_a_foreign_file_is_named(raw: bytes) -> None:
    assert refused(raw) is Code.EXPORT_INVALID


def test_a_version_to_come_and_weak_parameters_are_refused() -> None:
    raw = sealed(b"talk")
    assert raw[8 + 1] == archive.VERSION
    newer = raw[:9] + bytes((2,)) + raw[10:]
    assert refused(newer) is Code.EXPORT_INVALID
    weaker = raw.replace(b"\xce\x00\x01\x00\x00", b"\xce\x00\x00\x00\x01")
    assert weaker != raw
    assert refused(weaker) is Code.EXPORT_INVALID
