from __future__ import annotations

import pytest
from msgspec.structs import replace

from tracker.config import Limits, ListenAddress, parse_count, parse_limits, parse_listen
from tracker.errors import TrackerError
from wire.codes import Code


@pytest.mark.parametrize(
    ("text", "host", "port", "back"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, "127.0.0.1:0"),
        ("[::]:9797", "::", 9797, "[::]:9797"),
        ("localhost:65535", "localhost", 65535, "localhost:65535"),
    ],
)
def test_an_address_to_listen_on_is_read_and_written(
    text: str, host: str, port: int, back: str
) -> None:
    assert parse_listen(text) == ListenAddress(host, port)
    assert str(parse_listen(text)) == back


@pytest.mark.parametrize(
    "text",
    ["", "host", ":9797", "[::1", "::1:9797", "http://h:80", "h/x:80", "a b:80", "h\0:80", "ä:80"],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TrackerError) as caught:
        parse_listen(text)
    assert caught.value.code is Code.ADDRESS_INVALID
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    "port", ["", "65536", "abc", "-1", "8080x", "٣٤", "1e3", "9" * 400, "+5", " 5"]
)
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(TrackerError) as caught:
        parse_listen(f"127.0.0.1:{port}")
    assert caught.value.code is Code.PORT_INVALID


def test_limits_are_changed_by_name_with_either_dash() -> None:
    limits = parse_limits(["open-timeout-s=0.5", "sockets_per_address=40", "open_timeout_s=0.75"])
    assert limits == replace(Limits(), open_timeout_s=0.75, sockets_per_address=40)
    assert parse_limits([]) == Limits()


@pytest.mark.parametrize(
    "setting",
    [
        "lookups",
        "lookups=",
        "lookups=0",
        "lookups=1.5",
        "lookups=-3",
        "lookups=٣",
        "lookups=99999999999999999",
        "open_timeout_s=nan",
        "open_timeout_s=1e3",
        "open_timeout_s=1.2.3",
        "open_timeout_s=0",
    ],
)
def test_a_limit_that_is_no_number_is_refused(setting: str) -> None:
    with pytest.raises(TrackerError) as caught:
        parse_limits([setting])
    assert caught.value.code is Code.CONFIG_INVALID
    assert repr(setting) in caught.value.message


def test_the_nearest_limit_is_named_or_all_of_them() -> None:
    with pytest.raises(TrackerError) as caught:
        parse_limits(["failed-login=3"])
    assert caught.value.remedy == "did you mean failed_logins?"
    with pytest.raises(TrackerError) as caught:
        parse_limits(["colour=3"])
    assert "send_stall_s" in caught.value.remedy


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["sockets_early_drop=20", "sockets_pre_open=10"], "sockets_pre_open=10"),
        (["heartbeat_s=9", "dead_after_s=9"], "heartbeat_s=9"),
    ],
)
def test_limits_that_contradict_each_other_are_named(settings: list[str], named: str) -> None:
    with pytest.raises(TrackerError) as caught:
        parse_limits(settings)
    assert caught.value.code is Code.CONFIG_INVALID
    assert named in caught.value.message


def test_a_count_is_a_whole_number_above_zero_or_nothing() -> None:
    assert parse_count("--max-peers", None) is None
    assert parse_count("--max-peers", "12") == 12
    for text in ("0", "-1", "x", "", "٣", "9" * 30):
        with pytest.raises(TrackerError) as caught:
            parse_count("--max-peers", text)
        assert caught.value.code is Code.CONFIG_INVALID
