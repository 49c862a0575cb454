"""The ports of real programs as a hostile stranger finds them: bytes in, and what it did to the program.

Whoever knocks here is the second client (`tests.independent`), so nothing of ours stands between a lie and
the port. A program has weathered what it got if it said the right code, wrote one line about it, kept no
memory, and serves the next honest caller.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.harness.memory import GROWTH_BYTES, memory_of
from tests.harness.strangers import Scene
from tests.independent import account
from tests.independent.account import Person, Session
from tests.independent.link import REASONS, Ended, Link, Wire, preamble
from tests.independent.noise import Handshake
from tests.independent.talk import TEXT, Talk, link_to
from wire import limits

NAMES = ("tracker", "peer")
PATIENCE_S = 90.0


def length(count: int) -> bytes:
    """Give the length that stands before a frame."""
    return struct.pack(">I", count)


def framed(content: bytes) -> bytes:
    """Give a frame."""
    return length(len(content)) + content


@dataclass(frozen=True)
class Before:
    """How a program was: its memory, and how much its log said. A caller's port comes again some day."""

    memory_bytes: int
    log_chars: int


class Knock:
    """One connection to a door; a context that closes it. port: ours, by which the program's log names us."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.socket = socket.create_connection(door.place, PATIENCE_S)
        self.port: int = self.socket.getsockname()[1]
        self.wire = Wire(self.socket)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        """Send bytes until the program does not want them any more."""
        with suppress(OSError):
            for piece in pieces:
                self.socket.sendall(piece)

    def rest(self) -> bytes:
        """Read to the end; a reset is one, too."""
        got = b""
        with suppress(ConnectionError):
            while data := self.socket.recv(65536):
                got += data
        return got

    def answer(self) -> str:
        """Read to the end; gives the code of the clear refusal that came, `` if there was none."""
        got = self.rest()
        return REASONS[got[6]] if got[:4] == b"HBNB" else got.hex()

    def shake(self) -> Handshake:
        """Make the initiator's side of a handshake."""
        door = self.door
        device = door.person.device
        prologue = preamble(door.purpose) + door.expected
        return Handshake(prologue, device.link_private, door.key)

    def begin(self, shake: Handshake) -> bytes:
        """Say message 1; gives message 2."""
        self.send(preamble(self.door.purpose))
        self.wire.send_frame(shake.write_1())
        return self.wire.read_frame(2048)


class Door:
    """A port, and the program behind it.

    purpose: of the links it takes. place: host and port. expected, key: the identity and the link key that
    callers name. person: somebody who is let in.
    """

    def __init__(
        self,
        name: str,
        place: tuple[str, int],
        *,
        expected: bytes,
        key: bytes,
        person: Person,
        pid: int,
        log: Callable[[], str],
        is_well: Callable[[], None],
    ) -> None:
        self.name = self.purpose = name
        self.place = place
        self.expected = expected
        self.key = key
        self.person = person
        self._pid = pid
        self._log = log
        self.is_well = is_well
        self._has_room_at = 0.0

    def __str__(self) -> str:
        return self.name

    def knock(self) -> Knock:
        """Connect."""
        return Knock(self)

    def link(self) -> Link:
        """Shake hands as somebody who is let in, and open the link; a tracker's session has entered."""
        if self.purpose == "tracker":
            session = Session(self.person)
            return session.__enter__().link
        device = self.person.device
        link = Link.dial(
            self.place,
            "peer",
            expected=self.expected,
            static=device.link_private,
            remote_static=self.key,
        )
        link.say_hello(device)
        link.hear_hello(self.expected)
        return link

    def look(self) -> Before:
        """Take note of how the program is before something comes.

        Of so many refusals a second each has its line: where we are quicker, honest callers come first.
        """
        while time.monotonic() < self._has_room_at:
            self.is_well()
        self._has_room_at = time.monotonic() + 1.5 / limits.REFUSED_LINES_PER_S
        return self.note()

    def note(self) -> Before:
        """Take note of how the program is now, whatever comes."""
        return Before(self.memory_bytes, len(self._log()))

    def flooded(self) -> None:
        """Take note that more was refused than there are lines for."""
        self._has_room_at = time.monotonic() + 1.0

    @property
    def memory_bytes(self) -> int:
        """How much memory the program has (its resident set)."""
        return memory_of(self._pid)

    def refusals(self, port: int, before: Before) -> list[str]:
        """Give the codes of the lines that the program's log has got since about a caller's port."""
        return re.findall(rf"refused 127\.0\.0\.1:{port}: ([a-z-]+)", self.log_since(before))

    def log_since(self, before: Before) -> str:
        """Give what the program wrote since."""
        return self._log()[before.log_chars :]

    def weathered(self, port: int, code: str, before: Before) -> None:
        """Check that one line names the fault, that no memory went, and that others are served."""
        self.lives_on(before)  # first: then the line is written, whatever left before it
        assert self.refusals(port, before) == [code]

    def lives_on(self, before: Before) -> None:
        """Check that no memory went, and that others are served."""
        assert self.memory_bytes - before.memory_bytes < GROWTH_BYTES
        assert "Traceback" not in self.log_since(before)
        self.is_well()


def doors_of(scene: Scene, person: Person) -> list[Door]:
    """Give the tracker's and Bob's; person: a friend of Bob's."""
    place, key = person.tracker
    node = scene.bob.node
    assert node is not None

    def tracker_is_well() -> None:
        with account.anonymous(person.address, os.urandom(32)) as link:
            assert link.ask("AskKdf", person.name)[0] == "Kdf"

    # One talk for all: a device has so many chains, and each talk is another one.
    talk = Talk(person.device, scene.certificate)

    def node_is_well() -> None:
        with link_to(person.device, scene.certificate, scene.place, "peer") as link:
            talk.begin(link)
            said = talk.say(link, TEXT, ["are you well?", b""])
            talk.until(link, lambda: talk.delivered == said.seq)
            link.end()

    tracker = Door(
        "tracker",
        place,
        expected=key,
        key=key,
        person=person,
        pid=scene.tracker.process.pid,
        log=lambda: scene.tracker.log,
        is_well=tracker_is_well,
    )
    bob = Door(
        "peer",
        scene.place,
        expected=scene.certificate.identity,
        key=scene.certificate.link_key,
        person=person,
        pid=node.process.pid,
        log=lambda: node.log,
        is_well=node_is_well,
    )
    return [tracker, bob]


def ends_with(link: Link, *plaintexts: bytes) -> tuple[int, Ended]:
    """Send records and wait for the end; gives our port and the end."""
    port: int = link.wire.connection.getsockname()[1]
    with link:
        for plaintext in plaintexts:
            link.say_record(plaintext)
        return port, link.until_end()
