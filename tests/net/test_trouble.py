"""What goes wrong between friends who could meet: a tracker that is away or does not relay, networks that lose one way, or UDP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness.actors import WAIT_S, Peer
from tests.harness.netns import Switch, needs_networks
from tests.harness.routers import needs_routers
from tests.harness.situations import D, Lab, P, X
from tests.net.conftest import Settle, befriend, path_to

pytestmark = [needs_networks, needs_routers]

NOTICED_S = 90.0
"""Within which a link that leads nowhere is given up: silence of 60 s, and what a busy machine adds."""


def checks_of(peer: Peer) -> dict[str, dict[str, Any]]:
    """What the doctor says, by check."""
    return {check["check"]: check for check in peer.do("doctor")}


def test_while_the_tracker_is_away_friends_go_on_and_what_waits_for_it_is_named(
    tmp_path: Path,
) -> None:
    with Lab(tmp_path, P, D) as lab:
        lab.meet()
        alice, bob = lab.people  # she is in the open, he at home
        lab.tracker.kill()
        lab.pass_all(tmp_path)
        # another run: where she was last is known, and signed by her
        for peer in lab.people:
            port = peer.node.address.rpartition(":")[2]
            peer.node.stop()
            peer.up("--lan", "off", listen=f"0.0.0.0:{port}")
        bob.node.event("link", friend="alice", state="up", path="direct")
        assert alice.one("say", "bob", "nobody needed", "--wait", "100")["state"] == "delivered"
        alice.do("friend", "remove", "bob")
        status = alice.one("status")
        assert status["tracker"]["state"] == "connecting"
        assert status["waiting"] == ["the end of the friendship with bob"]
        checks = checks_of(bob)
        assert [name for name, check in checks.items() if not check["ok"]] == ["tracker"]
        assert "a firewall on its side" in checks["tracker"]["detail"]
        assert "punching, relay" in checks["tracker"]["detail"]  # which nobody can look at now
        assert "mapping" in checks
        with lab.start_tracker():
            bob.node.event("friend", friend="alice", state="removed")
            assert alice.one("status")["tracker"]["state"] == "online"
            ends = time.monotonic() + WAIT_S  # the word to bob and the answer to her leave together
            while alice.one("status")["waiting"]:
                assert time.monotonic() < ends, "what the tracker carried out still waits for it"


def test_between_punched_friends_files_pass_while_the_tracker_is_away(tmp_path: Path) -> None:
    with Lab(tmp_path, D, D) as lab:
        lab.meet()
        alice, bob = lab.people
        ends = time.monotonic() + WAIT_S
        for peer in lab.people:
            while not peer.one("status")["links"][0]["files_link"]:
                assert time.monotonic() < ends, "no link for files was punched ahead of need"
        lab.tracker.kill()
        alice.node.event("notice", code="tracker-connecting")
        lab.pass_all(tmp_path)
        (tmp_path / "back").mkdir()
        (tmp_path / "back" / "film.bin").write_bytes(b"frame" * 1_000_000)
        offer = bob.one("send", "alice", str(tmp_path / "back" / "film.bin"))["offer"]
        alice.node.event("offer", offer=offer, state="offered")
        alice.do("accept", offer, "--to", str(tmp_path / "back" / "in"))
        done = alice.node.event("transfer", offer=offer, state="done")
        assert Path(done["saved_as"]).read_bytes() == b"frame" * 1_000_000


def test_a_file_for_which_the_tracker_is_needed_says_so_and_goes_on_with_it(tmp_path: Path) -> None:
    with Lab(tmp_path, D, D) as lab:
        for peer in lab.people:
            peer.do("config", "set", "metered", "on")  # no link for files is punched ahead of need
        lab.meet()
        lab.tracker.kill()
        alice, bob = lab.people
        (tmp_path / "film.bin").write_bytes(b"frame" * 1_000_000)
        offer = alice.one("send", "bob", str(tmp_path / "film.bin"))["offer"]
        bob.node.event("offer", offer=offer, state="offered")
        bob.do("accept", offer, "--to", str(tmp_path / "in"))
        waits = bob.node.event("transfer", offer=offer, state="waiting", reason="tracker")
        assert waits["error"]["code"] == "tracker-unreachable"
        with lab.start_tracker():
            bob.node.event("transfer", offer=offer, state="done")
            assert alice.one("say", "bob", "all is well", "--wait", "100")["state"] == "delivered"


def test_where_the_tracker_does_not_relay_both_are_told_whose_side_that_is(tmp_path: Path) -> None:
    with Lab(tmp_path, D, X, options=("--relay", "off")) as lab:
        for peer in lab.people:
            peer.do("config", "set", "port-mapping", "off")
        lab.befriend()
        alice, bob = lab.people
        # by mail, as there is no link
        assert alice.one("say", "bob", "by mail, then", "--wait", "100")["state"] == "delivered"
        for peer, friend in ((alice, "bob"), (bob, "alice")):
            checks = checks_of(peer)
            assert not checks["relay"]["ok"]
            assert "the tracker's host" in checks["relay"]["detail"]
            assert checks["relay"]["remedy"]
            path, why = path_to(peer, friend)
            assert path == "none"
            assert why is not None
            assert "gives each connection another port" in why
            assert "the tracker's host has switched its relay off" in why


def test_without_udp_friends_meet_all_the_same(tmp_path: Path) -> None:
    with Lab(tmp_path, D, D) as lab:
        for router in lab.routers:
            router.block_udp()
        lab.meet()
        lab.pass_all(tmp_path)
        checks = checks_of(lab.people[0])
        assert not checks["mapping"]["ok"]
        assert [name for name, check in checks.items() if not check["ok"]] == [
            "mapping",
            "dial-back",
        ]


@pytest.mark.timeout(300)
def test_a_link_that_leads_nowhere_is_noticed_within_a_minute_and_a_half(
    switch: Switch, settle: Settle
) -> None:
    hosts = {name: switch.host() for name in ("alice", "bob", "carol", "dave")}
    alice, bob, carol, dave = (settle(name, host) for name, host in hosts.items())
    befriend(alice, bob)
    befriend(carol, dave)
    # bob's machine is gone without a word; what carol sends dave is lost, and the other way all is well
    switch.cut(hosts["bob"])
    rule = f"ip daddr {hosts['dave'].address} drop"
    chain = f"table ip lost {{\n chain out {{ type filter hook output priority 0; {rule}; }}\n}}\n"
    hosts["carol"].run("nft", chain)
    ends = time.monotonic() + NOTICED_S
    for peer, friend in ((alice, "bob"), (dave, "carol"), (carol, "dave")):
        peer.node.wait(
            lambda item, far=friend: (  # type: ignore[misc]
                (item["event"], item.get("friend"), item.get("state")) == ("link", far, "down")
            ),
            within_s=ends - time.monotonic(),
        )
    for peer, friend in ((carol, "dave"), (dave, "carol")):
        peer.node.event("link", friend=friend, state="up", path="relayed")
    assert carol.one("say", "dave", "by another way", "--wait", "100")["state"] == "delivered"
    assert path_to(alice, "bob")[0] == "none"
