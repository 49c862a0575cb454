"""A target about a file that `import` takes: whatever it is, it is refused by name or is a sound profile.

The first byte of an input says what it is: 0 the file as it comes, 1 pieces behind an honest head, 2 anything
sealed in pieces by the right password, 3 changes of a sound database in which somebody sealed them.
"""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path

from peer.accounts import archive, porting
from peer.errors import PeerError
from peer.store import opening
from tests.fuzz.kept import own_home
from tests.fuzz.logged import people
from tests.fuzz.target import Finding, Shape, Target, check
from tests.harness.entropy import SeededEntropy
from wire.channel.primitives import AesGcm
from wire.codes import Code
from wire.errors import WireError
from wire.identity.packing import pack, unpack
from wire.ids import AccountName

_NAME, _PASSWORD = AccountName("alice"), "seven purple owls"
_WHERE = Path("profile.hobnob")
_KNOWN = (
    *(Code.EXPORT_INVALID, Code.WRONG_PASSWORD, Code.DATABASE_NEWER, Code.DATABASE_CORRUPT),
    *(Code.DATABASE_FAILED, Code.HOME_UNUSABLE),
)
_CHANGE_BYTES = 5  # where, in 4 bytes, and what stands there then


@cache
def _begun() -> tuple[bytes, AesGcm, bytes]:
    """Give the head of an honest file, and what opens the pieces behind it: Argon2 runs once."""
    file = io.BytesIO()
    writer = archive.Writer(file, _NAME, _PASSWORD, SeededEntropy(b"import"))
    return file.getvalue(), writer._cipher, writer._ad


def _sealed(*contents: bytes) -> bytes:
    """Seal pieces behind the honest head."""
    _, cipher, ad = _begun()
    pieces = [
        cipher.seal(2 * number + (number == len(contents) - 1), ad, content)
        for number, content in enumerate(contents)
    ]
    return b"".join(len(piece).to_bytes(4, "big") + piece for piece in pieces)


@cache
def _database() -> bytes:
    """Give a sound database of alice's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "profile.db"
        opening.back_up(people()[0].database.connection, path)
        return path.read_bytes()


def take_in(data: bytes) -> None:
    """Take a file in as far as its database's check."""
    mode, content = data[0] % 4 if data else 0, data[1:]
    draft = own_home().home / "draft.db"
    try:
        if mode == 3:
            draft.write_bytes(_changed(content))
        elif mode == 0 and not _is_head(content):
            archive.read(_WHERE, io.BufferedReader(io.BytesIO(content)), _PASSWORD)
            raise Finding("no head, and it is read")
        else:
            _, cipher, ad = _begun()
            raw = _sealed(*_cut(content)) if mode == 2 else content
            pieces = archive._pieces(_WHERE, io.BufferedReader(io.BytesIO(raw)), cipher, ad)
            account, config = porting._unpack(_WHERE, pieces, draft)
            check(len(config) <= porting.CONFIG_BYTES, "a configuration without bound")
            check(account.vault_counter >= 0, "less than nothing")
        porting._check(_WHERE, draft, _NAME)
    except PeerError as error:
        check(error.code in _KNOWN, f"{error.code} from a file to import")
    finally:
        for left in draft.parent.glob("draft.db*"):
            left.unlink()


def _is_head(raw: bytes) -> bool:
    """Say whether a file begins as an export does, which would cost a derived key."""
    start = len(archive.MAGIC) + archive.LENGTH_BYTES
    length = int.from_bytes(raw[len(archive.MAGIC) : start], "big")
    try:
        head = unpack(archive.Head, raw[start : start + length], Code.EXPORT_INVALID)
    except WireError:
        return False
    return raw.startswith(archive.MAGIC) and head.version == archive.VERSION


def _cut(content: bytes) -> list[bytes]:
    return [content[at : at + 500] for at in range(0, len(content), 500)] or [b""]


def _changed(changes: bytes) -> bytes:
    """Give the sound database with some bytes put otherwise."""
    made = bytearray(_database())
    for at in range(0, len(changes) - _CHANGE_BYTES + 1, _CHANGE_BYTES):
        place = int.from_bytes(changes[at : at + 4], "big") % len(made)
        made[place] = changes[at + 4]
    return bytes(made)


def _seeds() -> list[bytes]:
    account = pack(
        porting._Account("hobnob://h.example:9797/", b"vault", 3, b"s" * 16, 65536, 3, 4)
    )
    parts = b"".join(len(part).to_bytes(4, "big") + part for part in (account, b"[downloads]\n"))
    head = _begun()[0]
    changes = [place.to_bytes(4, "big") + b"\7" for place in (0, 18, 28, 60, 68, 100, 105, 5000)]
    return [
        b"\0" + head,
        b"\0" + head[:8] + head[9:],
        b"\1" + _sealed(parts[:20], parts[20:]),
        b"\1" + _sealed(parts),
        b"\2" + parts + b"SQLite format 3\0",
        b"\2" + parts + _database()[:600],
        b"\2" + parts[:3],
        b"\3",
        *(b"\3" + change for change in changes),
        b"\3" + b"".join(changes),
    ]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("import", take_in, _seeds, Shape.BYTES, 1, 2000)]
