"""A path that swallows large packets and tells nobody: what ordinary settings of a system never get over.

A connection opens there, as its first packets are small, and then stands still for a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness.netns import INTERNET, Switch, needs_networks
from tests.harness.routers import Mapping, Router, needs_routers
from tests.net.conftest import Settle
from tests.net.test_routers import meet, passes

pytestmark = [needs_networks, needs_routers]


@pytest.fixture
def switch() -> Iterator[Switch]:
    """The Internet."""
    with Switch(INTERNET) as running:
        yield running


@pytest.mark.parametrize(
    ("other", "paths"),
    [(None, ("direct", "reverse")), (Mapping.SAME, ("punched",)), (Mapping.RANDOM, ("relayed",))],
    ids=["dialled", "punched", "relayed"],
)
def test_talk_and_a_file_pass_where_large_packets_vanish(
    switch: Switch,
    settle: Settle,
    tmp_path: Path,
    other: Mapping | None,
    paths: tuple[str, ...],
) -> None:
    with ExitStack() as homes:
        narrow = homes.enter_context(Router(switch, 1, delay_s=0.005))
        narrow.swallow_large()
        host = switch.host()
        if other is not None:
            host = homes.enter_context(Router(switch, 2, other)).inside
        alice, bob = settle("alice", narrow.inside), settle("bob", host)
        meet(alice, bob, *paths)
        said = alice.one("say", "bob", "long " * 10_000, "--wait", "100")
        assert said["state"] == "delivered"
        passes(alice, bob, tmp_path)
        (tmp_path / "back").mkdir()
        passes(bob, alice, tmp_path / "back")
