"""Connections that this node opens, and how its sockets are bound: to its tracker, to the relay there, to friends.

A name may have many addresses, and one family may be a black hole: they are raced as RFC 8305 has it, IPv6 and IPv4 in
turn, each with a small head start. Where the person named a proxy, it opens the connection, and looks the name up itself. What lives
here: the way out. What does not: which places of friends are dialled, which `dialer` judges; they never go by the proxy.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from ipaddress import ip_address
from itertools import chain, zip_longest

from peer.errors import PeerError
from peer.reach import socks5
from peer.reach.socks5 import Proxy, ProxyRefusedError
from wire import limits

HEAD_START_S = 0.25
"""Between two attempts (RFC 8305, section 5)."""

ADDRESSES = 8
"""Of one name that are tried."""

SEGMENT_BYTES = 1220
"""Of TCP: with the headers of IPv6 it fills 1,280 bytes, which every path carries (RFC 8200, section 5).

Where a router swallows what is larger and says nothing (RFC 2923, section 2.1), a connection with larger ones opens and then
stands still: nobody but a system's own setting finds that out. Smaller ones cost 1 % of a line.
"""

WHY = {
    errno.ECONNREFUSED: "its machine says no: nothing runs at that port, or a firewall on its side",
    errno.ENETUNREACH: "no way leads there from this machine: its own network, or such addresses, are missing",
    errno.EHOSTUNREACH: "no way leads there: this machine's network or the one there is down",
    errno.ECONNRESET: "it closed the connection",
    errno.EADDRNOTAVAIL: "this machine has no address from which to go there",
}
"""Why an address did not serve, in words."""

Place = tuple[int, tuple[str, int]]
"""A family, and an address with a port."""


def _straight() -> Proxy | None:
    return None


_PROXY: ContextVar[Callable[[], Proxy | None]] = ContextVar("proxy", default=_straight)


def go_by(proxy: Callable[[], Proxy | None]) -> None:
    """Have every connection of this task, and of those it makes, go through what `proxy` gives then; None: straight."""
    _PROXY.set(proxy)


def proxy() -> Proxy | None:
    """Give the proxy that connections go through now."""
    return _PROXY.get()()


def is_proxied() -> bool:
    """Say whether connections go through a proxy; so it is, too, where the setting that names it cannot be read."""
    try:
        return proxy() is not None
    except PeerError:
        return True


def _anywhere() -> str:
    return ""


_BOUND: ContextVar[Callable[[], str]] = ContextVar("bound", default=_anywhere)


def stay_on(chosen: Callable[[], str]) -> None:
    """Have every socket of this task, and of those it makes, stay on what `chosen` gives then.

    That is an interface by name, a numeric address of this machine, or empty for no choice.
    """
    _BOUND.set(chosen)


def stays_on() -> str:
    """Give what sockets stay on, an interface or an address; empty for no choice."""
    return _BOUND.get()()


def bound_address() -> str:
    """Give the address that sockets stay on, empty for an interface or no choice."""
    chosen = _BOUND.get()()
    return chosen if _is_numeric(chosen) else ""


def make_socket(family: int, *, has_place: bool = False) -> socket.socket:
    """Make a TCP socket that stays where it is to stay; raises OSError where it cannot.

    has_place: the caller binds it to an address and port itself.
    """
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        chosen = _BOUND.get()()
        if _is_numeric(chosen):
            if not has_place:
                _bind(made, chosen)
        elif chosen:
            made.setsockopt(socket.SOL_SOCKET, _by_interface(), chosen.encode() + b"\0")
    except OSError:
        made.close()
        raise
    return made


def _bind(made: socket.socket, address: str) -> None:
    if (":" in address) is not (made.family == socket.AF_INET6):
        raise OSError(errno.EADDRNOTAVAIL, f"this node stays on {address}")
    made.bind((address, 0))


def _by_interface() -> int:
    """Give the system's option for it; raises OSError where it has none."""
    option: int | None = getattr(socket, "SO_BINDTODEVICE", None)
    if option is None:
        raise OSError(errno.ENOPROTOOPT, "this system keeps sockets on an address only")
    return option


def _is_numeric(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


async def dial(host: str, port: int, *, is_near: bool = False) -> socket.socket:
    """Connect to a numeric address, straight; raises OSError. is_near: nothing on the way swallows large packets."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return await _open((family, (host, port)), is_near=is_near)


def keep_small(made: socket.socket, far_host: str) -> None:
    """Have both ends of a connection to be send segments that pass anywhere; on this machine there is no need.

    The other end keeps to what we announce as we connect (RFC 9293, section 3.7.1).
    """
    if not ip_address(far_host).is_loopback and hasattr(socket, "TCP_MAXSEG"):
        with suppress(OSError):  # a system that has a say of its own
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)


async def connect(host: str, port: int) -> socket.socket:
    """Connect to a name or a numeric address; gives the first connection that stands.

    Raises OSError with what the best attempt failed of, the name's own error where it has no address, and
    ProxyRefusedError. The caller bounds the time.
    """
    by = proxy()
    if by is None:
        return await race(await resolve(host, port))
    try:
        opened = await race(await resolve(by.host, by.port))
    except OSError as error:
        raise ProxyRefusedError(f"{by} cannot be reached ({why(error)})") from error
    try:
        await _ask(opened, by, host, port)
    except BaseException:
        opened.close()
        raise
    return opened


def why(error: OSError | EOFError) -> str:
    """Say in words why an address did not serve, and on whose side that is where it shows."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time: it is off, or a firewall on either side swallows what is sent"
    if isinstance(error, EOFError):
        return "it closed the connection"
    number = error.errno
    if isinstance(error, socket.gaierror) or number is None or number not in errno.errorcode:
        return error.strerror or str(error)
    return WHY.get(number, os.strerror(number))


async def _ask(opened: socket.socket, by: Proxy, host: str, port: int) -> None:
    """Have the proxy connect us; reads not one byte of what comes behind its answer."""
    loop = asyncio.get_running_loop()
    talk = socks5.connect(by, host, port)
    said, count = next(talk)
    while True:
        await loop.sock_sendall(opened, said)
        came = b""
        while len(came) < count:
            piece = await loop.sock_recv(opened, count - len(came))
            if not piece:
                raise ProxyRefusedError(f"{by} closed the connection")
            came += piece
        try:
            said, count = talk.send(came)
        except StopIteration:
            return


async def resolve(host: str, port: int) -> list[Place]:
    """Give the places of a name, best first, at most ADDRESSES: IPv6 and IPv4 in turn, each as the system orders them."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is too long, or empty
        raise OSError(errno.EINVAL, "this is no host name") from error
    places: dict[int, list[Place]] = {socket.AF_INET6: [], socket.AF_INET: []}
    for family, _, _, _, place in found:
        if family in places:
            places[family].append((family, (str(place[0]), int(place[1]))))
    first = found[0][0] if found else socket.AF_INET6
    lists = places.values() if first == socket.AF_INET6 else reversed(places.values())
    in_turn = [place for place in chain.from_iterable(zip_longest(*lists)) if place is not None]
    return list(dict.fromkeys(in_turn))[:ADDRESSES]


async def race(places: list[Place], head_start_s: float = HEAD_START_S) -> socket.socket:
    """Connect to several places, each a little after the former or as soon as that failed; the first one wins.

    Raises OSError with what the first of them failed of.
    """
    won: list[socket.socket] = []
    failures: list[OSError] = []
    tasks: list[asyncio.Task[None]] = []
    news = asyncio.Event()

    async def attempt(place: Place) -> None:
        try:
            opened = await _open(place)
        except OSError as error:
            failures.append(error)
        else:
            won.append(opened)
            for task in tasks:
                if task is not asyncio.current_task():
                    task.cancel()
        news.set()

    try:
        async with asyncio.TaskGroup() as group:
            for place in places:
                news.clear()
                tasks.append(group.create_task(attempt(place)))
                with suppress(TimeoutError):
                    async with asyncio.timeout(head_start_s):
                        await news.wait()
                if won:
                    break
    except BaseException:  # cancelled while the news of a winner was on its way
        for opened in won:
            opened.close()
        raise
    for loser in won[1:]:
        loser.close()
    if won:
        return won[0]
    raise failures[0] if failures else OSError(errno.EHOSTUNREACH, "the name has no address")


async def _open(place: Place, *, is_near: bool = False) -> socket.socket:
    """Open one connection; raises OSError, also when nothing answers for DIAL_TIMEOUT_S. is_near: as of `dial`."""
    family, address = place
    opened = make_socket(family)
    try:
        opened.setblocking(False)
        if not is_near:
            keep_small(opened, address[0])
        async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(opened, address)
    except BaseException:
        opened.close()
        raise
    return opened
