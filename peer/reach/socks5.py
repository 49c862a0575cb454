"""SOCKS5 (RFC 1928, with names and passwords of RFC 1929): asking a proxy for one connection. Bytes and values only.

    greeting   5 (1) | n (1) | methods (n)                    answer   5 (1) | method (1)
    password   1 (1) | n (1) | name (n) | m (1) | password (m)         1 (1) | 0 for yes (1)
    request    5 (1) | connect 1 (1) | 0 (1) | address | port (2)      5 (1) | reply (1) | 0 (1) | address | port (2)
    address    1 | IPv4 (4), or 4 | IPv6 (16), or 3 | n (1) | name (n)

A name goes to the proxy as it is: nothing is looked up here, so that nobody here learns what is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address

VERSION = 5
FIELD_BYTES = 255
_NO_PROOF, _BY_PASSWORD = 0, 2
_LENGTHS = {1: 4, 4: 16}
_BY_NAME = 3
REPLIES = {
    1: "it failed",
    2: "its rules do not allow that",
    3: "the network cannot be reached from there",
    4: "the host cannot be reached from there",
    5: "the connection was refused there",
    6: "it took too long",
    7: "it does not know the command",
    8: "it does not know that kind of address",
}
"""What a reply other than 0 means (RFC 1928, section 6)."""

_FORM = re.compile(
    r"(?:(?P<login>[^@]*)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):(?P<port>[0-9]{1,5})\Z"
)


class ProxyRefusedError(OSError):
    """The proxy did not give the connection; `strerror` says why."""

    def __init__(self, why: str) -> None:
        super().__init__(0, f"the proxy: {why}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, and how we prove ourselves there. name, password: empty for none; at most 255 bytes each."""

    host: str
    port: int
    name: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str) -> Proxy:
        """Read `[NAME:PASSWORD@]HOST:PORT`; raises ValueError."""
        match = _FORM.match(text.strip())
        if match is None or not 1 <= int(match["port"]) <= 65535:
            raise ValueError("not [NAME:PASSWORD@]HOST:PORT")
        name, _, password = (match["login"] or "").partition(":")
        if max(len(name.encode()), len(password.encode())) > FIELD_BYTES:
            raise ValueError("a name or password of more than 255 bytes")
        return cls(match["host"].strip("[]"), int(match["port"]), name, password)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


Conversation = Generator[tuple[bytes, int], bytes, None]
"""Gives what is to be sent and how many bytes are then to come, and gets exactly those."""


def connect(proxy: Proxy, host: str, port: int) -> Conversation:
    """Ask for a connection to a name or a numeric address; raises ProxyRefusedError.

    When it ends, what the connection carries belongs to who asked.
    """
    methods = bytes((_NO_PROOF, _BY_PASSWORD)) if proxy.name else bytes((_NO_PROOF,))
    answer = yield bytes((VERSION, len(methods))) + methods, 2
    if answer[0] != VERSION:
        raise ProxyRefusedError("it speaks no SOCKS5")
    if answer[1] == _BY_PASSWORD and proxy.name:
        proof = yield b"\1" + _counted(proxy.name.encode()) + _counted(proxy.password.encode()), 2
        if proof[1] != 0:
            raise ProxyRefusedError("it does not take this name and password")
    elif answer[1] != _NO_PROOF:
        raise ProxyRefusedError("it wants to know who we are in a way that is not known here")
    asked = bytes((VERSION, 1, 0)) + _address(host) + port.to_bytes(2, "big")
    head = yield asked, 5
    if head[0] != VERSION:
        raise ProxyRefusedError("its answer makes no sense")
    if head[1] != 0:
        raise ProxyRefusedError(REPLIES.get(head[1], f"reply {head[1]}"))
    rest = head[4] if head[3] == _BY_NAME else _LENGTHS.get(head[3], 0) - 1
    if rest < 0:
        raise ProxyRefusedError("its answer makes no sense")
    yield b"", rest + 2


def _address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode("ascii", "replace")
        if not 0 < len(name) <= FIELD_BYTES:
            raise ProxyRefusedError("the name is too long for it") from None
        return bytes((_BY_NAME,)) + _counted(name)
    return (b"\1" if isinstance(address, IPv4Address) else b"\4") + address.packed


def _counted(content: bytes) -> bytes:
    return bytes((len(content),)) + content
