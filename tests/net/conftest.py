"""A switch for a test, and people with a host each, friends of one another through a tracker at a third."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Item, Peer
from tests.harness.netns import Host, Switch
from tests.harness.trackers import WIDE, TrackerProcess
from wire import limits

Settle = Callable[[str, Host], Peer]


@pytest.fixture
def switch() -> Iterator[Switch]:
    """Hosts whose kernels fill queues, as most do: it is the harder case for whoever wants to talk."""
    with Switch(net__ipv4__tcp_congestion_control="reno") as running:
        yield running


@pytest.fixture
def lan_tracker(switch: Switch, tmp_path: Path) -> Iterator[TrackerProcess]:
    """A tracker at a host of its own."""
    host = switch.host()
    with TrackerProcess(
        tmp_path / "tracker", *WIDE, listen=f"{host.address}:0", under=host.words
    ) as running:
        yield running


@pytest.fixture
def settle(lan_tracker: TrackerProcess, tmp_path: Path) -> Iterator[Settle]:
    """Register somebody from a host and bring them up there."""
    with ExitStack() as stack:

        def settled(name: str, host: Host) -> Peer:
            peer = stack.enter_context(closing(Peer(tmp_path, name)))
            peer.under = host.words
            peer.register(lan_tracker.address, "--unsealed")
            peer.up(listen=f"{host.address}:0")
            return peer

        yield settled


def befriend(alice: Peer, bob: Peer) -> None:
    """Make two people friends and wait until they are linked."""
    code = bob.one("friend", "code")["code"]
    alice.do("friend", "add", code)
    bob.node.event("friend-request", friend=alice.name, direction="in")
    bob.do("friend", "accept", alice.name)
    alice.node.event("link", friend=bob.name, state="up")


def path_to(peer: Peer, friend: str) -> tuple[str, str | None]:
    """Give the path of somebody's link with a friend, and why there is no better one."""
    status = peer.one("status")
    link = next(link for link in status["links"] if link["friend"] == friend)
    return link["path"], link["why_not_better"]


def most_again_bytes(peer: Peer, done: Item) -> int:
    """Give how much of a transfer that somebody took may have come twice: a window and a chunk for each interruption.

    done: the event of its end. On a busy machine a link may be given up that another one would have kept, so those are
    counted: each place where it went on was told.
    """
    told = [item for item in peer.node.seen if item.get("offer") == done["offer"]]
    places = {item.get("resumed_at") for item in told} - {None}
    return max(1, len(places)) * (limits.WINDOW_BYTES + limits.CHUNK_BYTES)
