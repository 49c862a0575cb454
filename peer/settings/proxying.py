"""Which way out this node takes: the proxy that the tracker is reached through, and what its sockets stay on.

The proxy is named by the environment, by a setting, or by the home's file; a name and password for it come from the
environment or the file, never from a command line.
"""

from __future__ import annotations

import os

from peer.config import read_config
from peer.errors import PeerError
from peer.locations import Locations
from peer.reach.socks5 import Proxy
from peer.settings import preferences
from peer.settings.quantities import OFF
from peer.store.database import Database
from wire.codes import Code

INTERFACE = "interface"
SETTING = "tracker.socks5"
VARIABLE = "HOBNOB_SOCKS5"


def proxy_of(locations: Locations, database: Database) -> Proxy | None:
    """Give the proxy of a home, None for none; raises PeerError(CONFIG_INVALID)."""
    if named := os.environ.get(VARIABLE):
        try:
            return Proxy.parse(named)
        except ValueError as error:
            raise PeerError(Code.CONFIG_INVALID, f"{VARIABLE} is {error}") from error
    chosen = database.read(preferences.value, SETTING)
    if chosen is None:
        return read_config(locations).socks5
    return None if chosen == OFF else Proxy.parse(chosen)


def bound_to(database: Database) -> str:
    """Give the interface or address that sockets stay on, empty for no choice."""
    chosen = database.read(preferences.held, INTERFACE)
    return "" if chosen == OFF else chosen
