"""Two people at home, each behind a router that lets nothing in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from peer.reach.paths import THEY_DIALLED
from tests.harness.actors import Peer
from tests.harness.netns import INTERNET, Host, Switch, needs_networks
from tests.harness.routers import Mapping, Router, needs_routers
from tests.net.conftest import Settle, path_to

pytestmark = [needs_networks, needs_routers]

MIB = 2**20


@pytest.fixture
def switch() -> Iterator[Switch]:
    """The Internet."""
    with Switch(INTERNET) as running:
        yield running


@pytest.fixture
def homes(switch: Switch) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def meet(alice: Peer, bob: Peer, *paths: str) -> None:
    """Make two people friends, and wait until they are linked by one of these paths."""
    alice.do("friend", "add", bob.one("friend", "code")["code"])
    bob.node.event("friend-request", friend=alice.name, direction="in")
    bob.do("friend", "accept", alice.name)
    for one, other in ((alice, bob), (bob, alice)):
        far = other.name
        one.node.wait(
            lambda item, far=far: (  # type: ignore[misc]
                (item["event"], item.get("friend"), item.get("state")) == ("link", far, "up")
                and item["path"] in paths
            )
        )


def passes(alice: Peer, bob: Peer, folder: Path) -> None:
    """Pass a message and a file of 16 MiB."""
    assert alice.one("say", bob.name, "through the wall", "--wait", "100")["state"] == "delivered"
    content = os.urandom(16 * MIB)
    (folder / "film.bin").write_bytes(content)
    made = alice.one("send", bob.name, str(folder / "film.bin"))
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(folder / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert Path(done["saved_as"]).read_bytes() == content


def test_two_behind_ordinary_routers_dial_each_other_at_one_moment(
    switch: Switch, homes: ExitStack, settle: Settle, tmp_path: Path
) -> None:
    one = homes.enter_context(Router(switch, 1))
    other = homes.enter_context(Router(switch, 2))
    alice, bob = settle("alice", one.inside), settle("bob", other.inside)
    meet(alice, bob, "punched")
    passes(alice, bob, tmp_path)


def test_behind_a_router_that_gives_each_connection_another_port_the_relay_serves(
    switch: Switch, homes: ExitStack, settle: Settle, tmp_path: Path
) -> None:
    one = homes.enter_context(Router(switch, 1))
    other = homes.enter_context(Router(switch, 2, Mapping.RANDOM))
    alice, bob = settle("alice", one.inside), settle("bob", other.inside)
    meet(alice, bob, "relayed")
    passes(alice, bob, tmp_path)


def test_somebody_at_home_dials_somebody_who_can_be_dialled(
    switch: Switch, homes: ExitStack, settle: Settle, tmp_path: Path
) -> None:
    home: Host = homes.enter_context(Router(switch, 1)).inside
    alice, bob = settle("alice", home), settle("bob", switch.host())
    meet(alice, bob, "direct", "reverse")
    for peer in (alice, bob):
        (link,) = peer.one("status")["links"]
        assert link["rtt_ms"] > 0  # before the first heartbeat
        assert link["since"]
    passes(alice, bob, tmp_path)
    (tmp_path / "back").mkdir()
    passes(bob, alice, tmp_path / "back")
    # who is in the open could not have dialled, and knows it by now
    assert path_to(alice, "bob") == ("direct", None)
    assert path_to(bob, "alice") == ("reverse", THEY_DIALLED)


def test_doctor_says_on_whose_side_a_closed_door_is(
    switch: Switch, homes: ExitStack, settle: Settle
) -> None:
    home = homes.enter_context(Router(switch, 1)).inside
    odd = homes.enter_context(Router(switch, 2, Mapping.RANDOM)).inside
    for name, host, wrong in (
        ("alice", switch.host(), []),
        ("bob", home, ["mapping", "dial-back"]),
        ("carol", odd, ["mapping", "dial-back", "punching"]),
    ):
        checks = settle(name, host).do("doctor")
        assert [check["check"] for check in checks if not check["ok"]] == wrong
        assert all(bool(check["remedy"]) is not check["ok"] for check in checks)
        seen = next(check["detail"] for check in checks if check["check"] == "address")
        assert ("a router stands between" in seen) is bool(wrong)
