"""The tracker through a SOCKS5 proxy: what it is asked, what friends see, and what is said when it fails."""

from __future__ import annotations

from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.proxies import Socks5Server
from tests.harness.trackers import TrackerProcess


def by_name(tracker: TrackerProcess) -> str:
    return tracker.address.replace("127.0.0.1", "localhost")


def link_of(peer: Peer, friend: str) -> tuple[str, str | None]:
    links = peer.one("status")["links"]
    return next((one["path"], one["why_not_better"]) for one in links if one["friend"] == friend)


def test_all_goes_through_the_proxy_and_friends_are_met_at_the_relay(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    with Socks5Server((b"eve", b"secret")) as proxy:
        alice.home.mkdir(parents=True, exist_ok=True)
        named = f'[tracker]\nsocks5 = "eve:secret@{proxy.place}"\n'
        (alice.home / "config.toml").write_text(named)
        alice.register(by_name(tracker))
        bob.register(tracker.address)
        alice.up()
        bob.up()
        bob.do("friend", "add", alice.one("friend", "code")["code"])
        alice.node.event("friend-request", friend="bob", direction="in")
        alice.do("friend", "accept", "bob")
        bob.node.event("link", friend="alice", state="up", path="relayed")
        assert alice.one("say", "bob", "by a detour", "--wait", "100")["state"] == "delivered"
        assert link_of(alice, "bob")[0] == "relayed"
        checks = {check["check"]: check for check in alice.do("doctor")}
        assert proxy.place in checks["proxy"]["detail"]
        assert not {"dial-back", "punching"} & set(checks)
        assert checks["mapping"]["ok"]
        assert alice.do("friend", "shown") == []
        port = int(tracker.listen.rpartition(":")[2])
        assert set(proxy.asked) == {("localhost", port)}  # looked up there, and nobody else dialled


def test_a_proxy_that_is_away_or_says_no_is_named(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice = make_peer("alice")
    with Socks5Server((b"eve", b"secret")) as proxy:
        place = proxy.place
        alice.register(tracker.address)
        alice.one("config", "set", "tracker.socks5", place)
        outcome = alice.try_to("account", "data", str(tmp_path / "held"))
        assert outcome.code == 1
        assert outcome.error["code"] == "tracker-unreachable"
        assert "the proxy: it wants to know who we are" in outcome.error["message"]
    outcome = alice.try_to("account", "data", str(tmp_path / "held"))
    assert f"the proxy: {place} cannot be reached" in outcome.error["message"]
    outcome = alice.try_to("config", "set", "tracker.socks5", f"eve:secret@{place}")
    assert (outcome.code, outcome.error["code"]) == (2, "config-invalid")
    alice.one("config", "set", "tracker.socks5", "off")
    alice.one("account", "data", str(tmp_path / "held"))
