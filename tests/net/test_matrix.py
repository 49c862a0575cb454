"""Cells of the table of situations that no other test here stands in; `scripts/netlab --matrix` tries all of them."""

from __future__ import annotations

import os
from pathlib import Path

from tests.harness.netns import needs_networks
from tests.harness.routers import needs_routers
from tests.harness.situations import PATHS, D, L, Lab, R, Situation
from tests.net.conftest import most_again_bytes, path_to
from wire import limits

pytestmark = [needs_networks, needs_routers]


def test_routers_that_say_no_are_passed_and_may_forget_what_they_translated(tmp_path: Path) -> None:
    # without a delay the no of one comes before the other's dial left, and nothing would be shown
    with Lab(tmp_path, R, R, delay_s=0.02) as lab:
        lab.meet()
        lab.pass_all(tmp_path)
        alice, bob = lab.people
        (tmp_path / "long.bin").write_bytes(os.urandom(48 * limits.MIB))
        offer = alice.one("send", "bob", str(tmp_path / "long.bin"))["offer"]
        bob.node.event("offer", offer=offer, state="offered")
        bob.do("accept", offer, "--to", str(tmp_path / "in"))
        bob.node.event("transfer", offer=offer, state="running")
        for router in lab.routers:
            router.restart()
        for one, other in ((alice, bob), (bob, alice)):
            said = one.one("say", other.name, "still there", "--wait", "100")
            assert said["state"] == "delivered"
        done = bob.node.event("transfer", offer=offer, state="done")
        assert Path(done["saved_as"]).read_bytes() == (tmp_path / "long.bin").read_bytes()
        assert done["resent_bytes"] <= most_again_bytes(bob, done)


def test_two_at_one_home_find_each_other_again_without_the_tracker(tmp_path: Path) -> None:
    with Lab(tmp_path, D, L) as lab:
        lab.meet()
        lab.pass_all(tmp_path)
        lab.tracker.kill()
        alice, bob = lab.people
        for peer in (alice, bob):
            port = peer.node.address.rpartition(":")[2]
            peer.node.stop()
            # where it was last time, and nothing announced: what was signed then leads there
            peer.up("--lan", "off", listen=f"0.0.0.0:{port}")
        for peer, friend in ((alice, "bob"), (bob, "alice")):
            peer.node.event("link", friend=friend, state="up", path="lan")
        assert alice.one("say", "bob", "nobody needed", "--wait", "100")["state"] == "delivered"
        status = alice.one("status")
        assert status["tracker"]["state"] == "connecting"
        assert path_to(alice, "bob") == ("lan", None)


def test_the_table_has_every_pair_of_situations_once() -> None:
    places = [each for each in Situation if each is not L]
    pairs = {frozenset({one, other}) for one in places for other in places}
    assert {frozenset(pair) for pair in PATHS if L not in pair} == pairs
    assert len(PATHS) == len(pairs) + 4  # and those who are at one home
