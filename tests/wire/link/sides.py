"""Both sides of links for tests: two people with devices, a tracker, and a ghost that knows no manners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

from tests.harness.clock import Clock
from tests.harness.entropy import NotingEntropy, RecordedEntropy, SeededEntropy
from tests.harness.pair import End, Pair
from wire import codec, frames, limits
from wire.channel.hybrid import HybridHandshake
from wire.channel.primitives import x25519_public
from wire.channel.records import Opener, Sealer
from wire.codes import Code
from wire.identity import DeviceKeys, first_device
from wire.ids import BootId, LinkKey
from wire.link import Link, LinkConfig, LinkEvent, LinkIdentified, LinkState, Role
from wire.machine import Entropy, Monotonic, UnixMillis
from wire.messages import Message, Purpose
from wire.messages.session import Hello, HelloAnonymous, HelloTracker

OwnerPart: TypeAlias = Callable[[Link, LinkEvent], None]
LinkEnd: TypeAlias = End[Link, LinkEvent]
LinkPair: TypeAlias = Pair[Link, LinkEvent]

BORN = UnixMillis(1_780_000_000_000)
BOOT = BootId(b"boot" * 4)


def person(name: str) -> DeviceKeys:
    """Somebody's first device; the same every time."""
    entropy = SeededEntropy(name)
    return first_device(entropy.bytes(32), name, now=BORN, entropy=entropy)


ALICE = person("alice")
BOB = person("bob")
EVE = person("eve")
TRACKER_PRIVATE = SeededEntropy("tracker").bytes(32)
TRACKER_KEY = LinkKey(x25519_public(TRACKER_PRIVATE))
TRACKER_HELLO = HelloTracker(BOOT, BORN)
DEVICE_PURPOSES = (Purpose.PEER, Purpose.DATA)


def hello_of(keys: DeviceKeys, known_counter: int = 0) -> Hello:
    """What a device says first."""
    return Hello(keys.certificate, keys.device_list, known_counter, BOOT)


def caller(
    purpose: Purpose, keys: DeviceKeys = ALICE, called: DeviceKeys = BOB, *, anonymous: bool = False
) -> LinkConfig:
    """The configuration of who dials."""
    if purpose is Purpose.TRACKER:
        return LinkConfig(
            purpose=purpose,
            static_private=keys.link_private,
            responder=TRACKER_KEY,
            hello=HelloAnonymous() if anonymous else hello_of(keys),
            expected_static=TRACKER_KEY,
        )
    return LinkConfig(
        purpose=purpose,
        static_private=keys.link_private,
        responder=called.identity,
        hello=hello_of(keys),
        expected_static=called.link_key,
        expected_identity=called.identity,
    )


def called(purpose: Purpose, keys: DeviceKeys = BOB) -> LinkConfig:
    """The configuration of who is dialled."""
    if purpose is Purpose.TRACKER:
        return LinkConfig(purpose, TRACKER_PRIVATE, TRACKER_KEY)
    return LinkConfig(purpose, keys.link_private, keys.identity)


def own_hello(purpose: Purpose, keys: DeviceKeys = BOB) -> Hello | HelloTracker:
    """What a responder says when it admits."""
    return TRACKER_HELLO if purpose is Purpose.TRACKER else hello_of(keys)


def admitting(purpose: Purpose, keys: DeviceKeys = BOB) -> OwnerPart:
    """An owner who lets everybody in."""

    def on_event(link: Link, event: LinkEvent) -> None:
        if isinstance(event, LinkIdentified):
            link.admit(own_hello(purpose, keys))

    return on_event


def a_pair(
    purpose: Purpose,
    *,
    clock: Clock | None = None,
    left: LinkConfig | None = None,
    right: LinkConfig | None = None,
    on_right: OwnerPart | None = None,
    entropies: tuple[Entropy, Entropy] | None = None,
) -> LinkPair:
    """An initiator on the left and a responder on the right, nothing carried yet."""
    clock = clock or Clock()
    dice = entropies or (SeededEntropy(1), SeededEntropy(2))
    first: LinkEnd = End(
        Link(Role.INITIATOR, left or caller(purpose), now=clock.now, entropy=dice[0])
    )
    second: LinkEnd = End(
        Link(Role.RESPONDER, right or called(purpose), now=clock.now, entropy=dice[1]),
        on_right or admitting(purpose),
    )
    return Pair(first, second, clock)


def an_open_pair(
    purpose: Purpose,
    *,
    clock: Clock | None = None,
    left: LinkConfig | None = None,
    right: LinkConfig | None = None,
) -> LinkPair:
    """A pair whose links are open, with the events so far forgotten."""
    pair = a_pair(purpose, clock=clock, left=left, right=right)
    pair.run()
    for end in (pair.left, pair.right):
        assert end.machine.state is LinkState.OPEN
        end.told.clear()
    return pair


class Ghost:
    """The other side of a link under test: it shakes hands well, and then says whatever it is told to.

    role: its own. config: as if it were a link.
    """

    def __init__(self, role: Role, config: LinkConfig, *, seed: int = 3) -> None:
        self._config = config
        self._role = role
        self._shake = HybridHandshake(
            role=role,
            prologue=frames.preamble(config.purpose) + config.responder,
            static_private=config.static_private,
            expected_static=config.expected_static,
            entropy=SeededEntropy(seed),
        )
        self._cutter = frames.FrameCutter()
        self._sealer: Sealer | None = None
        self._opener: Opener | None = None

    def greets(self) -> bytes:
        """What an initiator begins with."""
        return frames.preamble(self._config.purpose) + frames.frame(self._shake.write())

    def shakes(self, heard: bytes) -> bytes:
        """Its next handshake message after the other's, whose preamble it skips."""
        if self._role is Role.RESPONDER and not self._shake.next_is_write and heard[:4] == b"HBNB":
            heard = heard[limits.PREAMBLE_BYTES :]
        self._cutter.feed(heard)
        said = b""
        while not self._shake.is_finished and (content := self._cutter.take()) is not None:
            self._shake.read(content)
            if self._shake.next_is_write:
                said += frames.frame(self._shake.write())
        if self._shake.is_finished and self._sealer is None:
            self._sealer, self._opener = self._shake.split()
            self._cutter.bound(limits.DATA_RECORD_BYTES + limits.TAG_BYTES, Code.RECORD_TOO_LARGE)
        return said

    def record(self, *contents: Message | bytes) -> bytes:
        """Seal messages, or plaintexts as they are."""
        assert self._sealer is not None
        return b"".join(
            self._sealer.seal(
                content
                if isinstance(content, bytes)
                else codec.encode(self._config.purpose, content)
            )
            for content in contents
        )

    def hears(self, data: bytes) -> list[Message]:
        """Open what the link under test said."""
        assert self._opener is not None
        self._cutter.feed(data)
        heard: list[Message] = []
        while (content := self._cutter.take()) is not None:
            message = codec.decode(self._config.purpose, self._opener.open(content))
            assert message is not None
            heard.append(message)
        return heard

    def reads(self, *messages: Message) -> Callable[[bytes], None]:
        """A reader for `Playbook.says`: exactly these messages."""

        def read(data: bytes) -> None:
            assert self.hears(data) == list(messages)

        return read


def haunted(
    role: Role, purpose: Purpose, clock: Clock, *, config: LinkConfig | None = None
) -> tuple[Link, Ghost]:
    """A link of a role that finished its handshake with a ghost, before the ghost's Hello."""
    ours = config or (caller(purpose) if role is Role.INITIATOR else called(purpose))
    link = Link(role, ours, now=clock.now, entropy=SeededEntropy(5))
    if role is Role.INITIATOR:
        ghost = Ghost(Role.RESPONDER, called(purpose))
        link.receive_data(ghost.shakes(link.data_to_send()), now=clock.now)
        ghost.shakes(link.data_to_send())
        assert isinstance(ghost.hears(b"")[0], Hello | HelloAnonymous)
    else:
        ghost = Ghost(Role.INITIATOR, caller(purpose))
        link.receive_data(ghost.greets(), now=clock.now)
        link.receive_data(ghost.shakes(link.data_to_send()), now=clock.now)
    assert link.state is LinkState.PROVING
    return link, ghost


def opened(
    role: Role, purpose: Purpose, clock: Clock, *, config: LinkConfig | None = None
) -> tuple[Link, Ghost]:
    """The same, with Hellos exchanged: the link is OPEN and its events are forgotten."""
    link, ghost = haunted(role, purpose, clock, config=config)
    if role is Role.INITIATOR:
        link.receive_data(ghost.record(own_hello(purpose)), now=clock.now)
    else:
        link.receive_data(ghost.record(hello_of(ALICE)), now=clock.now)
        link.admit(own_hello(purpose))
        ghost.hears(link.data_to_send())
    assert link.state is LinkState.OPEN
    link.events()
    return link, ghost


def replayed(
    role: Role, purpose: Purpose, talk: Callable[[LinkPair], None]
) -> tuple[tuple[bytes, ...], Callable[[Clock], Link]]:
    """Record one run of a pair: what the side of `role` heard, and a maker of that side with its dice."""
    notes = (NotingEntropy(SeededEntropy(1)), NotingEntropy(SeededEntropy(2)))
    pair = a_pair(purpose, entropies=notes)
    pair.run()
    talk(pair)
    pair.run()
    is_left = role is Role.INITIATOR
    heard = tuple((pair.right if is_left else pair.left).flights)
    noted = notes[0 if is_left else 1]
    config = caller(purpose) if is_left else called(purpose)

    def make(clock: Clock) -> Link:
        return Link(role, config, now=clock.now, entropy=RecordedEntropy(noted.draws, noted.pairs))

    return heard, make


def lowered(config: LinkConfig, **other: Any) -> LinkConfig:
    """A configuration with other limits or facts."""
    return replace(config, **other)


def at(clock: Clock, seconds: float) -> Monotonic:
    """An instant `seconds` from now."""
    return Monotonic(clock.now + seconds)
