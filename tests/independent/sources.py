"""One offer from several sources, and lent to others: PROTOCOL.md, section 5, *Several sources*."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.independent.files import MIB, Fetcher, Offer, Unfit, chunks_of, digest
from tests.independent.link import Link, number, octets, rows
from tests.independent.msgpack import Value
from tests.independent.values import Certificate

Chunk = tuple[int, int]
"""File and index."""


def places(sizes: Sequence[int]) -> list[Chunk]:
    """Number the chunks of all files in the manifest's order; an empty file has none."""
    return [(file, index) for file, size in enumerate(sizes) for index in range(-(-size // MIB))]


class Gatherer:
    """Takes an offer from the offering device and from a holder, and believes what the first one signed.

    given: how many chunks each of the two brought.
    """

    def __init__(self, offering: Fetcher, holder: Link) -> None:
        self.offering = offering
        self.holder = Fetcher(holder, offering.source, offering.offer)
        self.entries = [entry for entry in offering.manifest() if entry[1] == 0]
        self.sizes = [number(entry, 2) for entry in self.entries]
        self.places = places(self.sizes)
        self.held: set[int] = set()
        self.got: dict[Chunk, bytes] = {}
        self.given = [0, 0]

    def watch(self) -> None:
        """Watch the holder until it has told of everything."""
        self.holder.fetches += 1
        source = self.offering.source.device
        self.holder.link.say("Watch", self.holder.fetches, source, self.offering.offer.id)
        while len(self.held) < len(self.places):
            name, fields = self.holder.link.next()
            if name == "SignedDigests":
                self.holder._take_signed(octets(fields, 0))
            elif name == "Have":
                for span in rows(fields, 1):
                    first, count = number(span, 0), number(span, 1)
                    self.held |= set(range(first, first + count))
            elif name == "FetchRefused":
                raise Unfit(fields[1])

    def files(self) -> dict[str, bytes]:
        """Take every other chunk from the holder, if it may be believed there, the rest from the offering device."""
        signed = self.holder.signed
        lent = [at for at in sorted(self.held)[::2] if self.places[at] in signed]
        own = [at for at in range(len(self.places)) if at not in lent]
        for number_, (fetcher, wanted) in enumerate(((self.offering, own), (self.holder, lent))):
            came: dict[Chunk, bytes] = {}
            ranges: list[Value] = [[*self.places[at], 1] for at in wanted]
            fetch = fetcher._ask("Fetch", ranges)
            while fetcher._take(came, self.sizes) != ("Fetched", fetch):
                pass
            self.given[number_] = len(came)
            self.got |= came
        for at in lent:
            if digest(self.got[self.places[at]]) != signed[self.places[at]]:
                raise Unfit("a chunk that nobody signed")
        return {str(entry[0]): self._file(file) for file, entry in enumerate(self.entries)}

    def _file(self, file: int) -> bytes:
        chunks = [self.got[file, index] for index in range(-(-self.sizes[file] // MIB))]
        self.holder._vouch(file, self.sizes[file], [digest(chunk) for chunk in chunks])
        return b"".join(chunks)


class Lender:
    """Lends an offer that was taken whole to whoever watches: manifest, signed batches, chunks.

    batches: as the offering device said them.
    """

    def __init__(self, link: Link, source: Certificate, offer: Offer, manifest: bytes) -> None:
        self.link = link
        self.source = source
        self.offer = offer
        self.pages = manifest
        self.lent = 0

    def serve(self, contents: Sequence[bytes], batches: Iterable[bytes]) -> None:
        """Answer until the link ends, which raises Ended. contents: of the files, in the manifest's order."""
        count = len(places([len(content) for content in contents]))
        chunks = [chunks_of(content) for content in contents]
        while True:
            name, fields = self.link.next()
            if name == "FetchManifest":
                page, size = number(fields, 3), 32 * 1024
                content = self.pages[page * size : (page + 1) * size]
                pages = -(-len(self.pages) // size)
                self.link.say("ManifestPage", fields[0], page, pages, content)
            elif name == "Watch":
                for batch in batches:
                    self.link.say("SignedDigests", batch)
                self.link.say("Have", fields[0], [[0, count]], [])
            elif name == "StopFetch":
                self.link.say("Fetched", fields[0])
            elif name == "FetchDigests":
                self.link.say("FetchRefused", fields[0], "number-range", -1, "")
            elif name == "Fetch":
                for file, first, how_many in rows(fields, 3):
                    assert isinstance(file, int)
                    assert isinstance(first, int)
                    assert isinstance(how_many, int)
                    for index in range(first, first + how_many):
                        chunk = chunks[file][index]
                        self.link.say("Piece", fields[0], file, index, len(chunk), digest(chunk))
                        self.link.say_record(chunk)
                        self.lent += 1
                self.link.say("Fetched", fields[0])
