"""What a node's own user may not read is left out with its reason, or named: tried by a program without privileges."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.harness.actors import Peer

needs_capabilities = pytest.mark.skipif(
    (os.geteuid() != 0 or shutil.which("setpriv") is None) and "CI" not in os.environ,
    reason="only root has such capabilities to drop; CI is root",
)


def without_privileges() -> tuple[str, ...]:
    """Give the words under which modes of files count for root, too."""
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", "--")


@needs_capabilities
def test_files_and_folders_that_may_not_be_read_are_left_out_or_named(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    top = tmp_path / "out" / "papers"
    (top / "secret").mkdir(parents=True)
    (top / "secret" / "deep.txt").write_bytes(b"hidden")
    for name in ("open.txt", "closed.txt", "later.txt"):
        (top / name).write_bytes(b"content")
    (top / "closed.txt").chmod(0)
    (top / "secret").chmod(0)
    assert alice.node.stop() == 0
    alice.under = without_privileges()
    alice.up()
    assert alice.try_to("send", "bob", str(top / "closed.txt")).error["code"] == "file-unreadable"
    assert alice.try_to("send", "bob", str(top / "secret")).error["code"] == "file-unreadable"
    made = alice.one("send", "bob", str(top))
    left_out = {Path(each["path"]).name: each["reason"] for each in made["skipped"]}
    assert left_out == {
        "closed.txt": "cannot be read",
        "secret": "cannot be read: Permission denied",
    }
    (top / "later.txt").chmod(0)
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(tmp_path / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert done["skipped"] == [{"path": "papers/later.txt", "reason": "changed-at-sender"}]
    arrived = sorted(
        str(path.relative_to(tmp_path / "in")) for path in (tmp_path / "in").rglob("*")
    )
    assert arrived == ["papers", "papers/open.txt", "papers/secret"]
    alice.node.wait(lambda item: item.get("skipped") == [*made["skipped"], *done["skipped"]])
