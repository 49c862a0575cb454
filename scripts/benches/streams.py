"""A server of asyncio TLS streams that answers nothing: what `idle` compares a tracker's links with."""

from __future__ import annotations

import asyncio
import ssl
import sys
from contextlib import suppress
from pathlib import Path


async def main(folder: Path) -> None:
    """Serve until killed; prints the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server = await asyncio.start_server(_serve, "127.0.0.1", 0, ssl=context, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):  # the other side leaves without a word
        while await reader.read(4096):
            pass
    writer.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
