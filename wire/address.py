"""A tracker's address: where it is and which key it has, in one string."""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import IPv6Address

from msgspec import Struct

from wire.codes import Code
from wire.errors import WireError
from wire.ids import LinkKey

SCHEME = "hobnob://"
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")
_ZONE = re.compile(r"[A-Za-z0-9_.-]{1,16}\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z", re.ASCII)
KEY_CHARS = 43  # 32 bytes in base64url without padding


class TrackerAddress(Struct, frozen=True):
    """Where a tracker listens and the link key it must prove.

    host: a name or a numeric address, without brackets. port: 1 to 65535. key: 32 bytes, or None while a
    person has not confirmed one.
    """

    host: str
    port: int
    key: LinkKey | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        key = "" if self.key is None else f"#{key_text(self.key)}"
        return f"{SCHEME}{host}:{self.port}/{key}"

    @classmethod
    def parse(cls, text: str) -> TrackerAddress:
        """Read `hobnob://HOST:PORT/#KEY`; the scheme, the slash and `#KEY` may be left out.

        text: any string. Raises WireError with ADDRESS_INVALID that names the part.
        """
        rest = text.strip()
        if rest.lower().startswith(SCHEME):
            rest = rest[len(SCHEME) :]
        elif "://" in rest:
            raise _invalid(f"it begins with {rest.split('://', 1)[0]!r}, not with hobnob")
        rest, mark, key = rest.partition("#")
        rest = rest.removesuffix("/")
        if rest.startswith("["):
            host, bracket, tail = rest[1:].partition("]")
            if not bracket or not tail.startswith(":") or not _is_ipv6(host):
                raise _invalid("an IPv6 address is written [ADDRESS]:PORT")
            port = tail[1:]
        else:
            host, colon, port = rest.rpartition(":")
            if not host.isascii():
                raise _invalid("a host's name is written in ASCII, like xn--bcher-kva.example")
            if not colon or _HOST.match(host) is None:
                raise _invalid("it has no HOST:PORT")
        return cls(host, _port(port), _key(key) if mark else None)


def key_text(key: bytes) -> str:
    """Give a key (32 bytes) as 43 characters of base64url."""
    return base64.urlsafe_b64encode(key).rstrip(b"=").decode()


def _is_ipv6(host: str) -> bool:
    address, mark, zone = host.partition("%")
    try:
        IPv6Address(address)
    except ValueError:
        return False
    return not mark or _ZONE.match(zone) is not None


def _port(text: str) -> int:
    if _PORT.match(text) is None or not 1 <= int(text) <= 65535:
        raise _invalid(f"{text[:16]!r} is not a port")
    return int(text)


def _key(text: str) -> LinkKey:
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except (ValueError, binascii.Error) as error:
        raise _invalid("the part behind # is not a key") from error
    if len(text) != KEY_CHARS or key_text(raw) != text:
        raise _invalid(f"a key has {KEY_CHARS} characters, this one {len(text)}")
    return LinkKey(raw)


def _invalid(why: str) -> WireError:
    return WireError(Code.ADDRESS_INVALID, f"the address is not understood: {why}")
