"""Memory of what does nothing: a peer with its node up, and a tracker's links, against asyncio's TLS streams.

A thousand real links of known devices are opened to a real tracker; the rival is a server of asyncio
streams over TLS with as many connections, each shaken hands with and then silent.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from benches.handshake import tls_contexts
from benches.measure import resident_bytes
from benches.people import pair
from cast import start_tracker

from tests.harness.guest import come, register
from tests.harness.people import person

WARM = 100  # connections that bring a program to its working size
WIDE = ("sockets_per_address=100000", "registrations=100000", "lookups=100000")


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench idle", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="connections")
    count = parser.parse_args(words).count
    with pair() as people:
        peer = resident_bytes(people.at_alice.process.pid)
        tracker_alone = resident_bytes(people.tracker.process.pid)
    with tempfile.TemporaryDirectory(prefix="hobnob-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        tracker, address = start_tracker(folder, stack, *WIDE)
        ours = asyncio.run(_links(address, tracker.process.pid, count))
        theirs = _streams(folder, count)
    print(f"idle peer, linked to one friend   {peer / 2**20:6.1f} MiB resident")
    print(f"idle tracker                      {tracker_alone / 2**20:6.1f} MiB resident")
    print(f"{'':33} {'x ours':>6} {'KiB each':>9}")
    print(f"{'tracker link (Noise, ML-KEM)':33} {1:6.2f} {ours / 1024:9.1f}")
    print(f"{'asyncio stream (TLS 1.3)':33} {theirs / ours:6.2f} {theirs / 1024:9.1f}")


async def _links(address: str, process: int, count: int) -> float:
    """Give the bytes that each link costs the tracker; the first ones are its own growth."""
    async with AsyncExitStack() as stack:
        before = 0
        for number in range(count + WARM):
            if number == WARM:
                before = resident_bytes(process)
            someone = person(f"p{number}")
            await register(address, someone)
            stack.push_async_callback((await come(address, someone)).hang_up)
        return (resident_bytes(process) - before) / count


def _streams(folder: Path, count: int) -> float:
    """Give the bytes that each TLS stream costs a server of asyncio streams."""
    server, caller = tls_contexts(folder)
    del server
    words = (sys.executable, "-m", "benches.streams", str(folder))
    place = Path(__file__).parent.parent
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=place) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            return asyncio.run(_connect(caller, port, process.pid, count))
        finally:
            process.kill()


async def _connect(caller: ssl.SSLContext, port: int, process: int, count: int) -> float:
    async with AsyncExitStack() as stack:
        before = 0
        for number in range(count + WARM):
            if number == WARM:
                before = resident_bytes(process)
            stream = await asyncio.open_connection("127.0.0.1", port, ssl=caller)
            stack.callback(_drop, *stream)
        return (resident_bytes(process) - before) / count


def _drop(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """End a stream; both halves are kept until then, as asyncio closes a stream whose reader is forgotten."""
    writer.transport.abort()
    reader.feed_eof()
