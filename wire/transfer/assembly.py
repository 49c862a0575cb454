"""Fetching a manifest: pages asked for in order, put together, and believed when the digest agrees.

The offer event said how many bytes the manifest has and their BLAKE3, so nothing beyond that many is ever
kept and a page that lies is found out at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.messages.transfer import FetchManifest, ManifestPage
from wire.transfer import manifest
from wire.transfer.holding import OfferKey

_PAGES_AHEAD = limits.FETCHES_PER_TRANSFER  # asked for and not yet here


class Assembly:
    """Puts one manifest together from one source.

    key: the offer. size_bytes, digest: as the offer event says. new_fetch: gives a fetch id that is
    unique on the link.
    """

    def __init__(
        self, key: OfferKey, *, size_bytes: int, digest: bytes, new_fetch: Callable[[], int]
    ) -> None:
        self.pages = manifest.page_count(size_bytes)
        if not 0 < self.pages <= limits.PAGES:
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "it has no size that can be")
        self._key = key
        self._size = size_bytes
        self._digest = digest
        self._new_fetch = new_fetch
        self._asked: dict[int, int] = {}  # fetch id -> page
        self._next = 0
        self._content = (
            bytearray()
        )  # grows as pages come: nothing is set aside for what is only claimed
        self._missing = self.pages

    def asks(self) -> list[FetchManifest]:
        """Give what to ask for now."""
        asks: list[FetchManifest] = []
        while self._next < self.pages and len(self._asked) < _PAGES_AHEAD:
            fetch = self._new_fetch()
            self._asked[fetch] = self._next
            asks.append(FetchManifest(fetch, self._key.device, self._key.offer, self._next))
            self._next += 1
        return asks

    def on_page(self, answer: ManifestPage) -> bytearray | None:
        """Take a page; gives the whole manifest with the last one, None before.

        Raises RemoteProtocolError(MANIFEST_INVALID) for a page that was not asked for or cannot be
        part of it, and for a whole whose digest is another.
        """
        page = self._asked.pop(answer.fetch, None)
        if page is None or answer.page != page or answer.pages != self.pages:
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "a page came that is not its own")
        if len(answer.content) != min(limits.PAGE_BYTES, self._size - page * limits.PAGE_BYTES):
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "a page has another length")
        start = page * limits.PAGE_BYTES
        if len(self._content) < start:  # a later page came first
            self._content.extend(bytes(start - len(self._content)))
        self._content[start : start + len(answer.content)] = answer.content
        self._missing -= 1
        if self._missing:
            return None
        if manifest.digest(self._content) != self._digest:
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "its digest is not the offer's")
        return self._content
