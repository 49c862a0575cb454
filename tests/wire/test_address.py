"""A tracker's address as people paste it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.address import TrackerAddress, key_text
from wire.codes import Code
from wire.errors import WireError
from wire.ids import LinkKey

KEY = LinkKey(bytes(range(32)))


@pytest.mark.parametrize(
    "address",
    [
        TrackerAddress("tracker.example", 9797, KEY),
        TrackerAddress("192.0.2.7", 1, None),
        TrackerAddress("2001:db8::1", 65535, KEY),
        TrackerAddress("fe80::1%eth0", 80, None),
    ],
    ids=str,
)
def test_an_address_reads_back_as_written(address: TrackerAddress) -> None:
    assert TrackerAddress.parse(str(address)) == address
    assert TrackerAddress.parse(f"  {address}\n") == address


def test_scheme_slash_and_key_may_be_left_out() -> None:
    assert TrackerAddress.parse("localhost:80") == TrackerAddress("localhost", 80, None)
    assert TrackerAddress.parse(f"HOBNOB://h:80#{key_text(KEY)}").key == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        ":80",
        "host:port:1",
        "host:0",
        "host:65536",
        "host:-1",
        "host:٣٤",
        "bücher.example:80",
        "http://host:80",
        "[::1",
        "[..1]:97",
        "[1.2.3.4]:97",
        "[:::::]:97",
        "[fe80::1%]:97",
        "[fe80::1%a/b]:97",
        "[::1]80",
        "[host]:80",
        "ho st:80",
        "höst:80",
        "host:80/#",
        "host:80/#short",
        "host:80/#" + "!" * 43,
        "host:80/#" + "A" * 44,
    ],
)
def test_what_is_no_address_is_named(text: str) -> None:
    with pytest.raises(WireError) as caught:
        TrackerAddress.parse(text)
    assert caught.value.code is Code.ADDRESS_INVALID


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused_and_never_a_crash(text: str) -> None:
    with suppress(WireError):
        assert TrackerAddress.parse(text).port
