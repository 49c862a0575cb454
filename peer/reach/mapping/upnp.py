"""UPnP: runs `igd` in a process of its own, bounds what it may take, and reads what it found."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import IPv4Address
from pathlib import Path

from peer.errors import PeerError
from peer.reach.mapping.lease import Lease, nonsense, refused
from wire.codes import Code

BY = "UPnP"
PROGRAM = Path(__file__).with_name("igd.py")
RUN_S = 15.0
OUTPUT_BYTES = 4096
TAKEN = "ConflictInMappingEntry"
FOR_GOOD_ONLY = "OnlyPermanentLeasesSupported"
NOBODY = ("No UPnP device discovered", "Success")
"""What the library says where nobody answered: the latter is the error of a search that went well and found nothing."""
OTHER_PORTS = 4
"""How many further ports are tried where the router says that one is taken."""


async def map_port(
    own_host: str, inside: int, outside: int, lifetime_s: int, *, program: Path = PROGRAM
) -> tuple[Lease, str]:
    """Ask whatever router answers on the LAN; gives what it grants and where it is described.

    Raises PeerError with NO_ROUTER, ROUTER_REFUSED or ROUTER_INVALID.
    """
    if find_spec("miniupnpc") is None:
        raise PeerError(
            Code.NO_ROUTER,
            "UPnP was not tried: the package miniupnpc is not installed",
            remedy="pip install 'hobnob[mapping]'",
        )
    most, port = 65536, outside
    for _ in range(OTHER_PORTS):
        words = (own_host, str(inside), str(port))
        try:
            return await _map(words, lifetime_s, program)
        except PeerError as error:
            if TAKEN not in error.message:
                raise
            port = port % (most - 1) + 1
    raise refused(BY, f"the ports from {outside} on are taken")


async def _map(words: tuple[str, ...], lifetime_s: int, program: Path) -> tuple[Lease, str]:
    try:
        printed = await _run(program, "map", *words, str(lifetime_s))
    except PeerError as error:
        if FOR_GOOD_ONLY not in error.message:
            raise
        lifetime_s = 0
        printed = await _run(program, "map", *words, "0")
    try:
        found = json.loads(printed)
        host, port, url = str(IPv4Address(found["host"])), int(found["port"]), str(found["url"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise nonsense(BY, repr(printed[:60])) from error
    own_host, inside, _ = words
    return Lease(BY, host, port, lifetime_s, (own_host, int(inside))), url


async def unmap_port(outside: int, url: str, *, program: Path = PROGRAM) -> None:
    """Take a mapping back; raises PeerError as `map_port`."""
    await _run(program, "unmap", str(outside), url)


async def _run(program: Path, *words: str) -> str:
    """Run the program to its end; gives what it printed. It is killed when its time is over."""
    pipe = asyncio.subprocess.PIPE
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith("HOBNOB_")
    }
    try:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(program), *words,
            stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, env=environment,
        )  # fmt: skip
    except OSError as error:
        raise PeerError(Code.NO_ROUTER, f"UPnP was not tried: {error.strerror}") from error
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        async with asyncio.timeout(RUN_S):
            printed = await child.stdout.read(OUTPUT_BYTES)
            wrong = await child.stderr.read(OUTPUT_BYTES)
            status = await child.wait()
    except TimeoutError as error:
        raise nonsense(BY, f"it goes on for more than {RUN_S:.0f} s") from error
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()
    if status != 0:
        raise _failure(wrong.decode("utf-8", "replace"))
    return printed.decode("utf-8", "replace")


def _failure(wrong: str) -> PeerError:
    said = (wrong.strip().splitlines() or ["it ended without a word"])[-1].removeprefix(
        "Exception: "
    )
    if said in NOBODY:
        return PeerError(Code.NO_ROUTER, "no router answers by UPnP")
    return refused(BY, "".join(each if each.isprintable() else "?" for each in said[:100]))
