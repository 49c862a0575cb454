"""What a router grants: one of its ports, for a time."""

from __future__ import annotations

from msgspec import Struct

from peer.errors import PeerError
from wire.codes import Code


class Lease(Struct, frozen=True):
    """A port of the router that leads to a port of this machine.

    by: the protocol, in words. host: the router's outside address, numeric. port: outside. lifetime_s: from now
    on; 0: for good. inside: this machine's address and port. secret: what the router wants to see again, or empty.
    """

    by: str
    host: str
    port: int
    lifetime_s: int
    inside: tuple[str, int]
    secret: bytes = b""


def nonsense(by: str, why: str) -> PeerError:
    """Make the error for an answer that no router should give."""
    return PeerError(Code.ROUTER_INVALID, f"the router's {by} answer makes no sense: {why}")


def refused(by: str, why: str) -> PeerError:
    """Make the error for a router that says no."""
    return PeerError(Code.ROUTER_REFUSED, f"the router refuses by {by}: {why}")
