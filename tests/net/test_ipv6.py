"""Machines with IPv6, alone or beside IPv4: whichever way there is, friends find it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Peer
from tests.harness.netns import INTERNET, Host, Switch, needs_networks
from tests.harness.trackers import WIDE, TrackerProcess
from tests.net.conftest import path_to
from tests.net.test_relay import swallow
from tests.net.test_routers import meet, passes

pytestmark = needs_networks

EVERYWHERE = ("--listen", "0.0.0.0:0", "--listen", "[::]:0")


@pytest.fixture
def switch() -> Iterator[Switch]:
    """The Internet."""
    with Switch(INTERNET) as running:
        yield running


@pytest.fixture
def people() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def at(people: ExitStack, folder: Path, name: str, host: Host, tracker: TrackerProcess) -> Peer:
    """Register somebody from a host and bring them up there, on all its addresses."""
    peer = people.enter_context(closing(Peer(folder, name)))
    peer.under = host.words
    peer.register(tracker.address, "--unsealed")
    peer.up(listen="[::]:0")
    return peer


def test_without_ipv4_a_friend_who_has_both_is_reached_by_ipv6(
    switch: Switch, people: ExitStack, tmp_path: Path
) -> None:
    meeting_place = switch.host(has_ipv4=False, has_ipv6=True)
    with TrackerProcess(
        tmp_path / "tracker",
        *WIDE,
        listen=f"[{meeting_place.address}]:0",
        under=meeting_place.words,
    ) as tracker:
        only = switch.host(has_ipv4=False, has_ipv6=True)
        alice = at(people, tmp_path, "alice", only, tracker)
        bob = at(people, tmp_path, "bob", switch.host(has_ipv6=True), tracker)
        meet(alice, bob, "direct")
        passes(alice, bob, tmp_path)
        checks = {check["check"]: check for check in alice.do("doctor")}
        assert checks["dial-back"]["ok"], checks["dial-back"]
        assert only.address in checks["ipv6"]["detail"]


def test_where_ipv4_swallows_everything_ipv6_is_there_within_its_head_start(
    switch: Switch, people: ExitStack, tmp_path: Path
) -> None:
    meeting_place = switch.host()
    with TrackerProcess(
        tmp_path / "tracker", *WIDE, listen=f"{meeting_place.address}:0", under=meeting_place.words
    ) as tracker:
        one, other = switch.host(has_ipv6=True), switch.host(has_ipv6=True)
        swallow(one, other)
        alice = at(people, tmp_path, "alice", one, tracker)
        bob = at(people, tmp_path, "bob", other, tracker)
        meet(alice, bob, "direct")
        assert path_to(alice, "bob") == ("direct", None)
