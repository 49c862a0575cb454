from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.cli.exit_codes import Misuse
from peer.cli.quantities import count, duration, host_and_port, span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("1.5", 1.5), ("90s", 90), ("2m", 120), ("3h", 10_800), ("1d", 86_400)],
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "-1", "1x", "s", "1 s", "٣٤", "1e3", "nan", "inf", "1s2", "9" * 99]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Misuse, match="no duration"):
        duration(text)


@pytest.mark.parametrize("text", ["0", "0.0h", "36501d", "99999999999d", "-1", "soon"])
def test_what_is_no_time_to_hold_for_is_refused(text: str) -> None:
    with pytest.raises(Misuse):
        span(text)
    assert span("36500d") == 36_500 * 86_400


@pytest.mark.parametrize("text", ["", "-1", "1.5", "٣٤", "99999999999", "4294967296", "+1", "1_0"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(Misuse, match="no count"):
        count(text)


def test_a_count_is_a_whole_number() -> None:
    assert count("0") == 0
    assert count("2147483648") == 2**31


@pytest.mark.parametrize("text", ["127.0.0.1:0", "[::]:9797", "localhost:65535", "0.0.0.0:80"])
def test_a_place_to_listen_has_a_host_and_a_port(text: str) -> None:
    assert host_and_port(text) == text


@pytest.mark.parametrize("port", ["65536", "abc", "-1", "8080x", "٣٤", "", "99999999"])
def test_a_port_that_cannot_be_is_port_invalid(port: str) -> None:
    with pytest.raises(Misuse) as caught:
        host_and_port(f"127.0.0.1:{port}")
    assert caught.value.code == "port-invalid"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["localhost", ":80", "::1:80", "a b:80", ""])
def test_a_host_that_cannot_be_is_address_invalid(text: str) -> None:
    with pytest.raises(Misuse) as caught:
        host_and_port(text)
    assert caught.value.code == "address-invalid"


@given(st.text(max_size=30))
def test_any_text_is_a_number_or_a_misuse(text: str) -> None:
    for parse in (duration, count, host_and_port):
        with suppress(Misuse):
            parse(text)
