"""One link as one machine: preamble, handshake, hello, records, keepalive and close.

What lives here: in which order these may come, for all purposes alike. What does not: their bytes (`wire.frames`,
`wire.channel`, `wire.codec`), who may call (the owner decides at LinkIdentified), what messages mean.

A peer's fault ends the machine: one Close with a code (in clear while there are no keys), one LinkClosed,
and whatever comes later is dropped. Nothing of the application passes before both Hellos did.
"""

from __future__ import annotations

from wire import codec, frames, limits
from wire.channel.handshake import Role
from wire.channel.hybrid import HybridHandshake
from wire.channel.primitives import static_pair
from wire.channel.records import Opener, Sealer
from wire.codes import Code, code_of
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.ids import LinkKey
from wire.link.events import (
    AnyHello,
    ChunkReceived,
    Ending,
    LinkAged,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    MessageReceived,
    Remote,
)
from wire.link.keepalive import Keepalive
from wire.link.proving import is_anonymous, most_record_bytes, prove
from wire.link.states import TRANSITIONS, LinkState, Step
from wire.link.stream import Stream
from wire.machine import Entropy, Monotonic
from wire.messages import Message
from wire.messages.session import Close, Hello, HelloAnonymous, HelloTracker, Ping, Pong
from wire.messages.transfer import Pack, Piece


class Link:
    """One side of one link; obeys `wire.machine.Machine`.

    What is said on a link that has CLOSED is dropped without a word, as what a wire loses: the owner may
    not have seen LinkClosed yet. Everything else out of order is a LocalProtocolError.

    state: how far it is. role: ours. remote: who is at the other end, from LinkIdentified or LinkOpened on.
    handshake_hash: 32 bytes once keys stand. dropped_messages: how many were unknown and not critical.
    """

    __slots__ = (
        "_began",
        "_chunk_bytes",
        "_config",
        "_entropy",
        "_handshake",
        "_happened",
        "_has_aged",
        "_is_anonymous",
        "_keepalive",
        "_stream",
        "dropped_messages",
        "handshake_hash",
        "remote",
        "role",
        "state",
    )

    def __init__(self, role: Role, config: LinkConfig, *, now: Monotonic, entropy: Entropy) -> None:
        """Start with nothing received; an initiator has its first flight to send at once.

        Raises LocalProtocolError for an initiator without hello or expected_static, and with
        SELF_CONNECTION for one that would call its own key. A key that nobody can own (of low order) is
        the fault of whoever gave it to us: the link is CLOSED from the start.
        """
        self.role = role
        self._config = config
        self._entropy = entropy
        self._began = now
        self._happened: list[LinkEvent] = []
        self._stream = Stream(config.purpose)
        self.remote: Remote | None = None
        self._handshake: HybridHandshake | None = None
        self._keepalive = Keepalive(config.heartbeat_s, config.dead_after_s, now=now)
        self._chunk_bytes: int | None = None  # of the raw record that must come next
        self._has_aged = False
        self._is_anonymous = False
        self.dropped_messages = 0
        self.state = LinkState.GREETING
        self.handshake_hash = b""
        if role is Role.INITIATOR:
            self._greet()

    # --- verbs

    def admit(self, hello: Hello | HelloTracker) -> None:
        """Let the caller in; hello: ours, the first record they get."""
        if self._may(LinkState.IDENTIFYING, "admit"):
            self._stream.say(hello)
            self._open()

    def refuse(self, code: Code, text: str = "") -> None:
        """Turn the caller away with a code; one that is never on the wire goes out as NOT_ADMITTED."""
        if self._may(LinkState.IDENTIFYING, "refuse"):
            self._end(code, text, Ending.US)

    def send(self, message: Message, *, now: Monotonic) -> None:
        """Say something; LocalProtocolError before the link is OPEN and for a message out of bounds."""
        if self._may(LinkState.OPEN, "send"):
            self._stream.say(message)
            self._keepalive.sent(now)

    def send_record(self, plaintext: bytes, *, now: Monotonic) -> None:
        """Send an encoded message, or the chunk that the last Piece or Pack announced; as `send`."""
        if self._may(LinkState.OPEN, "send"):
            self._stream.seal(plaintext)
            self._keepalive.sent(now)

    def ping(self, *, now: Monotonic) -> float | None:
        """Measure the round trip; while that goes on, gives for how many seconds, and begins no other.

        One at a time: pings held up by a slow path would arrive together, and as a flood.
        """
        if (waits_s := self._keepalive.waits_s(now)) is None:
            self.send(Ping(self._keepalive.next_ping(now)), now=now)
        return waits_s

    def close(self, code: Code = Code.GOODBYE, text: str = "") -> None:
        """End the link in good order; closing a closed one changes nothing."""
        if self.state is LinkState.TAKEN:
            raise LocalProtocolError("the owner of a link that was taken over closes it itself")
        if self.state is not LinkState.CLOSED:
            self._end(code, text, Ending.US)

    def take_over(self) -> tuple[Sealer, Opener, bytes]:
        """Hand the records of an open data link to the owner, with the bytes already received.

        Send what `data_to_send` has first. From here on the machine only says that it is TAKEN.
        """
        if not self._config.hands_over or self.state is not LinkState.OPEN:
            raise LocalProtocolError("only open links that were made for it are taken over")
        assert self._stream.keys is not None
        self._step(Step.TAKEN)
        return *self._stream.keys, self._stream.incoming.take_rest()

    def rest(self) -> None:
        """Keep what a silent link needs, of `remote` the key alone: for an owner of many links."""
        self._stream.rest()
        if self.state is LinkState.OPEN and self.remote is not None and self.remote.hello:
            self.remote = Remote(None, None, None, self.remote.link_key)

    # --- the machine

    def receive_data(self, data: bytes | bytearray | memoryview, *, now: Monotonic) -> None:
        """Take bytes of the stream, any number; see `Machine`."""
        if self.state in (LinkState.CLOSED, LinkState.TAKEN):
            return
        self._stream.incoming.feed(data)
        try:
            while self._advance(now):
                pass
        except RemoteProtocolError as error:
            self._end(error.code, error.detail, Ending.US)

    def receive_eof(self, *, now: Monotonic) -> None:  # noqa: ARG002 - the machine's contract
        """Take note that the stream ended; see `Machine`."""
        if self.state not in (LinkState.CLOSED, LinkState.TAKEN):
            half = ", in the middle of a frame" if self._stream.incoming.buffered_bytes else ""
            self._finish(Code.LINK_LOST, f"the connection ended{half}", Ending.LOST)

    def handle_deadline(self, *, now: Monotonic) -> None:
        """Ping, give up or say that the link has aged; see `Machine`."""
        limit = self._open_limit()
        if limit is not None and now >= limit:
            self._end(Code.HANDSHAKE_TIMEOUT, "", Ending.US)
        elif self.state is LinkState.OPEN and self._keepalive.is_dead(now):
            self._end(Code.LINK_SILENT, "", Ending.US)
        elif self.state is LinkState.OPEN:
            if self._keepalive.is_ping_due(now):
                self.send(Ping(self._keepalive.next_ping(now)), now=now)
            self._age(now)

    def deadline(self) -> Monotonic | None:
        """Name the next instant; None once closed or taken over."""
        limit = self._open_limit()
        if self.state is not LinkState.OPEN:
            return limit
        instants = [self._keepalive.deadline()] + ([] if limit is None else [limit])
        if not self._has_aged:
            instants.append(Monotonic(self._began + self._config.lifetime_s))
        return min(instants)

    def data_to_send(self) -> bytes:
        """Hand over the bytes for the other side."""
        return self._stream.drain()

    def events(self) -> list[LinkEvent]:
        """Hand over what happened."""
        happened, self._happened = self._happened, []
        return happened

    @property
    def unsent_bytes(self) -> int:
        """How many bytes `data_to_send` would give."""
        return self._stream.unsent_bytes

    @property
    def round_trip_s(self) -> float | None:
        """The last measured round trip in seconds, or None."""
        return self._keepalive.round_trip_s

    # --- inside

    def _greet(self) -> None:
        config = self._config
        if config.hello is None or config.expected_static is None:
            raise LocalProtocolError("an initiator brings its hello and the key it expects")
        if config.expected_static == static_pair(config.static_private).public:
            raise LocalProtocolError("that is our own key", Code.SELF_CONNECTION)
        self._stream.emit(frames.preamble(config.purpose))
        try:
            self._begin_handshake()
        except RemoteProtocolError as error:
            self._end(error.code, error.detail, Ending.US)

    def _begin_handshake(self) -> None:
        config = self._config
        self._handshake = HybridHandshake(
            role=self.role,
            prologue=frames.preamble(config.purpose) + config.responder,
            static_private=config.static_private,
            expected_static=config.expected_static,
            entropy=self._entropy,
        )
        self._write_handshake()

    def _write_handshake(self) -> None:
        while self._handshake is not None and self._handshake.next_is_write:
            self._stream.emit(frames.frame(self._handshake.write()))

    def _advance(self, now: Monotonic) -> bool:
        """Take one thing from the stream; False when there is none whole, or nobody cares."""
        if self.state in (LinkState.CLOSED, LinkState.TAKEN):
            return False
        if self._handshake is None and self.state is LinkState.GREETING:
            return self._read_preamble()
        if self.role is Role.INITIATOR and self.state in (LinkState.GREETING, LinkState.PROVING):
            start = self._stream.incoming.peek(limits.PREAMBLE_BYTES)
            if start.startswith(frames.MAGIC):
                if (refusal := frames.read_clear_refusal(start)) is not None:
                    self._finish(refusal.code, refusal.detail, Ending.THEM)
                return False
        if self._config.hands_over and self.state is LinkState.OPEN:
            return False
        frame = self._stream.incoming.take()
        if frame is None:
            return False
        if self.state is LinkState.GREETING:
            self._on_handshake(frame)
        else:
            self._on_record(frame, now)
        return True

    def _read_preamble(self) -> bool:
        purpose = frames.read_preamble(self._stream.incoming.peek(limits.PREAMBLE_BYTES))
        if purpose is None:
            return False
        if purpose is not self._config.purpose:
            raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"purpose {purpose.name.lower()}")
        self._stream.incoming.take_start(limits.PREAMBLE_BYTES)
        self._begin_handshake()
        return True

    def _on_handshake(self, message: bytes) -> None:
        assert self._handshake is not None
        self._handshake.read(message)
        self._write_handshake()
        if not self._handshake.is_finished:
            return
        self._stream.keys = self._handshake.split(
            rekey_after_records=self._config.rekey_after_records,
            rekey_after_bytes=self._config.rekey_after_bytes,
        )
        self.handshake_hash = self._handshake.handshake_hash
        self._stream.incoming.bound(
            limits.HELLO_BYTES + limits.TAG_BYTES, Code.FRAME_TOO_LARGE_BEFORE_AUTH
        )
        self._step(Step.SHAKEN)
        if self.role is Role.INITIATOR and self._config.hello is not None:
            self._stream.say(self._config.hello)
        elif self._handshake.remote_static == static_pair(self._config.static_private).public:
            raise RemoteProtocolError(Code.SELF_CONNECTION)

    def _on_record(self, frame: bytes, now: Monotonic) -> None:
        content = self._stream.open(frame)
        self._keepalive.received(now)
        if self._chunk_bytes is not None:
            self._on_chunk(content)
            return
        message = codec.decode(self._config.purpose, content)
        if message is None:
            self.dropped_messages += 1
        elif isinstance(message, Close):
            self._finish(code_of(message.code), message.text, Ending.THEM)
        elif self.state is LinkState.OPEN:
            self._on_message(message, now)
        elif self.state is LinkState.PROVING and isinstance(
            message, Hello | HelloAnonymous | HelloTracker
        ):
            self._on_hello(message)
        else:
            raise RemoteProtocolError(
                Code.NOT_NOW, f"{type(message).__name__} before the link is open"
            )

    def _on_chunk(self, content: bytes) -> None:
        if len(content) != self._chunk_bytes:
            raise RemoteProtocolError(Code.SIZE_INVALID, "a chunk is not as long as announced")
        self._chunk_bytes = None
        self._happened.append(ChunkReceived(content))

    def _on_message(self, message: Message, now: Monotonic) -> None:
        if isinstance(message, Ping):
            self._keepalive.pinged(now)
            self.send(Pong(message.token), now=now)
        elif isinstance(message, Pong):
            self._keepalive.ponged(message.token, now)
        elif isinstance(message, Hello | HelloAnonymous | HelloTracker):
            raise RemoteProtocolError(Code.NOT_NOW, "a second Hello")
        else:
            if isinstance(message, Piece):
                self._chunk_bytes = message.length
            elif isinstance(message, Pack):
                # Empty files have no bytes, and a record is never empty.
                self._chunk_bytes = sum(chunk.length for chunk in message.chunks) or None
            self._happened.append(MessageReceived(message))

    def _on_hello(self, hello: AnyHello) -> None:
        assert self._handshake is not None
        link_key = LinkKey(self._handshake.remote_static)
        self.remote = prove(hello, link_key, self.role, self._config)
        if self.role is Role.INITIATOR:
            self._open()
        else:
            self._step(Step.KNOWN)
            self._happened.append(LinkIdentified(self.remote))

    def _open(self) -> None:
        assert self.remote is not None
        self._step(Step.OPENED)
        self._is_anonymous = is_anonymous(self._config.hello, self.remote.hello)
        most = most_record_bytes(self._config.purpose, is_anonymous=self._is_anonymous)
        self._stream.incoming.bound(most + limits.TAG_BYTES, Code.RECORD_TOO_LARGE)
        self._handshake = None
        self._happened.append(LinkOpened(self.remote, self.handshake_hash))

    def _open_limit(self) -> Monotonic | None:
        if self.state in (LinkState.GREETING, LinkState.PROVING, LinkState.IDENTIFYING):
            return Monotonic(self._began + self._config.open_timeout_s)
        if self.state is LinkState.OPEN and self._is_anonymous:
            return Monotonic(self._began + self._config.anonymous_timeout_s)
        return None

    def _age(self, now: Monotonic) -> None:
        is_old = now >= self._began + self._config.lifetime_s
        is_worn = self._stream.carried_bytes >= self._config.lifetime_bytes
        if not self._has_aged and (is_old or is_worn):
            self._has_aged = True
            self._happened.append(LinkAged())

    def _end(self, code: Code, text: str, by: Ending) -> None:
        """End the link from our side: a last word if there is a way to say it, one event."""
        text = text[: limits.CLOSE_TEXT_CHARS]
        said = code
        if code.sent_by == "local":  # nobody else could do anything with it
            said = Code.INTERNAL if self.state is LinkState.OPEN else Code.NOT_ADMITTED
        if self._stream.keys is not None:
            self._stream.say(Close(said.value, text))
        elif self.role is Role.RESPONDER:
            self._stream.emit(frames.clear_refusal(said))
        self._finish(code, text, by)

    def _finish(self, code: Code, text: str, by: Ending) -> None:
        """Be closed: what came and was not read is forgotten, one event says why."""
        self._step(Step.ENDED)
        self._stream.incoming.take_rest()
        self._handshake = None
        self._happened.append(LinkClosed(code, text, by))

    def _step(self, step: Step) -> None:
        """Ask the table; that it has an answer is for the verbs and `_advance` to see to."""
        self.state = TRANSITIONS[self.role][self.state][step]

    def _may(self, state: LinkState, verb: str) -> bool:
        """Say whether a verb has its effect; False on a closed link, an error in other states."""
        if self.state not in (state, LinkState.CLOSED):
            raise LocalProtocolError(f"cannot {verb} in state {self.state.value}")
        return self.state is state
