"""Where secrets must not be: a real session with passwords and words that stand nowhere else, then a hunt.

Hunted for are the passwords, what was said, and every private key, as bytes, hex and base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from peer.cli.verbs import VERBS
from peer.identity import Profile, read_key_file
from peer.locations import Locations
from tests.conftest import MakeFolder
from tests.harness import short
from tests.harness.actors import WAIT_S, Node, Peer
from tests.harness.trackers import FOLDER, PYTHON, WIDE, TrackerProcess
from wire.ids import LinkKey
from wire.vault import derive_keys, open_vault

PASSWORD = "heron-4711-Zwieback"
CHANGED = "plover-0815-Kompott"
RECOVERY = "0123456789abcdeffedcba9876543210"
SAID = "the-otters-meet-at-noon-by-the-weir"
LATER = "and-the-beavers-were-told-while-away"
NOTE = "a-note-for-a-request"


@dataclass
class Found:
    """What the session left. lines: of every process that ran. printed: everything on any output."""

    tracker: TrackerProcess
    alice: Peer
    laptop: Peer
    bob: Peer
    carol: Peer
    lines: dict[int, bytes] = field(default_factory=dict)
    core_limits: dict[int, str] = field(default_factory=dict)

    def look_at(self, *pids: int) -> None:
        """Note what everybody on this machine can see of processes."""
        for pid in pids:
            place = Path(f"/proc/{pid}")
            self.lines[pid] = (place / "cmdline").read_bytes() + (place / "comm").read_bytes()
            limits = (place / "limits").read_text().splitlines()
            self.core_limits[pid] = next(line for line in limits if "core file" in line)

    @property
    def people(self) -> tuple[Peer, ...]:
        return self.alice, self.laptop, self.bob, self.carol

    def printed(self) -> bytes:
        """Every result, error and log line of every program."""
        parts = [self.tracker.log, *(part for peer in self.people for part in peer.printed)]
        return "\n".join(parts).encode()


def node_of(peer: Peer) -> Node:
    return peer.node


@pytest.fixture(scope="module")
def found(module_folder: MakeFolder) -> Iterator[Found]:
    """Register, log in elsewhere, befriend, talk, send, change the password; then look around."""
    folder = module_folder("session")
    secret, changed, recovery = (folder / name for name in ("secret", "changed", "recovery"))
    secret.write_text(f"{PASSWORD}\n")
    changed.write_text(f"{CHANGED}\n")
    recovery.write_text(f"{RECOVERY}\n")
    with ExitStack() as stack:
        tracker = stack.enter_context(TrackerProcess(folder / "tracker", *WIDE))

        def peer(name: str) -> Peer:
            return stack.enter_context(closing(Peer(folder, name)))

        here = Found(tracker, peer("alice"), peer("laptop"), peer("bob"), peer("carol"))
        for one in here.people:
            del one.environment["HOBNOB_PASSWORD"]
        with_file = ("--password-file", str(secret))
        at = ("--tracker", tracker.address, *with_file)
        here.alice.do("register", "alice", *at, "--recovery-key-file", str(recovery))
        here.laptop.do("login", "alice", *at, "--recovery-key-file", str(recovery))
        here.bob.do("register", "bob", *at, "--unsealed")
        here.carol.environment["HOBNOB_PASSWORD"] = PASSWORD
        here.carol.do("register", "carol", "--tracker", tracker.address)
        at_alice, at_bob = here.alice.up(*with_file), here.bob.up()
        here.look_at(tracker.process.pid, at_alice.process.pid, at_bob.process.pid)
        code = here.bob.one("friend", "code")["code"]
        here.alice.do("friend", "add", code, "--note", NOTE)
        at_bob.event("friend-request", friend="alice")
        here.bob.do("friend", "accept", "alice")
        at_alice.event("friend", friend="bob", state="friends")
        here.alice.do("say", "bob", SAID, "--wait", "100")
        here.alice.do("say", "bob", "-", stdin=SAID.encode())
        file = folder / "photo.jpg"
        file.write_bytes(SAID.encode() * 100)
        offer = here.alice.one("send", "bob", str(file))["offer"]
        at_bob.event("offer", offer=offer)
        here.bob.do("accept", offer)
        at_bob.event("transfer", offer=offer, state="done")
        at_bob.stop()
        here.alice.do("say", "bob", LATER)
        here.alice.do(
            "passwd",
            *with_file,
            "--new-password-file",
            str(changed),
            "--recovery-key-file",
            str(recovery),
        )
        with Node(here.carol, "read", "--follow") as reading:
            while here.carol.one("status")["node"] != "up":
                pass
            here.look_at(reading.process.pid)
            reading.stop()
        for wrong in ("register alice", "login alice", "friend list", "passwd"):
            here.laptop.try_to(*wrong.split(), HOBNOB_PASSWORD=PASSWORD)
        at_alice.stop()
        yield here


def in_all_forms(secret: bytes) -> set[bytes]:
    """Give the ways a secret may be written."""
    plain = base64.b64encode(secret).rstrip(b"=")
    url = base64.urlsafe_b64encode(secret).rstrip(b"=")
    return {secret, secret.hex().encode(), secret.hex().upper().encode(), plain, url}


def words(*texts: str) -> set[bytes]:
    return {form for text in texts for form in in_all_forms(text.encode())}


def keys_of(peer: Peer, name: str, password: str, recovery: bytes | None) -> set[bytes]:
    """Give every private key of a home, opened with its password."""
    profile: Profile = read_key_file(Locations(peer.home), lambda: password)
    assert profile.tracker is not None
    tracker_key = profile.tracker.key
    assert tracker_key is not None
    secrets = derive_keys(password, profile.name, LinkKey(tracker_key), profile.kdf, recovery)
    vault = open_vault(profile.vault, secrets.wrap_key, profile.name)
    assert profile.name == name
    keys = (profile.keys.link_private, profile.keys.signing_seed, profile.state_key)
    return {
        form
        for secret in (*keys, vault.identity_seed, secrets.auth_seed, secrets.wrap_key)
        for form in in_all_forms(secret)
    }


def passwords() -> set[bytes]:
    return words(PASSWORD, CHANGED) | in_all_forms(bytes.fromhex(RECOVERY))


def private_keys(found: Found) -> set[bytes]:
    recovery = bytes.fromhex(RECOVERY)
    return keys_of(found.alice, "alice", CHANGED, recovery) | keys_of(
        found.bob, "bob", PASSWORD, None
    )


def hits(folder: Path, secrets: set[bytes], *, leave_out: tuple[str, ...] = ()) -> list[str]:
    """Give the files below a folder, and names, that show a secret."""
    shown = []
    for path in sorted(folder.rglob("*")):
        if any(secret in bytes(path) for secret in secrets):
            shown.append(f"name of {path}")
        if path.is_file() and path.name not in leave_out:
            content = path.read_bytes()
            shown += [f"{path}" for secret in secrets if secret in content]
    return shown


def test_the_hunt_finds_what_is_there(found: Found) -> None:
    assert hits(found.bob.home, words(SAID)), "what was said to Bob stands in his home"
    assert hits(found.bob.home, keys_of(found.bob, "bob", PASSWORD, None)), "not sealed"
    assert found.tracker.home.joinpath("tracker.db").stat().st_size > 0
    assert b"alice" in found.printed()


def test_nobody_sees_a_secret_in_the_list_of_processes(found: Found) -> None:
    secrets = passwords() | private_keys(found) | words(SAID, LATER, NOTE)
    assert len(found.lines) == 4
    assert not [line for line in found.lines.values() for secret in secrets if secret in line]


_ONE_AFTER_THE_OTHER = """
import json, sys
from peer.cli.main import main
for words in json.load(sys.stdin):
    print(json.dumps(main(words)), flush=True)
"""


def test_no_verb_takes_a_password_from_its_line(found: Found) -> None:
    """Tried in one program, as these are many lines."""
    home = ("--home", str(found.carol.home), "--json")
    lines = [
        [*home, *verb.words.split(), f"{option}={PASSWORD}"]
        for verb in VERBS
        if verb.words != "say"  # there it is a message, and one that lacks its reader
        for option in ("--password", "--new-password", "--recovery-key")
    ]
    done = short.run(
        [PYTHON, "-c", _ONE_AFTER_THE_OTHER],
        environment=found.carol.environment,
        timeout_s=WAIT_S,
        stdin=json.dumps(lines).encode(),
        folder=FOLDER,
    )
    found.carol.printed += [done.stdout.decode(), done.stderr.decode()]
    assert list(map(json.loads, done.stdout.splitlines())) == [2] * len(lines)
    errors = [json.loads(line)["error"]["code"] for line in done.stderr.splitlines()]
    assert errors == ["usage"] * len(lines)


def test_no_program_printed_a_password_or_a_key(found: Found) -> None:
    printed = found.printed()
    secrets = passwords() | private_keys(found)
    assert not [secret for secret in secrets if secret in printed]


def test_nothing_that_was_said_is_in_a_log(found: Found) -> None:
    log = found.tracker.log.encode()
    errors = b"".join(path.read_bytes() for path in found.alice.home.parent.glob("*.err"))
    for secret in words(SAID, LATER, NOTE) | passwords() | private_keys(found):
        assert secret not in log
        assert secret not in errors


def test_the_trackers_disk_has_no_words_no_password_and_no_key(found: Found) -> None:
    secrets = words(SAID, LATER) | passwords() | private_keys(found)
    assert hits(found.tracker.home, secrets) == []


def test_no_home_has_a_password_and_no_sealed_one_a_key(found: Found) -> None:
    for peer in found.people:
        assert hits(peer.home, passwords()) == [], peer.name
    keys = keys_of(found.alice, "alice", CHANGED, bytes.fromhex(RECOVERY))
    state_only = read_key_file(Locations(found.alice.home), lambda: CHANGED).state_key
    assert hits(found.alice.home, keys) == []
    assert hits(found.laptop.home, keys | in_all_forms(state_only)) == []
    bobs = keys_of(found.bob, "bob", PASSWORD, None)
    assert hits(found.bob.home, bobs, leave_out=("keys", "keys.before")) == []


def test_a_crash_leaves_no_picture_of_the_memory(found: Found) -> None:
    assert len(found.core_limits) == 4
    for line in found.core_limits.values():
        assert line.split()[-3:-1] == ["0", "0"], line
