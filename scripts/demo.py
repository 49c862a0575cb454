"""The story that scripts/demo tells: every step is a real command, and what it shows is its real output."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from cast import PASSWORD_VARIABLE, Person, StepFailed, begin, clean_environment, say, start_tracker


def title(text: str) -> None:
    """Begin a part of the story."""
    say()
    say(f"== {text}")


def story(folder: Path, stack: ExitStack) -> None:
    """Tell it from the first command to the last; whatever it starts is on the stack."""
    secret = {**clean_environment(), PASSWORD_VARIABLE: secrets.token_urlsafe(12)}

    title("Somebody starts a tracker")
    say("host$ hobnob-tracker serve")
    tracker, address = start_tracker(folder, stack)
    say(f"    {address}")

    title("Alice and Bob make accounts, with a password, and come online")
    alice, bob = Person("alice", folder, secret), Person("bob", folder, secret)
    for person in (alice, bob):
        person.run("register", person.name, "--tracker", address)
    at_alice, at_bob = alice.up(), bob.up()
    for running in (at_alice, at_bob):
        begin(running, stack)

    title("They become friends by Bob's friend code")
    code = bob.run("friend", "code").strip()
    alice.run(
        "friend", "add", code, "--note", "it is me", shown="friend add CODE --note 'it is me'"
    )
    at_bob.wait("friend-request", friend="alice", direction="in")
    bob.run("friend", "requests")
    bob.run("friend", "accept", "alice")
    at_alice.wait("friend", friend="bob", state="friends")
    at_alice.wait("presence", friend="bob", presence="available")
    bob.run("busy", "--text", "packing")
    at_alice.wait("presence", friend="bob", presence="busy")
    alice.run("friend", "list")

    title("They talk; a message is `delivered` when the other's device has signed for it")
    alice.run("say", "bob", "hello Bob", "--wait", "10")
    bob.run("say", "alice", "hello Alice, how are you?", "--wait", "10")
    alice.run("read", "bob")

    title("How they are connected")
    alice.run("status")
    status = json.loads(alice.run("--json", "status", quiet=True))
    paths = [link["path"] for link in status["links"] if link["friend"] == "bob"]
    if "direct" not in paths:
        raise StepFailed(f"the link to bob is {paths}, not direct")

    title("Alice sends a file of 64 MiB and a folder of three files, straight to Bob")
    big, folder_sent = _make_files(folder)
    for path, name in ((big, "holiday.iso"), (folder_sent, "letters")):
        alice.run("send", "bob", str(path), shown=f"send bob {name}")
        offer = at_bob.wait("offer", name=name, state="offered")
        began = time.monotonic()
        bob.run("accept", str(offer["offer"]), shown=f"accept {str(offer['offer'])[:8]}")
        done = at_bob.wait("transfer", offer=offer["offer"], state="done")
        took_s = time.monotonic() - began
        at_alice.wait("transfer", offer=offer["offer"], state="done")
        _compare(path, Path(str(done["saved_as"])))
        size = int(str(done["bytes"]))
        say(
            f"    {name}: {size} bytes in {took_s:.2f} s, {size / took_s / 1e6:.0f} MB/s; the hashes agree"
        )
    bob.run("transfers")

    title("Bob goes away; what Alice says meanwhile waits for him, sealed, at the tracker")
    at_bob.stop()
    at_alice.wait("presence", friend="bob", presence="offline")
    alice.run("say", "bob", "see you on Friday")
    at_alice.wait("receipt", state="sent")
    alice.run("history", "bob")
    at_bob = bob.up()
    begin(at_bob, stack)
    at_bob.wait("message", text="see you on Friday")
    at_alice.wait("receipt", state="delivered")
    bob.run("read", "alice", "--unread")

    title("Everybody leaves")
    for running in (at_alice, at_bob, tracker):
        running.stop()
        say(f"    {running.name} has stopped")


def _make_files(folder: Path) -> tuple[Path, Path]:
    """Make what is sent: one large file, and a folder with three small ones."""
    big, letters = folder / "holiday.iso", folder / "letters"
    with big.open("wb") as file:
        for _ in range(64):
            file.write(os.urandom(2**20))
    (letters / "old").mkdir(parents=True)
    (letters / "to-bob.txt").write_text("Dear Bob, how are you?\n")
    (letters / "to-carol.txt").write_text("Dear Carol,\n")
    (letters / "old" / "draft.txt").write_bytes(os.urandom(100_000))
    return big, letters


def _compare(sent: Path, received: Path) -> None:
    """Raise StepFailed unless the same files with the same content stand in both places."""
    if _digests(sent) != _digests(received):
        raise StepFailed(f"{received} is not what was sent")


def _digests(place: Path) -> dict[str, str]:
    files = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
    found = {}
    for path in files:
        with path.open("rb") as file:
            name = str(path.relative_to(place))
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def main() -> int:
    """Run the demo; gives the exit code."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hobnob-demo-") as folder, ExitStack() as stack:
        try:
            story(Path(folder), stack)
        except (StepFailed, subprocess.TimeoutExpired, OSError) as failed:
            print(f"error: the demo failed: {failed}", file=sys.stderr)
            return 1
    title(f"All of it worked, in {time.monotonic() - began:.1f} s; nothing is left running")
    say(
        "On two real machines, once the tracker's address is known (hobnob-tracker serve prints it):"
    )
    say("    hobnob register NAME --tracker ADDRESS")
    say("    hobnob up")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the clean-up runs
    sys.exit(main())
