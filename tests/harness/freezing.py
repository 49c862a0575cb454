"""Makes `tests/frozen_homes/schema_N.sql`: run it before a step is added to the schema, and keep the file.

    python -m tests.harness.freezing

Alice has two friends, has talked and was offered files; everything is done by the programs themselves.
"""

from __future__ import annotations

import base64
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from peer.store.opening import APPLICATION_ID, schema_steps
from tests.harness.actors import Peer
from tests.harness.frozen import FOLDER, TEXTS
from tests.harness.trackers import WIDE, TrackerProcess


def main() -> None:
    """Make the file of the present schema."""
    version = schema_steps()[-1][0]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        home = lived_in(folder)
        text = dumped(home, version)
        for place, said in ((f"{home}", "/home/alice/hobnob"), (f"{folder}", "/home/bob")):
            for was, now in ((place, said), (place.encode().hex(), said.encode().hex())):
                text = text.replace(was, now).replace(was.upper(), now.upper())
    target = FOLDER / f"schema_{version}.sql"
    target.write_text(text, encoding="utf-8")
    print(target)


def lived_in(folder: Path) -> Path:
    """Let alice do what people do; gives her home."""
    people = alice, bob, carol = [Peer(folder, name) for name in ("alice", "bob", "carol")]
    first, second, answer, late = TEXTS
    with TrackerProcess(folder / "tracker", *WIDE) as tracker:
        for person in people:
            person.register(tracker.address, "--unsealed", "--device", f"{person.name}-machine")
        with alice.up() as at_alice, bob.up() as at_bob, carol.up() as at_carol:
            for friend, node in ((bob, at_bob), (carol, at_carol)):
                alice.do("friend", "add", friend.one("friend", "code")["code"])
                node.event("friend-request", friend="alice")
                friend.do("friend", "accept", "alice")
                at_alice.event("friend", friend=friend.name, state="friends")
            for person, friend, text in (
                (alice, bob, first),
                (alice, bob, second),
                (bob, alice, answer),
            ):
                state = person.one("say", friend.name, text, "--wait", "100")["state"]
                assert state == "delivered"
            for number, size in enumerate((6, 3000)):
                path = folder / f"note-{number}.txt"
                path.write_bytes(bytes(size))
                offer = bob.one("send", "alice", str(path))["offer"]
                at_alice.event("offer", offer=offer, state="offered")
                if number == 0:
                    alice.do("accept", offer)
                    at_bob.event("transfer", offer=offer, state="done")
            at_bob.stop()
            at_alice.event("presence", friend="bob", presence="offline")
            tracker.kill()  # nobody keeps the last word but alice
            alice.do("say", "bob", late)
            at_alice.stop()
    return alice.home


def dumped(home: Path, version: int) -> str:
    """Give a home as text: its keys, and its database as SQL."""
    keys = base64.b64encode((home / "keys").read_bytes()).decode()
    with closing(sqlite3.connect(home / "peer.sqlite3")) as connection:
        virtual = connection.execute(
            "SELECT name FROM sqlite_schema WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
        ).fetchall()
        behind = tuple(
            f'INSERT INTO "{name}" ' for (name,) in virtual
        )  # other tables have their rows
        return "\n".join(
            (
                f"-- A home as the program left it at schema {version}: alice, a friend of bob and carol.",
                f"-- keys {keys}",
                f"PRAGMA application_id = {APPLICATION_ID};",
                f"PRAGMA user_version = {version};",
                *(line for line in connection.iterdump() if not line.startswith(behind)),
                "",
            )
        )


if __name__ == "__main__":
    main()
