"""Two people whose machines cannot reach each other: they meet at the tracker, until there is a better way."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.netns import Host, Switch, needs_networks
from tests.net.conftest import Settle, befriend, most_again_bytes, path_to

pytestmark = needs_networks

MIB = 2**20
NOBODYS_MAC = "02:00:00:00:00:99"


def refuse(one: Host, other: Host) -> Callable[[], object]:
    """Have each way between two hosts be refused at once; gives what mends it."""
    for here, there in ((one, other), (other, one)):
        here.run("ip", "route", "add", "unreachable", f"{there.address}/32")

    def mend() -> None:
        for here, there in ((one, other), (other, one)):
            here.run("ip", "route", "del", "unreachable", f"{there.address}/32")

    return mend


def swallow(one: Host, other: Host) -> Callable[[], object]:
    """Have what two hosts send each other vanish, as behind most routers; gives what mends it."""
    for here, there in ((one, other), (other, one)):
        words = ("dev", "eth0", "lladdr", NOBODYS_MAC, "nud", "permanent")
        here.run("ip", "neigh", "replace", there.address, *words)

    def mend() -> None:
        for here, there in ((one, other), (other, one)):
            here.run("ip", "neigh", "del", there.address, "dev", "eth0")

    return mend


@pytest.mark.parametrize("part", [refuse, swallow])
def test_friends_whose_machines_cannot_meet_talk_and_send_through_the_tracker(
    part: Callable[[Host, Host], object], switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    one, other = switch.host(), switch.host()
    part(one, other)
    alice, bob = settle("alice", one), settle("bob", other)
    befriend(alice, bob)
    path, why = path_to(alice, "bob")
    assert path == "relayed"
    assert why is not None
    assert "no address of the other machine answered" in why
    said = alice.one("say", "bob", "hello from behind", "--wait", "100")
    assert said["state"] == "delivered"
    content = os.urandom(5 * MIB + 17)
    (tmp_path / "film.bin").write_bytes(content)
    made = alice.one("send", "bob", str(tmp_path / "film.bin"))
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert Path(done["saved_as"]).read_bytes() == content


def test_talk_and_a_running_transfer_move_to_a_direct_path_once_there_is_one(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    one, other = switch.host(), switch.host()
    mend = refuse(one, other)
    alice, bob = settle("alice", one), settle("bob", other)
    befriend(alice, bob)
    content = os.urandom(96 * MIB)
    (tmp_path / "film.bin").write_bytes(content)
    made = alice.one("send", "bob", str(tmp_path / "film.bin"))
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    bob.node.event("transfer", offer=made["offer"], state="running")
    mend()
    bob.node.event("link", friend="alice", state="up", path="lan")
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert Path(done["saved_as"]).read_bytes() == content
    assert done["resent_bytes"] <= most_again_bytes(bob, done)
    assert path_to(bob, "alice") == ("lan", None)
    assert alice.one("say", "bob", "and now straight", "--wait", "100")["state"] == "delivered"


def test_a_friend_who_is_never_to_see_our_address_is_met_at_the_relay_alone(
    switch: Switch, settle: Settle
) -> None:
    one, other = switch.host(), switch.host()
    alice, bob = settle("alice", one), settle("bob", other)
    alice.do("config", "set", "relay-only", "on")
    befriend(alice, bob)
    path, why = path_to(alice, "bob")
    assert path == "relayed"
    assert why is not None
    assert "relay-only" in why
    assert alice.one("say", "bob", "from nowhere", "--wait", "100")["state"] == "delivered"
    assert alice.do("friend", "shown") == []
    (told,) = bob.do("friend", "shown")
    assert (told["friend"], told["is_current"]) == ("alice", True)
    alice.do("config", "set", "relay-only", "off", "--friend", "bob")
    for peer, friend in ((alice, "bob"), (bob, "alice")):
        peer.node.event("link", friend=friend, state="up", path="lan")
    (told,) = alice.do("friend", "shown")
    assert told["friend"] == "bob"
    alice.do("config", "set", "relay-only", "default", "--friend", "bob")
    alice.node.event("link", friend="bob", state="up", path="relayed")
    (told,) = alice.do("friend", "shown")
    assert not told["is_current"]
