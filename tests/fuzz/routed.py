"""Targets of what routers and proxies answer: readers that get whatever stands at their address."""

from __future__ import annotations

from peer.errors import PeerError
from peer.reach import socks5
from peer.reach.mapping import natpmp, pcp
from peer.reach.socks5 import Proxy
from tests.fuzz.target import Target, check
from wire.codes import Code

NONCE = bytes(range(12))
KNOWN = (Code.ROUTER_REFUSED, Code.ROUTER_INVALID)


def read_natpmp(data: bytes) -> None:
    """Read both kinds of answers; the first byte says which."""
    try:
        if data[:1] == b"\0":
            natpmp.read_address(data[1:])
        else:
            outside, lifetime_s = natpmp.read_map(data[1:], 4000)
            check(0 <= outside < 65536 and lifetime_s >= 0, "a mapping that cannot be")
    except PeerError as error:
        check(error.code in KNOWN, f"{error.code} from a router")


def read_pcp(data: bytes) -> None:
    """Read the answer to MAP; the first byte says for which kind of address."""
    is_ipv6, data = data[:1] == b"\1", data[1:]
    try:
        found = pcp.read_map(data, NONCE, 4000, is_ipv6=is_ipv6)
    except pcp.OlderRouter:
        check(data[0] == 0, "an older router that is none")
    except PeerError as error:
        check(error.code in KNOWN, f"{error.code} from a router")
    else:
        check(found.lifetime_s == 0 or 0 < found.port < 65536, "a mapping that cannot be")
        check(found.lifetime_s == 0 or (":" in found.host) is is_ipv6, "another kind of address")


def hear_proxy(data: bytes) -> None:
    """Have a proxy answer what stands there; the first byte says whether we have a name."""
    proxy = Proxy("proxy.example", 1080, *(("eve", "secret") if data[:1] == b"\1" else ()))
    talk, rest = socks5.connect(proxy, "hobnob.example", 9797), data[1:]
    try:
        _, count = next(talk)
        while len(rest) >= count:
            check(0 < count <= 258, "more is waited for than any answer has")
            answer, rest = rest[:count], rest[count:]
            _, count = talk.send(answer)
    except socks5.ProxyRefusedError as error:
        check(len(str(error)) < 100, "a long reason")
    except StopIteration:
        pass


def natpmp_answer(operation: int, body: bytes, result: int = 0) -> bytes:
    """Give an answer as a router makes it (RFC 6886, section 3)."""
    return bytes((0, 128 + operation)) + result.to_bytes(2, "big") + bytes(4) + body


def pcp_answer(
    nonce: bytes = NONCE,
    *,
    inside: int = 4000,
    outside: int = 4001,
    host: bytes = bytes((8, 8, 8, 8)),
    lifetime_s: int = 7200,
    result: int = 0,
) -> bytes:
    """Give an answer to MAP as a router makes it (RFC 6887, section 11.1). host: 4 or 16 bytes."""
    head = bytes((2, 129, 0, result)) + lifetime_s.to_bytes(4, "big") + bytes(16)
    ports = inside.to_bytes(2, "big") + outside.to_bytes(2, "big")
    sixteen = host if len(host) == 16 else bytes(10) + b"\xff\xff" + host
    return head + nonce + bytes((6, 0, 0, 0)) + ports + sixteen


def targets() -> list[Target]:
    """List these targets."""
    mapped = (4000).to_bytes(2, "big") + (4001).to_bytes(2, "big") + (7200).to_bytes(4, "big")
    return [
        Target(
            "routed-natpmp",
            read_natpmp,
            lambda: [
                b"\0" + natpmp_answer(0, bytes((8, 8, 8, 8))),
                b"\1" + natpmp_answer(2, mapped),
                b"\1" + natpmp_answer(2, bytes(8), result=4),
            ],
        ),
        Target(
            "routed-socks5",
            hear_proxy,
            lambda: [
                b"\0\5\0" + b"\5\0\0\1" + bytes(6),
                b"\1\5\2\1\0" + b"\5\0\0\3\2ab\0\0",
            ],
        ),
        Target(
            "routed-pcp",
            read_pcp,
            lambda: [
                b"\0" + pcp_answer(),
                b"\0" + pcp_answer(result=8),
                b"\1" + pcp_answer(host=bytes((0x2A, *range(15)))),
            ],
        ),
    ]
