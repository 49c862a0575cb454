"""Files: a manifest, chunks, pages and roots, what a device signs of them."""

from __future__ import annotations

from typing import Any

from blake3 import blake3
from msgspec.structs import astuple

from tests.vectors.identities import THEN, Somebody
from wire.ids import OfferId
from wire.limits import CHUNK_BYTES, PAGE_DIGESTS
from wire.transfer import manifest
from wire.transfer.digests import (
    DigestBatch,
    DigestRun,
    DigestTable,
    chunk_count,
    chunk_digest,
    issue_digests,
    zero_digest,
)
from wire.transfer.manifest import FILE, FOLDER, Entry

SIZES = (0, 1, 1000, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES + 500)
MANY = PAGE_DIGESTS + 1


def content_of(size: int) -> bytes:
    """Give the file of a size: byte i is i mod 251."""
    period = bytes(range(251))
    return (period * (size // 251 + 1))[:size]


def make() -> dict[str, Any]:
    """Give everything that transfer.json holds."""
    entries = [
        Entry("holiday", FOLDER, 0, False, THEN),
        Entry("holiday/b/c.txt", FILE, 11, True, THEN + 1),
        Entry("holiday/b", FOLDER, 0, False, THEN),
        Entry("holiday/a.jpg", FILE, CHUNK_BYTES, False, THEN + 2, 4096),
        Entry("holiday/nothing in it", FOLDER, 0, False, THEN),
        Entry("holiday!", FILE, 0, False, -1),
        Entry("ü 😀.txt", FILE, 1, False, THEN),
    ]
    raw = manifest.encode(entries)
    alice = Somebody("alice")
    offer = OfferId(bytes(range(16)))
    runs = (
        DigestRun(0, 0, chunk_digest(content_of(1000))),
        DigestRun(1, 0, b"".join(_digests(content_of(SIZES[-1]))), _table(SIZES[-1]).root()),
    )
    batch = DigestBatch(alice.keys.device, offer, runs)
    return {
        "about": "Files whose byte i is i mod 251, and one of which only the chunk digests are given: "
        "that of chunk i is BLAKE3 of i as 4 bytes, big-endian. Signed by Alice's first device of identity.json.",
        "manifest": {
            "entries": [list(astuple(entry)) for entry in manifest.decode(raw)],
            "content": raw,
            "digest": manifest.digest(raw),
        },
        "files": [
            {
                "size": size,
                "chunk_digests": _digests(content_of(size)),
                "root": _table(size).root(),
            }
            for size in SIZES
        ],
        "many": _many(),
        "zeros": {"size": CHUNK_BYTES, "digest": zero_digest(CHUNK_BYTES)},
        "signed_digests": {
            "fields": [batch.device, batch.offer, [list(astuple(run)) for run in runs]],
            "signed": issue_digests(alice.keys.signing_seed, batch),
        },
    }


def _digests(content: bytes) -> list[bytes]:
    cuts = range(0, len(content), CHUNK_BYTES)
    return [bytes(chunk_digest(content[at : at + CHUNK_BYTES])) for at in cuts]


def _table(size: int) -> DigestTable:
    table = DigestTable(size)
    for index, digest in enumerate(_digests(content_of(size))):
        table.put(index, digest)
    return table


def _many() -> dict[str, Any]:
    size = (MANY - 1) * CHUNK_BYTES + 1
    assert chunk_count(size) == MANY
    digests = [blake3(index.to_bytes(4, "big")).digest() for index in range(MANY)]
    table = DigestTable(size)
    for index, digest in enumerate(digests):
        table.put(index, digest)
    pages = [digests[:PAGE_DIGESTS], digests[PAGE_DIGESTS:]]
    return {
        "size": size,
        "chunks": MANY,
        "page_digests": [blake3(b"".join(page)).digest() for page in pages],
        "root": table.root(),
    }
