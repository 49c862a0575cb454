"""One question to the router over UDP: asked again after growing pauses, until an answer comes or time is up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import TypeVar

from peer.errors import PeerError
from wire.codes import Code

PORT = 5351
"""Of NAT-PMP and PCP alike."""

TRIES_S = (0.25, 0.5, 1.0, 2.0)
"""How long each try waits: RFC 6886 begins so, and goes on for a minute; a router is next door."""

ANSWER_BYTES = 1100
"""No message of either protocol is longer (RFC 6887, section 7)."""

STRAYS = 16
"""Answers to something else that are passed over; whoever sends more is no router."""

Answer = TypeVar("Answer")


async def ask(
    router: tuple[str, int],
    question: bytes,
    read: Callable[[bytes], Answer],
    tries_s: tuple[float, ...] = TRIES_S,
    *,
    own_host: str = "",
) -> Answer:
    """Ask until `read` takes an answer; what it raises is raised at the last.

    own_host: our address that it is sent from, where there are several. Only what comes from the router's own port is looked at. Raises PeerError with NO_ROUTER for silence or a
    closed door, and what `read` raises.
    """
    loop = asyncio.get_running_loop()
    wrong: PeerError | None = None
    family = socket.AF_INET6 if ":" in router[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        asked.setblocking(False)
        try:
            if own_host:
                asked.bind((own_host, 0))
            asked.connect(_whole(router))
            for wait_s in tries_s:
                await loop.sock_sendall(asked, question)
                try:
                    async with asyncio.timeout(wait_s):
                        for _ in range(STRAYS):
                            try:
                                return read(await loop.sock_recv(asked, ANSWER_BYTES + 1))
                            except PeerError as error:
                                if error.code is not Code.ROUTER_INVALID:
                                    raise
                                wrong = error  # a stray of an older question, perhaps: the true one may follow
                except TimeoutError:
                    continue
        except OSError as error:
            raise PeerError(
                Code.NO_ROUTER,
                f"the router at {router[0]} takes no such question ({error.strerror})",
            ) from error
    raise wrong or PeerError(Code.NO_ROUTER, f"the router at {router[0]} does not answer")


def _whole(place: tuple[str, int]) -> tuple[str | int, ...]:
    """Give a place as sockets take it: an address that holds on one device only comes with that device's number."""
    host, _, device = place[0].partition("%")
    return (host, place[1], 0, socket.if_nametoindex(device)) if device else place
