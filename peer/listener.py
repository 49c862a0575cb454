"""Where friends knock: sockets on the chosen addresses, the port of last time if it is free."""

from __future__ import annotations

import errno
import re
import socket
from collections import Counter
from contextlib import suppress
from typing import Protocol

from peer.errors import PeerError
from peer.reach import outward
from wire import limits
from wire.codes import Code
from wire.machine import Entropy

_PORT = re.compile(r"[0-9]{1,5}\Z", re.ASCII)
WILDCARDS = ("0.0.0.0", "::")


class Knock(Protocol):
    """A connection that came in, hashable by itself. peer: the address it comes from."""

    peer: str


def parse_listen(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`; raises PeerError with PORT_INVALID or ADDRESS_INVALID."""
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise PeerError(Code.ADDRESS_INVALID, f"{text!r} is not HOST:PORT")
    if _PORT.match(port) is None or int(port) > 65535:
        raise PeerError(Code.PORT_INVALID, f"{port!r} is not a port")
    return host.removeprefix("[").removesuffix("]"), int(port)


def open_listeners(listen: tuple[str, ...], last_port: int) -> list[socket.socket]:
    """Open the sockets.

    listen: HOST:PORT each; empty means all addresses on `last_port`, or on a free port if that is taken or
    0. Raises PeerError with ADDRESS_IN_USE or ADDRESS_REFUSED.
    """
    if listen:
        return _open_all(listen)
    if address := outward.bound_address():
        try:
            return [_open(address, last_port)]
        except PeerError:
            return [_open(address, 0)]
    try:
        sockets = [_open(WILDCARDS[0], last_port)]
    except PeerError:
        sockets = [_open(WILDCARDS[0], 0)]
    # A machine may lack IPv6, or have the port there for another program.
    with suppress(PeerError):
        sockets.append(_open(WILDCARDS[1], sockets[0].getsockname()[1]))
    return sockets


def _open_all(listen: tuple[str, ...]) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for host, port in map(parse_listen, listen):
            opened.append(_open(host, port))
    except PeerError:
        for listener in opened:
            listener.close()
        raise
    return opened


def place_of(listener: socket.socket) -> str:
    """Give HOST:PORT of a socket."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _open(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener: socket.socket | None = None
    try:
        listener = outward.make_socket(family, has_place=True)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(128)
        listener.setblocking(False)
    except OSError as error:
        if listener is not None:
            listener.close()
        code = Code.ADDRESS_IN_USE if error.errno == errno.EADDRINUSE else Code.ADDRESS_REFUSED
        raise PeerError(code, f"{host}:{port}: {error.strerror or error}") from error
    return listener


class Knocks:
    """Connections that have proven nothing yet: few for each address, and never too many in all.

    From SOCKETS_EARLY_DROP on new ones are turned away at random, the likelier the fuller it is, so that
    whoever floods us cannot keep all others out.
    """

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._waiting: dict[object, str] = {}
        self._by_address: Counter[str] = Counter()

    def enter(self, knock: Knock) -> bool:
        """Count a connection in; False if it has to go at once."""
        address, total = knock.peer, len(self._waiting)
        if self._by_address[address] >= limits.SOCKETS_PER_ADDRESS or self._is_unlucky(total):
            return False
        self._waiting[knock] = address
        self._by_address[address] += 1
        return True

    def leave(self, knock: Knock) -> None:
        """Take note that it is proven or gone; again changes nothing."""
        address = self._waiting.pop(knock, None)
        if address is not None:
            self._by_address[address] -= 1

    def _is_unlucky(self, total: int) -> bool:
        first, most = limits.SOCKETS_EARLY_DROP, limits.SOCKETS_PRE_OPEN
        if total < first:
            return False
        dice = int.from_bytes(self._entropy.bytes(2), "big") / 65536
        return dice < (total - first + 1) / (most - first)
