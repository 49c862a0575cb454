from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.transfer.exchange import KEY
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.messages.transfer import ManifestPage
from wire.transfer import manifest
from wire.transfer.assembly import Assembly

PAGE = limits.PAGE_BYTES


def assembly(content: bytes, digest: bytes | None = None) -> Assembly:
    ids = itertools.count()
    return Assembly(
        KEY,
        size_bytes=len(content),
        digest=digest or manifest.digest(content),
        new_fetch=lambda: next(ids),
    )


@given(st.integers(1, 70 * PAGE), st.randoms())
def test_pages_in_any_order_make_the_manifest(size: int, dice: object) -> None:
    content = bytes(size)
    joined = assembly(content)
    found, waiting = None, list(joined.asks())
    while waiting:
        assert len(waiting) <= limits.MIB // PAGE
        dice.shuffle(waiting)  # type: ignore[attr-defined]
        ask = waiting.pop()
        page = manifest.page(content, ask.page)
        found = joined.on_page(ManifestPage(ask.fetch, ask.page, joined.pages, page))
        waiting += joined.asks()
        assert (found is None) is bool(waiting)
    assert found is not None
    assert bytes(found) == content


@pytest.mark.parametrize(
    "answer",
    [
        ManifestPage(9, 0, 2, bytes(PAGE)),
        ManifestPage(0, 1, 2, bytes(PAGE)),
        ManifestPage(0, 0, 3, bytes(PAGE)),
        ManifestPage(0, 0, 2, bytes(PAGE - 1)),
        ManifestPage(1, 1, 2, bytes(6)),
    ],
)
def test_a_page_that_cannot_be_part_of_it_is_refused(answer: ManifestPage) -> None:
    joined = assembly(bytes(PAGE + 5))
    joined.asks()
    with pytest.raises(RemoteProtocolError) as caught:
        joined.on_page(answer)
    assert caught.value.code is Code.MANIFEST_INVALID


def test_a_manifest_with_another_digest_is_refused() -> None:
    joined = assembly(b"abc", digest=bytes(32))
    [ask] = joined.asks()
    with pytest.raises(RemoteProtocolError) as caught:
        joined.on_page(ManifestPage(ask.fetch, 0, 1, b"abc"))
    assert caught.value.code is Code.MANIFEST_INVALID


@pytest.mark.parametrize("size", [0, limits.PAGES * PAGE + 1])
def test_sizes_that_cannot_be_are_refused_before_anything_is_asked(size: int) -> None:
    with pytest.raises(RemoteProtocolError):
        Assembly(KEY, size_bytes=size, digest=bytes(32), new_fetch=int)
