"""Names refuse nonsense, and values out of bounds are never packed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.codes import Code, code_of
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError
from wire.identity import Host
from wire.identity.packing import pack, unpack
from wire.ids import RESERVED_NAMES, account_name


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.NAME_LENGTH),
        ("a", Code.NAME_LENGTH),
        ("a" * 33, Code.NAME_LENGTH),
        ("а" + "lice", Code.NAME_CHARACTERS),  # noqa: RUF001 - a Cyrillic letter is the point
        ("ａｌｉｃｅ", Code.NAME_CHARACTERS),  # noqa: RUF001
        ("1alice", Code.NAME_CHARACTERS),
        ("ali ce", Code.NAME_CHARACTERS),
        ("alice\n", Code.NAME_CHARACTERS),
        ("..", Code.NAME_CHARACTERS),
        ("Admin", Code.NAME_RESERVED),
    ],
    ids=repr,
)
def test_a_bad_name_is_refused_by_name(text: str, code: Code) -> None:
    with pytest.raises(WireError) as caught:
        account_name(text)
    assert caught.value.code is code
    assert code.value in str(caught.value)


def test_capitals_are_folded_and_nothing_else_is() -> None:
    assert account_name("Alice.B-1_x") == "alice.b-1_x"
    assert "tracker" in RESERVED_NAMES


def test_a_code_of_a_later_version_is_read_as_internal() -> None:
    assert code_of("flood") is Code.FLOOD
    assert code_of("not-thought-of-yet") is Code.INTERNAL


def test_a_value_beyond_its_bounds_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        pack(Host("192.0.2.1", 0))


@pytest.mark.parametrize(
    "raw", [b"", b"\x92\xa2\xff\xfe\x01", b"\x91" * 100_000], ids=["none", "UTF-8", "deep"]
)
def test_bytes_that_are_no_value_are_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        unpack(Host, raw)
    assert caught.value.detail


def test_an_error_without_detail_is_its_code() -> None:
    assert str(WireError(Code.FLOOD)) == "flood"


@given(st.text(max_size=40))
def test_a_name_that_is_taken_is_taken_again_as_it_is(text: str) -> None:
    try:
        name = account_name(text)
    except WireError:
        return
    assert account_name(name) == name
