"""Files over a data link: manifest, chunks, digests, what vouches for them. PROTOCOL.md, section 5."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blake3 import blake3

from tests.independent import values
from tests.independent.link import Link, number, octets, rows
from tests.independent.msgpack import Value, pack, unpack_array
from tests.independent.values import Certificate, Device

MIB = 1024 * 1024
PAGE = 32 * 1024


class Unfit(Exception):
    """What came is not what was asked for, announced or signed."""


def chunks_of(content: bytes) -> list[bytes]:
    """Cut a file into its chunks."""
    return [content[at : at + MIB] for at in range(0, len(content), MIB)]


def digest(content: bytes) -> bytes:
    """Give BLAKE3 of some bytes."""
    return blake3(content).digest()


def root_of(size: int, chunk_digests: Sequence[bytes]) -> bytes:
    """Give the root of a file from its chunks' digests."""
    pages = [
        digest(b"".join(chunk_digests[at : at + 1024])) for at in range(0, len(chunk_digests), 1024)
    ]
    return digest(size.to_bytes(8, "big") + b"".join(pages))


@dataclass(frozen=True)
class Offer:
    """An offer as its event says it."""

    id: bytes
    title: str
    files: int
    size: int
    names: list[str]
    manifest_size: int
    manifest_digest: bytes

    @classmethod
    def of(cls, content: list[Value]) -> Offer:
        """Read the content of an event of kind 5."""
        names = content[4]
        assert isinstance(names, list)
        return cls(
            octets(content, 0),
            str(content[1]),
            number(content, 2),
            number(content, 3),
            [str(name) for name in names],
            number(content, 5),
            octets(content, 6),
        )

    def content(self) -> list[Value]:
        """Give the content of an event of kind 5."""
        what: list[Value] = [self.id, self.title, self.files, self.size, list(self.names)]
        return [*what, self.manifest_size, self.manifest_digest, []]


def manifest_of(files: dict[str, bytes], folders: Sequence[str] = ()) -> bytes:
    """Write the manifest of some files; the names are not looked at."""
    entries = [(name, 0, len(content)) for name, content in files.items()]
    entries += [(name, 1, 0) for name in folders]
    entries.sort(key=lambda entry: [part.encode() for part in entry[0].split("/")])
    return pack([[*entry, False, 1_700_000_000_000, -1] for entry in entries])


def offer_of(offer_id: bytes, title: str, manifest: bytes) -> Offer:
    """Make the offer of a manifest."""
    entries = [list(entry) for entry in unpack_array(manifest) if isinstance(entry, list)]
    names = [str(entry[0]) for entry in entries if "/" not in str(entry[0])][:32]
    sizes = [number(entry, 2) for entry in entries if entry[1] == 0]
    return Offer(offer_id, title, len(sizes), sum(sizes), names, len(manifest), digest(manifest))


class Fetcher:
    """Fetches one offer over an open data link, and believes nothing that is not signed for."""

    def __init__(self, link: Link, source: Certificate, offer: Offer) -> None:
        self.link = link
        self.source = source
        self.offer = offer
        self.fetches = 0
        self.signed: dict[tuple[int, int], bytes] = {}  # (file, chunk) -> digest
        self.roots: dict[int, bytes] = {}
        self.batches: list[bytes] = []  # of signed digests, as they came: what a holder passes on
        self.pages = b""  # of the manifest

    def manifest(self) -> list[list[Value]]:
        """Fetch the manifest; gives its entries."""
        content = b""
        for page in range(-(-self.offer.manifest_size // PAGE)):
            fetch = self._ask("FetchManifest", page)
            _, fields = self.link.hear("ManifestPage", "FetchRefused")
            if fields[0] != fetch or not isinstance(fields[3], bytes):
                raise Unfit(fields[1])
            content += fields[3]
        if digest(content) != self.offer.manifest_digest:
            raise Unfit("the manifest")
        self.pages = content
        return rows([unpack_array(content)], 0)

    def files(self) -> dict[str, bytes]:
        """Fetch everything; gives each file's bytes by its path."""
        listed = [entry for entry in self.manifest() if entry[1] == 0]
        sizes = [number(entry, 2) for entry in listed]
        ranges: list[Value] = [
            [file, 0, -(-size // MIB)] for file, size in enumerate(sizes) if size
        ]
        got: dict[tuple[int, int], bytes] = {}
        if ranges:
            fetch = self._ask("Fetch", ranges)
            while self._take(got, sizes) != ("Fetched", fetch):
                pass
        found = {}
        for file, entry in enumerate(listed):
            count = -(-sizes[file] // MIB)
            chunks = [got.get((file, index), b"") for index in range(count)]
            content = b"".join(chunks)
            if len(content) != sizes[file]:
                raise Unfit("a file of another size")
            self._vouch(file, sizes[file], [digest(chunk) for chunk in chunks])
            found[str(entry[0])] = content
        return found

    def digests(self, file: int, size: int) -> list[bytes]:
        """Fetch the digests of a file's first 1,024 chunks, and check them against its signed root."""
        self.fetches += 1
        self.link.say("FetchDigests", self.fetches, self.source.device, self.offer.id, file, 0)
        _, fields = self.link.hear("DigestPage", "FetchRefused")
        if fields[0] != self.fetches or not isinstance(fields[2], bytes) or fields[4] != size:
            raise Unfit(fields[1])
        page = fields[2]
        self._take_signed(octets(fields, 3))
        found = [page[at : at + 32] for at in range(0, len(page), 32)]
        if len(found) > 1 and self.roots[file] != root_of(size, found):
            raise Unfit("a signed root")
        return found

    def _ask(self, name: str, last: Value) -> int:
        """Send one of the questions, which differ in their last field alone; gives its number."""
        self.fetches += 1
        self.link.say(name, self.fetches, self.source.device, self.offer.id, last)
        return self.fetches

    def _take(self, got: dict[tuple[int, int], bytes], sizes: list[int]) -> tuple[str, int]:
        """Take the next message; gives its name, and its number where it has one."""
        name, fields = self.link.next()
        if name == "Piece":
            self._take_piece(got, fields)
        elif name == "Pack":
            packed = rows(fields, 1)
            total = sum(number(row, 1) for row in packed)
            content = self.link.record() if total else b""
            for file, length, announced in packed:
                assert isinstance(file, int)
                assert isinstance(length, int)
                part, content = content[:length], content[length:]
                if digest(part) != announced:
                    raise Unfit("a packed file")
                got[file, 0] = part
        elif name == "Zeros":
            ((file, first, count),) = rows([[fields[1]]], 0)
            assert isinstance(file, int)
            assert isinstance(first, int)
            assert isinstance(count, int)
            for index in range(first, first + count):
                got[file, index] = bytes(min(MIB, sizes[file] - index * MIB))
        elif name == "SignedDigests":
            self._take_signed(octets(fields, 0))
        elif name == "FetchRefused":
            raise Unfit(fields[1])
        return name, fields[0] if isinstance(fields[0], int) else -1

    def _take_piece(self, got: dict[tuple[int, int], bytes], fields: list[Value]) -> None:
        content = self.link.record()
        if len(content) != number(fields, 3) or digest(content) != fields[4]:
            raise Unfit("a chunk")
        got[number(fields, 1), number(fields, 2)] = content

    def _take_signed(self, signed: bytes) -> None:
        device, offer, runs = values.read(signed, "digests", self.source.signing_key)
        if (device, offer) != (self.source.device, self.offer.id):
            raise Unfit("digests of another offer")
        self.batches.append(signed)
        for run in rows([runs], 0):
            file, first, digests = number(run, 0), number(run, 1), octets(run, 2)
            for at in range(0, len(digests), 32):
                self.signed[file, first + at // 32] = digests[at : at + 32]
            if len(run) > 3 and run[3]:
                self.roots[file] = octets(run, 3)

    def _vouch(self, file: int, size: int, digests: list[bytes]) -> None:
        """Believe a file of one chunk by its signed digest, a larger one by its signed root."""
        if not digests:
            return
        while not self._is_vouched(file, len(digests)):
            self._take({}, [])
        if len(digests) == 1 and self.signed[file, 0] != digests[0]:
            raise Unfit("a signed digest")
        if len(digests) > 1 and self.roots[file] != root_of(size, digests):
            raise Unfit("a signed root")

    def _is_vouched(self, file: int, chunks: int) -> bool:
        return (file, 0) in self.signed if chunks == 1 else file in self.roots


class Server:
    """Serves one offer over an open data link; what a liar does otherwise overrides a method."""

    def __init__(self, link: Link, own: Device, offer: Offer, manifest: bytes) -> None:
        self.link = link
        self.own = own
        self.offer = offer
        self.pages = manifest
        self.contents: list[bytes] = []

    def serve(self, files: dict[str, bytes], *, until: str = "") -> None:
        """Answer until the link ends, which raises Ended; until: return after the first request of this name."""
        order = sorted(files, key=lambda name: [part.encode() for part in name.split("/")])
        self.contents = [files[name] for name in order]
        while True:
            name, fields = self.link.next()
            if name == "FetchManifest":
                self.page(number(fields, 0), number(fields, 3))
            elif name == "Fetch":
                for file, first, count in rows(fields, 3):
                    assert isinstance(file, int)
                    assert isinstance(first, int)
                    assert isinstance(count, int)
                    for index in range(first, first + count):
                        self.piece(number(fields, 0), file, index)
                    self.vouch(file)
                self.link.say("Fetched", fields[0])
            if name == until:
                return

    def page(self, fetch: int, page: int) -> None:
        """Answer FetchManifest."""
        pages = -(-len(self.pages) // PAGE)
        content = self.pages[page * PAGE : (page + 1) * PAGE]
        self.link.say("ManifestPage", fetch, page, pages, content)

    def piece(self, fetch: int, file: int, index: int) -> None:
        """Send one chunk."""
        chunk = self.contents[file][index * MIB : (index + 1) * MIB]
        self.link.say("Piece", fetch, file, index, len(chunk), digest(chunk))
        self.link.say_record(chunk)

    def vouch(self, file: int) -> None:
        """Sign for a file."""
        content = self.contents[file]
        digests = [digest(chunk) for chunk in chunks_of(content)]
        root = root_of(len(content), digests) if len(digests) > 1 else b""
        runs: list[Value] = [[file, 0, b"".join(digests), root]]
        self.link.say("SignedDigests", sign_digests(self.own, self.offer.id, runs))


def sign_digests(own: Device, offer: bytes, runs: Sequence[Value]) -> bytes:
    """Sign digests; runs: rows of file, first chunk, digests, root or empty."""
    return values.issue(own.signing_seed, "digests", [own.id, offer, runs])
