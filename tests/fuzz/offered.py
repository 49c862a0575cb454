"""Targets about what an offer consists of: manifests, their pages, and signed digests."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec

from peer.transfers import paths
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.wire.transfer.exchange import KEY, SEED, SIGNING_KEY
from wire import codec, limits
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import SignPurpose, sign
from wire.messages import Message, Purpose
from wire.messages.transfer import ManifestPage
from wire.transfer import manifest
from wire.transfer.assembly import Assembly
from wire.transfer.digests import DigestBatch, DigestRun, chunk_digest, peek_digests, read_digests

MANIFEST = b"m" * (2 * limits.PAGE_BYTES + 7)
DIGEST = chunk_digest(b"x")


# --- manifests and where they land


def read_manifest(data: bytes) -> None:
    """Read a manifest; what is accepted lands inside its folder, each entry in a place of its own."""
    try:
        entries = manifest.decode(data)
    except RemoteProtocolError as error:
        known = (
            *(Code.MANIFEST_INVALID, Code.MANIFEST_CONFLICT, Code.NAME_UNSAFE),
            *(Code.NAME_TOO_LONG, Code.SIZE_INVALID, Code.TOO_MANY_FILES),
        )
        check(error.code in known, f"{error.code} from a manifest")
        return
    check(manifest.decode(manifest.encode(entries)) == entries, "a manifest has a twin")
    check(manifest.bytes_of(entries) >= 0, "less than nothing")
    places = paths.plan(entries)
    taken = set()
    for place in places:
        check(0 < len(place.name.encode()) <= limits.NAME_BYTES, "a name that no disk takes")
        check(place.name not in (".", ".."), "a name that leaves its folder")
        check(not set("/\\\0\n\r\x1b") & set(place.name), "a name that does something")
        at = (place.parent, paths.what_counts(place.name))
        check(at not in taken, "two entries in one place")
        taken.add(at)
        is_inside = place.parent == paths.TOP or not entries[place.parent].is_file
        check(is_inside, "something lies in a file")


def _manifests() -> list[bytes]:
    entry = manifest.Entry
    files = [entry("a.txt", 0, 5, False, 1), entry("B.txt", 0, 2**30, True, 2**40, 5)]
    tree = [
        entry("f", 1, 0, False, 0),
        entry("f/\u202egpj.exe", 0, 1, False, 0),
        entry("f/con", 0, 1, False, 0),
        entry("f/é", 0, 1, False, 0),
        entry("f/e\u0301", 0, 1, False, 0),
        entry("f/g", 1, 0, False, 0),
        entry("f/g/x" * 1, 0, 0, False, -1),
        entry("~root", 0, 0, False, 0),
    ]
    return [manifest.encode(files), manifest.encode(tree), manifest.encode(files[:1])]


# --- digests


def read_batches(data: bytes) -> None:
    """Read signed digests as they come (0), or anything well signed."""
    signed = data[1:]
    if data[:1] not in (b"", b"\0"):
        signed = signed_digests(data[1:])
    for read in (lambda: peek_digests(signed), lambda: read_digests(signed, SIGNING_KEY)):
        try:
            found = read()
        except RemoteProtocolError as error:
            known = (Code.DECODE, Code.SIGNATURE_INVALID, Code.MANIFEST_INVALID)
            check(error.code in known, f"{error.code} from digests")
            return
        if isinstance(found, DigestBatch):
            total = sum(len(run.each()) for run in found.runs)
            check(total <= limits.SIGNED_DIGESTS, "too many digests in one batch")


def signed_digests(body: bytes) -> bytes:
    """Sign any bytes as the offering device signs digests."""
    return msgspec.msgpack.encode([body, sign(SEED, SignPurpose.DIGESTS, body)])


def issue_body(runs: Sequence[DigestRun]) -> bytes:
    """Give the inside of a signed batch of the offer."""
    return msgspec.msgpack.encode(DigestBatch(KEY.device, KEY.offer, tuple(runs)))


def batches() -> list[bytes]:
    """Give signed digests (0) and what is inside them (1)."""
    made = [
        DigestBatch(KEY.device, KEY.offer, (DigestRun(1, 0, DIGEST),)),
        DigestBatch(
            KEY.device,
            KEY.offer,
            (DigestRun(7, 1, DIGEST * 2, DIGEST), DigestRun(8, 0, b"", DIGEST)),
        ),
    ]
    bodies = [msgspec.msgpack.encode(batch) for batch in made]
    return [*(b"\0" + signed_digests(body) for body in bodies), *(b"\1" + body for body in bodies)]


# --- a manifest that is fetched


def assemble(data: bytes) -> None:
    """Put a manifest together from pages: 1 the right one for the fetch its content names, else as they come."""
    content, digest = MANIFEST, manifest.digest(MANIFEST)
    ids = itertools.count()
    assembly = Assembly(KEY, size_bytes=len(content), digest=digest, new_fetch=lambda: next(ids))
    for step in steps_of(data):
        asks = assembly.asks()
        check(len(assembly._content) <= len(content), "more bytes than there are")
        page = step.content[0] % 4 if step.content else 0
        message: Message | None = ManifestPage(
            page, page, 3, content[page * limits.PAGE_BYTES :][: limits.PAGE_BYTES]
        )
        if step.kind != 1:
            message = decoded(step.content)
        if not isinstance(message, ManifestPage):
            continue
        try:
            whole = assembly.on_page(message)
        except WireError as error:
            check(error.code is Code.MANIFEST_INVALID, f"{error.code} from a page")
            return
        check(whole in (None, content), "another manifest than was offered")
        check(len(asks) <= assembly.pages, "it asks for more pages than there are")


def _page_seeds() -> list[bytes]:
    page = codec.encode(Purpose.DATA, ManifestPage(0, 0, 3, b"m" * 100))
    return [script_of((1, b"\0"), (1, b"\1"), (1, b"\2")), script_of((0, page), (1, b"\1"))]


def decoded(record: bytes) -> Message | None:
    """Give the message of a data link that a record carries, if it carries one."""
    try:
        return codec.decode(Purpose.DATA, record)
    except RemoteProtocolError:
        return None


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("manifest", read_manifest, _manifests, Shape.PACKED),
        Target("digests", read_batches, batches, Shape.PACKED, 1),
        Target("assembly", assemble, _page_seeds, Shape.SCRIPT),
    ]
