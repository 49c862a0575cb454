from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.transfer import manifest
from wire.transfer.manifest import FILE, FOLDER, Entry


def file(path: str, size: int = 1, **more: int) -> Entry:
    return Entry(path, FILE, size, False, 0, **more)


def folder(path: str) -> Entry:
    return Entry(path, FOLDER, 0, False, 0)


def refusal(entries: list[Entry]) -> Code:
    """What a receiver says to this manifest."""
    with pytest.raises(RemoteProtocolError) as caught:
        manifest.decode(msgspec.msgpack.encode(entries))
    return caught.value.code


NAMES = st.text(
    st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=8
).filter(lambda name: name not in {".", ".."})


@given(st.sets(NAMES, min_size=1, max_size=8), st.sets(NAMES, max_size=8), st.randoms())
def test_a_manifest_comes_back_in_one_order_whatever_order_it_was_given_in(
    tops: set[str], inner: set[str], dice: object
) -> None:
    top = min(tops)
    entries = [file(name) for name in tops if name != top] + [folder(top)]
    entries += [file(f"{top}/{name}", 5) for name in inner]
    shuffled = sorted(entries, key=lambda _: dice.random())  # type: ignore[attr-defined]
    content = manifest.encode(shuffled)
    assert content == manifest.encode(entries)
    found = manifest.decode(content)
    assert sorted(found, key=lambda entry: entry.path) == sorted(entries, key=lambda e: e.path)
    assert manifest.files_of(found) == len(tops) - 1 + len(inner)
    assert manifest.bytes_of(found) == len(tops) - 1 + 5 * len(inner)
    assert set(manifest.top_names(found)) == tops
    pages = [manifest.page(content, n) for n in range(manifest.page_count(len(content)))]
    assert b"".join(pages) == content


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], Code.MANIFEST_INVALID),
        ([file("b"), file("a")], Code.MANIFEST_INVALID),
        ([file("a"), file("a")], Code.MANIFEST_CONFLICT),
        ([file("a"), folder("a")], Code.MANIFEST_CONFLICT),
        ([file("a"), file("a/b")], Code.MANIFEST_CONFLICT),
        ([file("x/y")], Code.MANIFEST_INVALID),
        ([file("../x")], Code.NAME_UNSAFE),
        ([file("/x")], Code.NAME_UNSAFE),
        ([file("")], Code.NAME_UNSAFE),
        ([file(".")], Code.NAME_UNSAFE),
        ([folder("a"), file("a/../b")], Code.NAME_UNSAFE),
        ([file("a\0b")], Code.NAME_UNSAFE),
        ([file("é" * 2049)], Code.NAME_TOO_LONG),
        ([file("/".join("a" * 65))], Code.NAME_TOO_LONG),
        ([Entry("a", 2, 0, False, 0)], Code.MANIFEST_INVALID),
        ([file("a", -1)], Code.SIZE_INVALID),
        ([file("a", limits.FILE_BYTES + 1)], Code.SIZE_INVALID),
        ([Entry("a", FOLDER, 1, False, 0)], Code.SIZE_INVALID),
        ([file("a", 5, dense_bytes=6)], Code.SIZE_INVALID),
        ([file("a", 5, dense_bytes=-2)], Code.SIZE_INVALID),
    ],
)
def test_what_no_receiver_takes_is_refused_by_name(entries: list[Entry], code: Code) -> None:
    assert refusal(entries) is code
    if code != Code.MANIFEST_INVALID or not entries:
        with pytest.raises(LocalProtocolError):
            manifest.encode(entries)


@pytest.mark.parametrize("many", [1, 1023, 1024, 1025, 3000], ids=str)
@pytest.mark.parametrize(
    ("entry", "code", "why"),
    [
        (file("0"), Code.MANIFEST_INVALID, "out of order"),
        (file("x/y"), Code.MANIFEST_INVALID, "lies in no folder"),
        (file("w/a/.."), Code.NAME_UNSAFE, "would leave"),
        (file("w/./a"), Code.NAME_UNSAFE, "would leave"),
        (file("w//a"), Code.NAME_UNSAFE, "would leave"),
        (file("w/"), Code.NAME_UNSAFE, "would leave"),
        (file("x\0y"), Code.NAME_UNSAFE, "zero byte"),
        (file("é" * 2049), Code.NAME_TOO_LONG, "beyond 4096"),
        (file("/".join("w" * 65)), Code.NAME_TOO_LONG, "deeper"),
        (Entry("x", 2, 0, False, 0), Code.MANIFEST_INVALID, "no known kind"),
        (Entry("x", -1, 0, False, 0), Code.MANIFEST_INVALID, "no known kind"),
        (Entry("x", FOLDER, 1, False, 0), Code.SIZE_INVALID, "size"),
        (Entry("x", FOLDER, 0, False, 0, 1), Code.SIZE_INVALID, "size"),
        (file("x", -1), Code.SIZE_INVALID, "size"),
        (file("x", limits.FILE_BYTES + 1), Code.SIZE_INVALID, "size"),
        (file("x", 5, dense_bytes=6), Code.SIZE_INVALID, "size"),
        (file("x", 5, dense_bytes=-2), Code.SIZE_INVALID, "size"),
    ],
)
def test_what_no_receiver_takes_is_found_among_many_good_entries(
    entry: Entry, code: Code, why: str, many: int
) -> None:
    good = [file(f"a{number:04}") for number in range(many - 1)]
    with pytest.raises(RemoteProtocolError) as caught:
        manifest.check([*good, folder("w"), entry, file("z")])
    assert caught.value.code is code
    assert f"entry {many}" in str(caught.value)
    assert why in str(caught.value)


@pytest.mark.parametrize("many", [1023, 1024, 1025], ids=str)
def test_entries_hang_together_however_many_stand_between_them(many: int) -> None:
    inside = [file(f"f/{number:04}") for number in range(many)]
    manifest.check([folder("f"), *inside, file("g")])
    for second, code in (
        (inside[-1], Code.MANIFEST_CONFLICT),
        (folder("f"), Code.MANIFEST_INVALID),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            manifest.check([folder("f"), *inside, second])
        assert caught.value.code is code
    with pytest.raises(RemoteProtocolError) as caught:
        manifest.check([folder("f"), *inside, file(f"{inside[-1].path}/x")])
    assert caught.value.code is Code.MANIFEST_CONFLICT


def test_a_long_path_of_few_folders_is_as_good_as_a_short_one() -> None:
    manifest.check([folder("a" * 200), file("a" * 200 + "/" + "é" * 200)])
    manifest.check([file("é" * 2048)])


def test_the_limits_themselves_are_taken() -> None:
    deepest = ["/".join("a" * depth) for depth in range(1, limits.PATH_DEPTH)]
    entries = [*map(folder, deepest), file("/".join("a" * limits.PATH_DEPTH), limits.FILE_BYTES)]
    assert manifest.decode(manifest.encode(entries)) == entries


def test_one_file_beyond_the_limit_is_too_many() -> None:
    many = [file(f"{number:06}") for number in range(limits.FILES_PER_OFFER + 1)]
    assert refusal(many) is Code.TOO_MANY_FILES
    assert len(manifest.decode(manifest.encode(many[:-1]))) == limits.FILES_PER_OFFER


@given(st.binary(max_size=200))
def test_any_bytes_are_a_manifest_or_refused(content: bytes) -> None:
    try:
        manifest.decode(content)
    except RemoteProtocolError:
        return


def test_deep_nesting_and_a_path_of_megabytes_are_refused() -> None:
    assert_refused = [b"\x91" * 100_000, msgspec.msgpack.encode([["a" * 10**6, 0, 1, False, 0]])]
    for content in assert_refused:
        with pytest.raises(RemoteProtocolError):
            manifest.decode(content)


def test_a_manifest_is_held_against_its_offer() -> None:
    entries = [file("a", 3), file("b", 4)]
    manifest.check_against_offer(entries, files=2, size_bytes=7)
    for files, size in ((1, 7), (2, 8)):
        with pytest.raises(RemoteProtocolError):
            manifest.check_against_offer(entries, files=files, size_bytes=size)


def test_entries_that_were_packed_one_by_one_make_the_same_bytes() -> None:
    entries = [folder("a"), file("a/b", 5), file("c", 6)]
    packed = [msgspec.msgpack.encode(entry) for entry in entries]
    assert manifest.join(packed) == manifest.encode(entries)
    with pytest.raises(LocalProtocolError) as caught:
        manifest.join([*packed, packed[-1]])
    assert caught.value.code is Code.MANIFEST_CONFLICT


def test_space_that_is_needed_is_what_is_no_hole() -> None:
    assert file("a", 10, dense_bytes=4).needed_bytes == 4
    assert file("a", 10).needed_bytes == 10


def test_there_is_no_page_behind_the_last() -> None:
    with pytest.raises(LocalProtocolError):
        manifest.page(b"x", 1)


def test_a_digest_is_blake3_of_the_bytes() -> None:
    # From the official test vectors of BLAKE3: the input of no bytes.
    assert manifest.digest(b"").hex().startswith("af1349b9f5f9a1a6a0404dea36dcc949")


def test_a_list_of_millions_is_refused_before_an_entry_is_made() -> None:
    count = 5_000_000
    entry = bytes([0x95, 0xA1]) + b"a" + bytes([0, 0, 0xC2, 0])
    content = bytes([0xDD]) + count.to_bytes(4, "big") + entry * count
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError) as caught:
            manifest.decode(content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert caught.value.code is Code.TOO_MANY_FILES
    assert peak < limits.MIB


@pytest.mark.parametrize("count", [0, 15, 16, 2**16 - 1, 2**16], ids=str)
def test_packed_values_put_together_are_the_array_of_them(count: int) -> None:
    packed = [msgspec.msgpack.encode(number % 7) for number in range(count)]
    assert msgspec.msgpack.decode(manifest.array_of(packed)) == [n % 7 for n in range(count)]
