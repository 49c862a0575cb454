"""UPnP by `miniupnpc`: a program of its own, that `upnp` runs, bounds and reads; it needs nothing of Hobnob.

The library is C, it waits in its calls, and it reads what any machine on the LAN cares to answer. In a process of its
own a router that hangs, floods or breaks it costs one question, not the node.

    igd.py map OWN_HOST INSIDE OUTSIDE LIFETIME     prints {"host", "port", "url"} as a line of JSON
    igd.py unmap OUTSIDE URL

What goes wrong is the last line of its error output. URL: where the router describes itself.
"""

from __future__ import annotations

import json
import sys

DISCOVER_MS = 1500
MEMORY_BYTES = 512 * 1024 * 1024
NAME = "hobnob"


def main(words: list[str]) -> None:
    """Do what the words say; raises what the library raises."""
    sys.tracebacklimit = 0
    _bound_memory()
    import miniupnpc

    if words[0] == "map":
        own_host, inside, outside, lifetime_s = words[1:]
        router = miniupnpc.UPnP(multicastif=own_host, discoverdelay=DISCOVER_MS)
        router.discover()
        url = str(router.selectigd())
        place = int(outside), "TCP", own_host, int(inside), NAME, "", int(lifetime_s)
        router.addportmapping(*place)
        found = {"host": router.externalipaddress(), "port": int(outside), "url": url}
        sys.stdout.write(json.dumps(found))
    else:
        outside, url = words[1:]
        router = miniupnpc.UPnP()
        router.selectigd(url)
        router.deleteportmapping(int(outside), "TCP")


def _bound_memory() -> None:
    """Have the system end us rather than let a router fill the machine; where it can do that."""
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


if __name__ == "__main__":
    main(sys.argv[1:])
