"""What is said to a proxy, byte by byte as RFC 1928 and RFC 1929 have it, and what its answers mean."""

from __future__ import annotations

import pytest

from peer.reach.socks5 import Proxy, ProxyRefusedError, connect

PLAIN = Proxy("127.0.0.1", 1080)
NAMED = Proxy("127.0.0.1", 1080, "eve", "secret")


def said(proxy: Proxy, host: str, *answers: bytes) -> list[bytes]:
    """Play a proxy that answers so; gives what it was asked."""
    talk = connect(proxy, host, 9797)
    asked, count = next(talk)
    heard = [asked]
    for answer in answers:
        assert len(answer) == count
        try:
            asked, count = talk.send(answer)
        except StopIteration:
            return heard
        heard.append(asked)
    return heard


def test_a_name_goes_to_the_proxy_as_it_is() -> None:
    head = b"\5\1\0\3\x0fhobnob.example.".replace(b"\x0f", b"\x0e").replace(b"example.", b"example")
    asked = said(PLAIN, "hobnob.example", b"\5\0", b"\5\0\0\1\x7f", bytes(5))
    assert asked == [b"\5\1\0", head + b"\x26\x45", b""]


def test_numeric_addresses_go_as_numbers_and_the_name_and_password_before() -> None:
    asked = said(NAMED, "::1", b"\5\2", b"\1\0", b"\5\0\0\3\2", b"ab\0\0")
    assert asked == [
        b"\5\2\0\2",
        b"\1\3eve\6secret",
        b"\5\1\0\4" + bytes(15) + b"\1\x26\x45",
        b"",
    ]
    assert said(NAMED, "127.0.0.1", b"\5\0")[1] == b"\5\1\0\1\x7f\0\0\1\x26\x45"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([b"HT"], "no SOCKS5"),
        ([b"\5\xff"], "who we are"),
        ([b"\5\2", b"\1\1"], "name and password"),
        ([b"\5\0", b"\5\5\0\1\0"], "refused there"),
        ([b"\5\0", b"\5\x63\0\1\0"], "reply 99"),
        ([b"\5\0", b"\4\0\0\1\0"], "no sense"),
        ([b"\5\0", b"\5\0\0\7\0"], "no sense"),
    ],
)
def test_a_no_and_an_answer_without_sense_say_what_is_wrong(
    answers: list[bytes], words: str
) -> None:
    with pytest.raises(ProxyRefusedError, match=words):
        said(NAMED, "hobnob.example", *answers)


def test_a_name_that_is_too_long_is_not_sent() -> None:
    with pytest.raises(ProxyRefusedError):
        said(PLAIN, "a" * 256, b"\5\0")


def test_where_a_proxy_is_reads_and_its_password_does_not_show() -> None:
    proxy = Proxy.parse("eve:se:cret@[::1]:9050")
    assert (proxy.host, proxy.port, proxy.name, proxy.password) == ("::1", 9050, "eve", "se:cret")
    assert str(proxy) == "[::1]:9050"
    assert "cret" not in repr(proxy)
    for wrong in ("", "host", "host:0", "host:65536", "ho st:1", "a" * 300 + ":b@h:1", "h:٣"):
        with pytest.raises(ValueError, match=r"not|more"):
            Proxy.parse(wrong)
