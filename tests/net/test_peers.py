"""Two people on one switch: they find each other by the addresses they publish, and a file goes from one to the other."""

from __future__ import annotations

import os
from pathlib import Path

from tests.harness.netns import MBIT, Line, Switch, needs_networks
from tests.net.conftest import Settle, befriend

pytestmark = needs_networks


def test_a_file_takes_as_long_as_the_line_needs(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    alice = settle("alice", switch.host(up=Line(40 * MBIT)))
    bob = settle("bob", switch.host())
    befriend(alice, bob)
    content = os.urandom(4_000_000)
    (tmp_path / "film.bin").write_bytes(content)
    made = alice.one("send", "bob", str(tmp_path / "film.bin"))
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert Path(done["saved_as"]).read_bytes() == content
