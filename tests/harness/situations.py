"""Where two friends may be, and by which path they come together: the table of PROTOCOL.md, as networks.

A `Lab` is one such pair, with a tracker between them: real namespaces, routers and lines.
"""

from __future__ import annotations

import enum
import os
import time
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.harness.actors import Item, Peer
from tests.harness.gateways import Gateway
from tests.harness.netns import INTERNET, Host, Switch
from tests.harness.routers import Answer, Mapping, Router
from tests.harness.trackers import WIDE, TrackerProcess


class Situation(enum.Enum):
    """Where somebody is."""

    OPEN = "open"  # IPv4 and IPv6, and everybody can dial them
    DROP = "drops"  # behind a router that lets nothing in and says nothing
    RESET = "resets"  # behind one that says no
    MAPPED = "maps"  # behind one that maps a port when it is asked
    RANDOM = "random"  # behind one that gives each connection another port
    IPV6 = "ipv6"  # IPv6 only
    SAME_LAN = "same-lan"  # at home with the other one


MIB = 2**20
P, D, R, M, X, S, L = Situation
"""One letter each, for the table: P is public, S is six."""

PATHS: dict[tuple[Situation, Situation], str] = {
    **dict.fromkeys([(P, P), (P, D), (P, R), (P, M), (P, X), (P, S), (S, S)], "direct"),
    **dict.fromkeys([(D, D), (D, R), (R, R)], "punched"),
    **dict.fromkeys([(D, M), (R, M), (M, M), (M, X)], "mapped"),
    **dict.fromkeys([(D, X), (D, S), (R, X), (R, S), (M, S), (X, X), (X, S)], "relayed"),
    **dict.fromkeys([(D, L), (R, L), (M, L), (X, L)], "lan"),
}
"""By whom they are: the path that talk comes to. Who is in the open is on no local network, so those cells are `direct`."""

ALSO = {
    (P, M): ("mapped", "reverse"),
    **dict.fromkeys([(P, D), (P, R), (P, X)], ("reverse",)),
}
"""Where two ways are as good and it is chance which stands first; and what the side says that was dialled, once it knows."""

MOST_S = {"lan": 3.0, "direct": 3.0, "mapped": 3.0, "punched": 5.0, "relayed": 8.0}
"""How long each path may take, from the yes to the link, on a machine that has nothing else to do."""


class Lab:
    """Two friends, each in a situation, and a tracker; entered for as long as it is needed.

    folder: an empty one. delay_s: of each of their lines, each way. options: more for the tracker.
    """

    def __init__(
        self,
        folder: Path,
        one: Situation,
        other: Situation,
        *,
        delay_s: float = 0.0,
        options: tuple[str, ...] = (),
    ) -> None:
        self._options = options
        self._folder = folder
        self._situations = one, other
        self._delay_s = delay_s
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._switch = stack.enter_context(Switch(INTERNET))
            self.meeting_place = self._switch.host(has_ipv6=True)
            self._routers: list[Router] = []
            self._hosts = [self._host(stack, each) for each in self._situations]
            self.tracker = stack.enter_context(self.start_tracker())
            self.people = [
                self._person(stack, name, host)
                for name, host in zip(("alice", "bob"), self._hosts, strict=True)
            ]
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    @property
    def routers(self) -> list[Router]:
        """The routers of those who are at home, in their order."""
        return self._routers

    def start_tracker(self) -> TrackerProcess:
        """Start the tracker where it is, or was."""
        places = f"{self.meeting_place.address}:9797", f"[{self.meeting_place.ipv6}]:9797"
        return TrackerProcess(
            self._folder / "tracker",
            *(*WIDE, *self._options),
            *("--listen", places[1]),
            listen=places[0],
            under=self.meeting_place.words,
        )

    def befriend(self) -> float:
        """Make the two friends; gives when the yes was said."""
        alice, bob = self.people
        alice.do("friend", "add", bob.one("friend", "code")["code"])
        bob.node.event("friend-request", friend="alice", direction="in")
        began = time.monotonic()
        bob.do("friend", "accept", "alice")
        return began

    def meet(self) -> float:
        """Make the two friends; gives how many seconds after the yes both had the wanted path."""
        alice, bob = self.people
        paths = PATHS[self._situations], *ALSO.get(self._situations, ())
        began = self.befriend()
        for one, other in ((alice, bob), (bob, alice)):
            one.node.wait(lambda item, far=other.name: _is_up(item, far) and item["path"] in paths)  # type: ignore[misc]
        return time.monotonic() - began

    def pass_all(self, folder: Path, size_bytes: int = 16 * MIB) -> float:
        """Pass a message and a file from the first to the second; gives how many seconds the file took."""
        alice, bob = self.people
        said = alice.one("say", "bob", "through the wall", "--wait", "100")
        assert said["state"] == "delivered", said
        content = os.urandom(size_bytes)
        (folder / "film.bin").write_bytes(content)
        made = alice.one("send", "bob", str(folder / "film.bin"))
        bob.node.event("offer", offer=made["offer"], state="offered")
        began = time.monotonic()
        bob.do("accept", made["offer"], "--to", str(folder / "in"))
        done = bob.node.event("transfer", offer=made["offer"], state="done")
        took_s = time.monotonic() - began
        assert Path(done["saved_as"]).read_bytes() == content
        return took_s

    # --- inside

    def _host(self, stack: ExitStack, situation: Situation) -> Host:
        if situation is L:
            return self._routers[-1].machine()
        if situation in (P, S):
            return self._switch.host(delay_s=self._delay_s, has_ipv4=situation is P, has_ipv6=True)
        router = Router(
            self._switch,
            len(self._routers) + 1,
            Mapping.RANDOM if situation is X else Mapping.SAME,
            answer=Answer.RESET if situation is R else Answer.DROP,
            delay_s=self._delay_s,
        )
        self._routers.append(stack.enter_context(router))
        if situation is M:
            folder = self._folder / f"gateway{len(self._routers)}"
            stack.enter_context(Gateway(router, folder, "PCP"))
        return router.inside

    def _person(self, stack: ExitStack, name: str, host: Host) -> Peer:
        peer = stack.enter_context(closing(Peer(self._folder, name)))
        peer.under = host.words
        address = self.tracker.address
        if not _has_ipv4(host):
            address = address.replace(self.meeting_place.address, f"[{self.meeting_place.ipv6}]")
        peer.register(address, "--unsealed")
        if not host.ipv6:
            peer.up(listen="0.0.0.0:0")
        elif _has_ipv4(host):
            peer.up("--listen", "[::]:0", listen="0.0.0.0:0")
        else:
            peer.up(listen="[::]:0")
        return peer


def _is_up(item: Item, friend: str) -> bool:
    return (item["event"], item.get("friend"), item.get("state")) == ("link", friend, "up")


def _has_ipv4(host: Host) -> bool:
    return host.address != host.ipv6
