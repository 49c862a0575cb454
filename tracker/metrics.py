"""What a host may scrape: a few counts as text, in the exposition format 0.0.4 of Prometheus; no name, no address.

A listener of its own, which the host binds to where only the scraper comes (`--metrics`): it answers one question a
connection, reads few bytes, and waits for nobody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from tracker.hub import Hub

HEAD_BYTES = 4096
HEAD_S = 5.0
CLIENTS = 16
"""At once; a further one finds the door shut."""

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def lines(hub: Hub) -> Iterator[str]:
    """Give the counts, each with what it is."""
    books = hub.splices.books
    yield from _one(
        "sessions", "gauge", "connections that speak with this tracker", len(hub.sessions)
    )
    yield from _one("relay_on", "gauge", "1 where friends are joined here", int(books.is_on))
    yield from _one("relay_joints", "gauge", "pairs joined now or awaited", books.open_count)
    yield from _one("relay_joints_total", "counter", "pairs that got tickets", books.opened)
    yield from _one(
        "relay_bytes_total", "counter", "bytes passed between pairs", books.relayed_bytes
    )
    yield from _head("relay_refused_total", "counter", "requests to be joined that were refused")
    for why, count in sorted(books.refused.items()):
        yield f'hobnob_relay_refused_total{{why="{why}"}} {count}'


def _one(name: str, kind: str, what: str, value: int) -> Iterator[str]:
    yield from _head(name, kind, what)
    yield f"hobnob_{name} {value}"


def _head(name: str, kind: str, what: str) -> Iterator[str]:
    yield f"# HELP hobnob_{name} {what}"
    yield f"# TYPE hobnob_{name} {kind}"


class Metrics:
    """Answers scrapers of one tracker; `serve` is called for each connection."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._clients = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one question, whoever asks, and hang up."""
        if self._clients >= CLIENTS:
            writer.transport.abort()
            return
        self._clients += 1
        try:
            async with asyncio.timeout(HEAD_S):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                writer.close()
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError, asyncio.LimitOverrunError):
            writer.transport.abort()
        finally:
            self._clients -= 1

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if method != b"GET" or path != b"/metrics":
            return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        body = "".join(f"{line}\n" for line in lines(self._hub)).encode()
        fields = f"Content-Type: {_TYPE}\r\nContent-Length: {len(body)}\r\nConnection: close"
        return f"HTTP/1.1 200 OK\r\n{fields}\r\n\r\n".encode() + body
