"""Somebody at home whose router maps a port when it is asked: friends dial them there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.gateways import Gateway, needs_daemon
from tests.harness.netns import INTERNET, Switch, needs_networks
from tests.harness.routers import Mapping, Router, needs_routers
from tests.harness.trackers import WIDE, TrackerProcess
from tests.net.conftest import Settle
from tests.net.test_ipv6 import at
from tests.net.test_routers import meet, passes

pytestmark = [needs_networks, needs_routers, needs_daemon]


@pytest.fixture
def switch() -> Iterator[Switch]:
    """The Internet."""
    with Switch(INTERNET) as running:
        yield running


@pytest.fixture
def people() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("by", ["PCP", "UPnP"])
def test_friends_dial_a_port_that_the_router_maps_until_the_node_ends(
    switch: Switch, settle: Settle, tmp_path: Path, by: str
) -> None:
    with ExitStack() as homes:
        one = homes.enter_context(Router(switch, 1))
        other = homes.enter_context(Router(switch, 2, Mapping.RANDOM))  # no dialling at one moment
        gateway = homes.enter_context(Gateway(one, tmp_path / "gateway", by))
        alice, bob = settle("alice", one.inside), settle("bob", other.inside)
        checks = {check["check"]: check for check in alice.do("doctor")}
        assert checks["mapping"]["ok"], checks["mapping"]
        assert f"of {one.outside.address} to this machine, by {by}" in checks["mapping"]["detail"]
        assert checks["dial-back"]["ok"], checks["dial-back"]
        assert "dnat ip to 192.168.1.2" in gateway.mapped
        meet(alice, bob, "mapped")
        passes(bob, alice, tmp_path)
        alice.node.stop()
        assert gateway.mapped == ""


def test_a_firewall_of_ipv6_is_opened_until_the_node_ends(
    switch: Switch, people: ExitStack, tmp_path: Path
) -> None:
    meeting_place = switch.host(has_ipv6=True)
    home = people.enter_context(Router(switch, 1, has_ipv6=True))
    gateway = people.enter_context(Gateway(home, tmp_path / "gateway", "PCP"))
    only = switch.host(has_ipv4=False, has_ipv6=True)
    home.lead(meeting_place, only)
    with TrackerProcess(
        tmp_path / "tracker",
        *WIDE,
        listen=f"[{meeting_place.ipv6}]:0",
        under=meeting_place.words,
    ) as tracker:
        alice = at(people, tmp_path, "alice", home.inside, tracker)
        checks = {check["check"]: check for check in alice.do("doctor")}
        assert "lets port" in checks["ipv6"]["detail"], checks["ipv6"]
        assert checks["dial-back"]["ok"], checks["dial-back"]
        port = alice.node.address.rpartition(":")[2]
        assert f"th dport {port}" in gateway.let_in
        bob = at(people, tmp_path, "bob", only, tracker)
        meet(alice, bob, "direct")
        passes(bob, alice, tmp_path)
        alice.node.stop()
        assert gateway.let_in == ""
