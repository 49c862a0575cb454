"""The outside of a connection: its transport, its place at the door, slow readers, an end that lingers.

Knows asyncio and neither links nor accounts; `session` is built on it. All deadlines of a connection are
one instant in the hub's wheel.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import cast

from tracker.hub import Hub, Recipient
from tracker.throttle import address_key
from wire import frames
from wire.codes import Code
from wire.machine import Monotonic

LINGER_S = 2.0  # for a last record to leave, then the connection is cut


class Connection(asyncio.Protocol, Recipient):
    """One connection to this tracker, from the first byte to the last."""

    __slots__ = (
        "_connected",
        "_hub",
        "_is_in_lobby",
        "_linger_until",
        "_stalled_since",
        "_transport",
        "address",
        "host",
        "port",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._transport: asyncio.Transport | None = None
        self._connected = hub.now()
        self._stalled_since: Monotonic | None = None
        self._linger_until: Monotonic | None = None
        self._is_in_lobby = False
        self.host, self.port = "", 0
        self.address = ""  # what counts as one address for limits

    @property
    def is_closed(self) -> bool:
        """Say whether nothing more can be said."""
        return self._transport is None or self._linger_until is not None

    def abort(self) -> None:
        """End the connection now, whatever has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    # --- what a session adds

    def _instants(self) -> Iterator[float]:
        """Name the instants at which `_due` wants to be called; a bare connection has none."""
        return iter(())

    def _due(self, now: Monotonic) -> None:
        """Do what is due on a connection that is neither closing nor stalled; a bare one has nothing."""

    def _leave(self) -> None:
        """Give back what the connection holds; again changes nothing."""
        self._leave_lobby()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        peer = transport.get_extra_info("peername") or ("", 0)
        self.host, self.port = str(peer[0]), int(peer[1])
        self.address = address_key(self.host)
        dice = self._hub.entropy.bytes(1)[0]
        has_room = self._hub.arrived(self)
        self._is_in_lobby = has_room and self._hub.lobby.enter(self.address, dice)
        if not self._is_in_lobby:
            self._refuse_in_clear(Code.TOO_MANY_CONNECTIONS, "")
            return
        most_bytes = self._hub.config.limits.send_queue_bytes
        self._transport.set_write_buffer_limits(high=most_bytes)
        self._set_deadline()

    def pause_writing(self) -> None:
        """See asyncio.Protocol: the other side does not read, so it is not read from either."""
        if self._transport is not None and not self.is_closed:
            self._stalled_since = self._hub.now()
            self._transport.pause_reading()
            self._set_deadline()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stalled_since = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See asyncio.Protocol."""
        self._transport = None
        self._leave()
        self._hub.gone(self)

    # --- deadlines

    def on_deadline(self, now: Monotonic) -> None:
        """Do what is due, and say when to come again."""
        stall_s = self._hub.config.limits.send_stall_s
        if self._linger_until is not None:
            if now >= self._linger_until:
                self.abort()
                return
        elif self._stalled_since is not None and now >= self._stalled_since + stall_s:
            self._drop_slow()
            return
        elif self._transport is not None:
            self._due(now)
        self._set_deadline()

    def _set_deadline(self) -> None:
        """Tell the wheel when to come next."""
        if self._transport is None:
            return
        if self._linger_until is not None:
            self._hub.wheel.set(self, self._linger_until)
            return
        instants = list(self._instants())
        if self._stalled_since is not None:
            instants.append(self._stalled_since + self._hub.config.limits.send_stall_s)
        self._hub.wheel.set(self, Monotonic(min(instants)) if instants else None)

    # --- writing and ending

    def _write(self, data: bytes) -> None:
        """Send bytes; a reader that lets twice the queue pile up is dropped at once."""
        if not data or self._transport is None or self._transport.is_closing():
            return
        self._transport.write(data)
        waiting_bytes = self._transport.get_write_buffer_size()
        if waiting_bytes > 2 * self._hub.config.limits.send_queue_bytes:
            self._drop_slow()

    def _drop_slow(self) -> None:
        self._log_refused(Code.TOO_SLOW, "")
        self._leave()
        self.abort()

    def _refuse_in_clear(self, code: Code, detail: str) -> None:
        """Turn away somebody with whom there is no link."""
        self._log_refused(code, detail)
        self._write(frames.clear_refusal(code))
        self._end()

    def _end(self) -> None:
        """Close the connection as soon as what is written has left."""
        self._leave()
        if self._transport is not None and self._linger_until is None:
            self._linger_until = Monotonic(self._hub.now() + LINGER_S)
            self._transport.close()
            self._set_deadline()

    def _leave_lobby(self) -> None:
        if self._is_in_lobby:
            self._is_in_lobby = False
            self._hub.lobby.leave(self.address)

    def _log_refused(self, code: Code, detail: str) -> None:
        self._hub.refusals.refused(f"{self.host}:{self.port}", code, detail)
