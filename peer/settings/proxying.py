"""Which way out this node takes: the proxy that the tracker is reached through, and what its sockets stay on.

The proxy is named by the environment, by a setting, or by the home's file; a name and password for it come from the
environment or the file, never from a command line.
"""

from __future__ import annotations

import os

from peer.config import read_config
from peer.errors import PeerError
from peer.locations import Locations
from peer.reach import outward
from peer.reach.socks5 import Proxy
from peer.settings import preferences
from peer.settings.quantities import OFF
from peer.store.database import Database
from wire.codes import Code

INTERFACE = "interface"
SETTING = "tracker.socks5"
VARIABLE = "HOBNOB_SOCKS5"


class WayOut:
    """The way out of one home: what its settings say now, and once its database is closed what they said last.

    database: None before there is one; the environment and the home's file are asked then.
    """

    def __init__(self, locations: Locations, database: Database | None = None) -> None:
        self._locations = locations
        self._database = database
        self._last: dict[str, str | None] = {}

    def take(self) -> None:
        """Have every connection of this task, and of those it makes, go this way."""
        outward.go_by(self.proxy)
        outward.stay_on(self.bound_to)

    def leave(self) -> None:
        """Note what the settings say, before the database is closed; raises PeerError where it cannot be read."""
        if self._database is not None:
            self._last = {key: self._chosen(key) for key in (SETTING, INTERFACE)}
            self._database = None

    def proxy(self) -> Proxy | None:
        """Give the proxy, None for none; raises PeerError(CONFIG_INVALID)."""
        if named := os.environ.get(VARIABLE):
            try:
                return Proxy.parse(named)
            except ValueError as error:
                raise PeerError(Code.CONFIG_INVALID, f"{VARIABLE} is {error}") from error
        chosen = self._chosen(SETTING)
        if chosen is None:
            return read_config(self._locations).socks5
        return None if chosen == OFF else Proxy.parse(chosen)

    def bound_to(self) -> str:
        """Give the interface or address that sockets stay on, empty for no choice."""
        chosen = self._chosen(INTERFACE)
        return "" if chosen in {OFF, None} else str(chosen)

    def _chosen(self, key: str) -> str | None:
        """Give what was chosen for a setting, None for nothing."""
        if self._database is None:
            return self._last.get(key)
        return self._database.read(preferences.value, key)
