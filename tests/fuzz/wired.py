"""Targets below a link: frames, messages, handshakes, records, and the dialogue with a tracker."""

from __future__ import annotations

from functools import cache, partial

from msgspec.structs import replace

from tests.fuzz.seeds import records
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.harness.entropy import NotingEntropy, RecordedEntropy, SeededEntropy
from tests.wire.link.sides import ALICE, BOB
from wire import codec, frames, limits
from wire.channel.hybrid import HybridHandshake
from wire.channel.records import Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256, CipherState
from wire.codes import Code
from wire.dialogue import Answered, Answerer, Asker, AskerEvent, Denied, SessionState
from wire.dialogue.rules import REQUESTS
from wire.errors import RemoteProtocolError
from wire.ids import RequestId
from wire.link import Role
from wire.machine import Monotonic
from wire.messages import Message, Purpose

PURPOSES = (Purpose.TRACKER, Purpose.PEER, Purpose.DATA)
BOUNDS = (
    (limits.PRE_OPEN_FRAME_BYTES, Code.FRAME_TOO_LARGE_BEFORE_AUTH),
    (limits.HELLO_BYTES + limits.TAG_BYTES, Code.FRAME_TOO_LARGE_BEFORE_AUTH),
    (limits.CONTROL_RECORD_BYTES + limits.TAG_BYTES, Code.RECORD_TOO_LARGE),
    (limits.DATA_RECORD_BYTES + limits.TAG_BYTES, Code.RECORD_TOO_LARGE),
)


# --- frames


def cut_frames(data: bytes) -> None:
    """Cut a stream; the first byte says with which bound, the second how long the pieces are."""
    if len(data) < 2:
        return
    most, code = BOUNDS[data[0] % len(BOUNDS)]
    cutter, stream, size = frames.FrameCutter(), data[2:], data[1] + 1
    cutter.bound(most, code)
    taken = bytearray()
    for at in range(0, len(stream), size):
        cutter.feed(stream[at : at + size])
        try:
            while (content := cutter.take()) is not None:
                check(limits.TAG_BYTES < len(content) <= most, "a frame is beyond its bound")
                taken += frames.frame(content)
        except RemoteProtocolError as error:
            known = (code, Code.FRAME_EMPTY, Code.NOT_OUR_PROTOCOL)
            check(error.code in known, f"{error.code} from a frame")
            check(cutter.buffered_bytes == 0, "a dead cutter keeps bytes")
            return
        check(cutter.buffered_bytes < most + 4 + size, "a cutter keeps more than a frame")
    check(bytes(taken) + cutter.take_rest() == stream, "what was cut is not what came")


def read_beginnings(data: bytes) -> None:
    """Read a preamble and a clear refusal, byte by byte as they come."""
    purpose = None
    try:
        for end in range(len(data[:12]) + 1):
            purpose = frames.read_preamble(data[:end])
            check(purpose is None or end >= limits.PREAMBLE_BYTES, "told too early")
    except RemoteProtocolError as error:
        known = (Code.NOT_OUR_PROTOCOL, Code.VERSION_UNSUPPORTED, Code.SUITE_UNKNOWN)
        check(error.code in known, f"{error.code} from a preamble")
    else:
        check(purpose is None or frames.preamble(purpose) == data[:8], "a preamble has a twin")
    refusal = frames.read_clear_refusal(data)
    check(refusal is None or refusal.code in frames.REFUSALS.values(), "a refusal of no code")


# --- messages


def decode_for(purpose: Purpose, data: bytes) -> Message | None:
    """Decode a record; what is accepted can be said again and reads the same."""
    try:
        message = codec.decode(purpose, data)
    except RemoteProtocolError as error:
        check(error.code.sent_by != "local", f"{error.code} cannot be said")
        check(len(error.detail) <= limits.CLOSE_TEXT_CHARS, "a long reason")
        return None
    if message is not None:
        again = codec.decode(purpose, codec.encode(purpose, message))
        check(again == message, "a message reads otherwise when it is said again")
    return message


def _decode(purpose: Purpose, data: bytes) -> None:
    decode_for(purpose, data)


# --- handshake and records


@cache
def _shaken() -> tuple[tuple[NotingEntropy, NotingEntropy], tuple[bytes, ...]]:
    """One handshake that went well: the dice of both sides, and its three messages."""
    notes = (NotingEntropy(SeededEntropy(1)), NotingEntropy(SeededEntropy(2)))
    caller, called = _shaker(Role.INITIATOR, notes[0]), _shaker(Role.RESPONDER, notes[1])
    said: list[bytes] = []
    for speaker, hearer in ((caller, called), (called, caller), (caller, called)):
        said.append(speaker.write())
        hearer.read(said[-1])
    return notes, tuple(said)


def _shaker(role: Role, entropy: NotingEntropy | RecordedEntropy) -> HybridHandshake:
    is_caller = role is Role.INITIATOR
    return HybridHandshake(
        role=role,
        prologue=b"prologue",
        static_private=(ALICE if is_caller else BOB).link_private,
        expected_static=BOB.link_key if is_caller else None,
        entropy=entropy,
    )


def shake(role: Role, data: bytes) -> None:
    """Hear handshake messages: the contents of the steps, or of kind 1 the honest one in its place."""
    notes, said = _shaken()
    mine = notes[0 if role is Role.INITIATOR else 1]
    # An encapsulation to a key that came mangled has no record; what it gives does not matter.
    entropy = NotingEntropy(_Loose(mine))
    side = _shaker(role, entropy)
    honest = iter(said[1::2] if role is Role.INITIATOR else said[0::2])
    try:
        for step in steps_of(data, 4):
            if side.next_is_write:
                side.write()
            if not side.is_finished:
                side.read(next(honest, b"") if step.kind == 1 else step.content)
    except RemoteProtocolError as error:
        check(error.code is Code.HANDSHAKE_FAILED, f"{error.code} from a handshake")
        check(not side.is_finished, "a handshake that failed is finished")


class _Loose(RecordedEntropy):
    """Recorded dice that encapsulate to keys nobody recorded as the library does."""

    def __init__(self, notes: NotingEntropy) -> None:
        super().__init__(notes.draws, notes.pairs)

    def kem_encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        """Play back, or encapsulate."""
        if public_key in self._pairs:
            return super().kem_encapsulate(public_key)
        return SeededEntropy(0).kem_encapsulate(public_key)


def _shake_seeds(role: Role) -> list[bytes]:
    _, said = _shaken()
    heard = said[1::2] if role is Role.INITIATOR else said[0::2]
    return [
        script_of(*((0, message) for message in heard)),
        script_of((1, b""), *((0, message) for message in heard[1:])),
    ]


def _cipher() -> CipherState:
    return CipherState(AESGCM_SHA256, b"k" * 32, blame=Code.LINK_CORRUPT)


def open_records(data: bytes) -> None:
    """Open records: those of kind 1 are sealed well, of kind 2 with a bit flipped, others as they are."""
    rekey_records = data[0] % 5 + 1 if data else 1
    sealer, opener = (
        Sealer(_cipher(), rekey_records, 2**30),
        Opener(_cipher(), rekey_records, 2**30),
    )
    for step in steps_of(data[1:]):
        plain = step.content
        sealed = sealer.seal(plain)[4:] if plain and step.kind in (1, 2) else plain
        if step.kind == 2 and plain:
            sealed = sealed[:-1] + bytes((sealed[-1] ^ 1,))
        try:
            check(opener.open(sealed) == plain, "a record opens to something else")
            check(step.kind == 1, "a record opens that nobody sealed")
        except RemoteProtocolError as error:
            known = (Code.LINK_CORRUPT, Code.FRAME_EMPTY, Code.RECORD_TOO_LARGE)
            check(error.code in known, f"{error.code} from a record")
            check(opener.is_dead or error.code is not Code.LINK_CORRUPT, "it lives on")


# --- dialogue


def ask_and_hear(data: bytes) -> None:
    """Ask (kind 1), let time pass (2), lose the link (3), or hear a message of the tracker."""
    asker, now = Asker(), 0.0
    asked: set[RequestId] = set()
    for step in steps_of(data):
        events: list[AskerEvent] = []
        if step.kind == 1:
            message = decode_for(Purpose.TRACKER, step.content)
            if message is None or type(message) not in REQUESTS:
                continue
            request, _ = asker.ask(partial(_numbered, message), now=_at(now))
            asked.add(request)
        elif step.kind == 2:
            now += len(step.content)
            due = asker.deadline()
            events = asker.handle_deadline(now=_at(now))
            check(bool(events) is (due is not None and due <= now), "a deadline that lies")
        elif step.kind == 3:
            events = asker.give_up(Code.LINK_LOST, "lost")
            check(asker.deadline() is None, "it waits for an answer on no link")
        elif (heard := decode_for(Purpose.TRACKER, step.content)) is not None:
            event = asker.on_message(heard)
            events = [event] if isinstance(event, Answered | Denied) else []
        for event in events:
            assert isinstance(event, Answered | Denied)
            check(event.request in asked, "an answer to what nobody asked")
            asked.discard(event.request)
            check(not isinstance(event, Denied) or event.retry_after_s >= 0, "a wait below nothing")
    check(len(asker._open) == len(asked), "a request was answered twice or never")


def _numbered(message: Message, request: RequestId) -> Message:
    return replace(message, request=request)


def answer(data: bytes) -> None:
    """Hear requests in the state that the first byte names; those of kind 1 are answered at once."""
    states = list(SessionState)
    answerer = Answerer(states[data[0] % len(states)] if data else states[0])
    for step in steps_of(data[1:], 400):
        message = decode_for(Purpose.TRACKER, step.content)
        if message is None:
            continue
        try:
            request = answerer.on_message(message)
        except RemoteProtocolError as error:
            check(error.code in (Code.NOT_NOW, Code.TOO_MANY_REQUESTS), f"{error.code}")
            continue
        check(answerer.open_requests <= limits.OPEN_REQUESTS, "too many requests are open")
        if request is not None and step.kind == 1:
            answerer.answered(request)


def _at(now: float) -> Monotonic:
    return Monotonic(now)


def _message_scripts(purpose: Purpose) -> list[bytes]:
    """Scripts of one and of several messages, asked and heard."""
    said = records(purpose, 1)
    short = [record for record in said if len(record) < 600]
    alone = [script_of((kind, record)) for record in short for kind in (0, 1)]
    return [*alone, script_of(*((1, record) for record in short[:20]), (2, b"x" * 31))]


def targets() -> list[Target]:
    """Give the targets of this module."""
    found = [
        Target(
            "frames",
            cut_frames,
            lambda: [
                bytes((bound, size)) + b"".join(frames.frame(b"x" * n) for n in (17, 40, 300, 17))
                for bound in range(4)
                for size in (0, 6, 255)
            ],
            head=2,
        ),
        Target(
            "preamble",
            read_beginnings,
            lambda: [
                *(frames.preamble(purpose) for purpose in Purpose),
                *(frames.clear_refusal(code) for code in frames.REFUSALS.values()),
                b"GET / HTTP/1.1\r\n",
                b"\x16\x03\x01\x02\x00",
                b"SSH-2.0-x\r\n",
            ],
            most_bytes=64,
        ),
        Target(
            "records",
            open_records,
            lambda: [b"\x02" + script_of((1, b"a"), (1, b"bc"), (2, b"d"))],
            Shape.SCRIPT,
            1,
        ),
        Target("asker", ask_and_hear, lambda: _message_scripts(Purpose.TRACKER), Shape.SCRIPT),
        Target(
            "answerer",
            answer,
            lambda: [
                bytes((state,)) + script
                for state in range(4)
                for script in _message_scripts(Purpose.TRACKER)
            ],
            Shape.SCRIPT,
            1,
        ),
    ]
    found += [
        Target(
            f"codec-{purpose.name.lower()}",
            partial(_decode, purpose),
            partial(records, purpose),
            Shape.MESSAGE,
        )
        for purpose in PURPOSES
    ]
    found += [
        Target(
            f"handshake-{role.name.lower()}",
            partial(shake, role),
            partial(_shake_seeds, role),
            Shape.SCRIPT,
            most_bytes=6000,
        )
        for role in Role
    ]
    return found
