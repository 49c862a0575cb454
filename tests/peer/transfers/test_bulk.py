"""One data link in its threads, over a real socket, with a talk that only takes notes."""

from __future__ import annotations

import logging
import queue
import socket
import threading
from collections.abc import Iterator

import pytest

from peer.errors import PeerError
from peer.transfers.bulk import Bulk
from wire import limits
from wire.channel.records import Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256, CipherState
from wire.codec import decode, encode
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest
from wire.messages import Message, Purpose
from wire.messages.session import Close, Ping, Pong
from wire.messages.transfer import Fetched, Pack, PackedChunk, Piece, StopFetch

WAIT_S = 20.0
MIB = limits.MIB
DIGEST = bytes(32)


class Notes:
    """A talk that keeps what it hears and sends what it is given."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.to_send: queue.SimpleQueue[tuple[list[Message], bytes]] = queue.SimpleQueue()
        self.is_expected = True
        self.is_at_work = True
        self.is_spare = False
        self.is_waiting = True
        self.rests = 0
        self.error: Exception | None = None

    def heard(self, message: Message) -> None:
        if self.error is not None:
            raise self.error
        self.told.put(message)

    def expects(self, announced: Piece | Pack) -> bool:
        return self.is_expected

    def chunk(self, announced: Piece | Pack, data: memoryview) -> None:
        self.told.put((announced, bytes(data)))

    def rest(self) -> None:
        self.rests += 1

    def next_record(self, into: memoryview) -> tuple[list[Message], int] | None:
        try:
            messages, data = self.to_send.get_nowait()
        except queue.Empty:
            return None
        into[: len(data)] = data
        return messages, len(data)

    def has_news(self) -> bool:
        return False

    def wants(self) -> bool:
        return self.is_waiting

    def has_work(self) -> bool:
        return self.is_at_work

    def linger_s(self) -> float:
        return 0.2

    def is_kept(self) -> bool:
        return self.is_spare

    def ended(self, code: Code, text: str) -> None:
        self.told.put(code)

    def next(self) -> object:
        return self.told.get(timeout=WAIT_S)


class Stranger:
    """The other end: a plain socket with the right keys."""

    def __init__(self, connection: socket.socket, sealer: Sealer, opener: Opener) -> None:
        self.socket = connection
        self.sealer = sealer
        self.opener = opener
        connection.settimeout(WAIT_S)

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.socket.sendall(self.sealer.seal(encode(Purpose.DATA, message)))

    def give(self, data: bytes) -> None:
        self.socket.sendall(self.sealer.seal(data))

    def _exactly(self, count: int) -> bytes:
        found = b""
        while len(found) < count:
            data = self.socket.recv(count - len(found))
            if not data:
                raise EOFError
            found += data
        return found

    def record(self) -> bytes:
        return self.opener.open(self._exactly(int.from_bytes(self._exactly(4), "big")))

    def hear(self) -> Message | None:
        return decode(Purpose.DATA, self.record())

    def hear_close(self) -> Close:
        """The last word, whatever comes before it."""
        while True:
            message = self.hear()
            if isinstance(message, Close):
                return message


def _cipher(key: bytes) -> CipherState:
    return CipherState(AESGCM_SHA256, key, blame=Code.LINK_CORRUPT)


class Line:
    """A bulk link and the stranger at its other end."""

    def __init__(
        self,
        *,
        first: bytes = b"",
        leftover: bytes = b"",
        heartbeat_s: float = 3600.0,
        dead_after_s: float = limits.DEAD_AFTER_S,
        lifetime_s: float = 3600.0,
        lifetime_bytes: int = 2**40,
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            ours = socket.create_connection(listener.getsockname())
            theirs, _ = listener.accept()
        there, back = (b"t" * 32, b"b" * 32)
        many = (2**20, 2**40)
        self.notes = Notes()
        self.stranger = Stranger(
            theirs, Sealer(_cipher(there), *many), Opener(_cipher(back), *many)
        )
        self.bulk = Bulk(
            ours,
            Sealer(_cipher(back), *many),
            Opener(_cipher(there), *many),
            first=first,
            leftover=leftover,
            make_talk=lambda _: self.notes,
            peer="the stranger",
            heartbeat_s=heartbeat_s,
            dead_after_s=dead_after_s,
            lifetime_s=lifetime_s,
            lifetime_bytes=lifetime_bytes,
        )

    def end(self) -> None:
        self.bulk.abort()
        self.stranger.socket.close()
        assert self.bulk.join(WAIT_S)
        self.bulk.dispose()


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    made.bulk.start()
    yield made
    made.end()


def test_messages_and_chunks_come_across_in_order(line: Line) -> None:
    data = bytes(range(256)) * 4096
    line.stranger.say(Fetched(1), Piece(1, 0, 0, MIB, ChunkDigest(DIGEST)))
    line.stranger.give(data)
    line.stranger.say(Fetched(2))
    assert line.notes.next() == Fetched(1)
    assert line.notes.next() == (Piece(1, 0, 0, MIB, ChunkDigest(DIGEST)), data)
    assert line.notes.next() == Fetched(2)


def test_a_pack_of_empty_files_has_no_record_behind_it(line: Line) -> None:
    pack = Pack(1, (PackedChunk(0, 0, ChunkDigest(DIGEST)),))
    line.stranger.say(pack, Fetched(1))
    assert line.notes.next() == (pack, b"")
    assert line.notes.next() == Fetched(1)


def test_bytes_that_nobody_wants_are_read_and_dropped(line: Line) -> None:
    line.notes.is_expected = False
    line.stranger.say(Piece(1, 0, 0, 5, ChunkDigest(DIGEST)))
    line.stranger.give(b"12345")
    line.stranger.say(Pack(1, (PackedChunk(0, 0, ChunkDigest(DIGEST)),)), Fetched(1))
    assert line.notes.next() == Fetched(1)


def test_what_the_talk_has_to_send_leaves_whole(line: Line) -> None:
    data = b"z" * MIB
    line.notes.to_send.put(([Piece(3, 0, 0, MIB, ChunkDigest(DIGEST))], data))
    line.bulk.say(StopFetch(9))
    assert line.stranger.hear() == StopFetch(9)
    assert line.stranger.hear() == Piece(3, 0, 0, MIB, ChunkDigest(DIGEST))
    assert line.stranger.record() == data


def test_more_messages_than_one_buffer_holds_leave_in_order(line: Line) -> None:
    many = [StopFetch(number) for number in range(20_000)]
    line.bulk.say(*many)
    assert [line.stranger.hear() for _ in many] == many


def test_bytes_received_before_count_and_first_bytes_go_first() -> None:
    probe = Line()
    early = probe.stranger.sealer.seal(encode(Purpose.DATA, Fetched(7)))
    made = Line(first=b"hello", leftover=early)
    made.stranger.sealer.seal(encode(Purpose.DATA, Fetched(7)))  # its count goes on behind it
    made.bulk.start()
    assert made.stranger.socket.recv(5, socket.MSG_WAITALL) == b"hello"
    assert made.notes.next() == Fetched(7)
    made.stranger.say(Fetched(8))
    assert made.notes.next() == Fetched(8)
    made.end()
    probe.bulk.dispose()
    probe.stranger.socket.close()


def test_a_ping_is_answered_and_a_pong_is_nobodys_business(line: Line) -> None:
    line.stranger.say(Pong(3), Ping(4))
    assert line.stranger.hear() == Pong(4)


@pytest.mark.parametrize(
    ("garbage", "code"),
    [
        (bytes(4), Code.FRAME_EMPTY),
        ((16).to_bytes(4, "big") + bytes(16), Code.FRAME_EMPTY),
        ((MIB + 17).to_bytes(4, "big"), Code.RECORD_TOO_LARGE),
        (b"\xff" * 4, Code.RECORD_TOO_LARGE),
        ((40).to_bytes(4, "big") + bytes(40), Code.LINK_CORRUPT),
    ],
)
def test_garbage_ends_the_link_by_name(line: Line, garbage: bytes, code: Code) -> None:
    line.stranger.socket.sendall(garbage)
    assert line.stranger.hear_close().code == code.value
    ended = line.notes.next()
    assert ended is code


def test_a_chunk_of_another_length_ends_the_link(line: Line) -> None:
    line.stranger.say(Piece(1, 0, 0, 5, ChunkDigest(DIGEST)))
    line.stranger.give(b"1234")
    assert line.stranger.hear_close().code == Code.SIZE_INVALID.value


@pytest.mark.parametrize(
    "record", [b"\x00", b"\xff\xff\x90", encode(Purpose.DATA, Fetched(1)) + b"x"]
)
def test_records_that_are_no_messages_end_the_link(line: Line, record: bytes) -> None:
    line.stranger.give(record)
    assert line.stranger.hear_close().code != Code.GOODBYE.value


def test_what_the_talk_refuses_ends_the_link_with_its_code(line: Line) -> None:
    line.notes.error = RemoteProtocolError(Code.FLOOD, "too much")
    line.stranger.say(Fetched(1))
    close = line.stranger.hear_close()
    assert (close.code, close.text) == (Code.FLOOD.value, "too much")


def test_a_fault_of_our_own_ends_the_link_without_blame(line: Line) -> None:
    line.notes.error = PeerError(Code.NO_SPACE, "full")
    line.stranger.say(Fetched(1))
    assert line.stranger.hear_close().code == Code.GOODBYE.value


def test_a_connection_that_is_cut_ends_the_link(line: Line) -> None:
    line.stranger.socket.sendall(b"\x00\x00")
    line.stranger.socket.close()
    assert line.notes.next() is Code.LINK_LOST
    assert line.bulk.join(WAIT_S)


def test_a_link_that_is_kept_asks_for_a_sign_of_life_and_ends_without_one() -> None:
    line = Line(heartbeat_s=0.05, dead_after_s=2.5)
    line.notes.is_at_work, line.notes.is_spare, line.notes.is_waiting = False, True, False
    line.bulk.start()
    assert isinstance(line.stranger.hear(), Ping)  # it could have ended as idle before
    assert line.notes.next() is Code.LINK_SILENT
    assert line.stranger.hear_close().code == Code.LINK_SILENT.value
    assert line.notes.rests > 0
    line.end()


def test_a_link_that_is_kept_no_more_ends_like_any_other() -> None:
    line = Line(heartbeat_s=0.05)
    line.notes.is_at_work, line.notes.is_spare, line.notes.is_waiting = False, True, False
    line.bulk.start()
    assert isinstance(line.stranger.hear(), Ping)
    line.notes.is_spare = False
    assert line.stranger.hear_close().code == Code.GOODBYE.value
    line.end()


def test_their_close_ends_the_link_once(line: Line) -> None:
    line.stranger.say(Close(Code.SHUTTING_DOWN.value))
    assert line.notes.next() is Code.LINK_LOST
    assert line.bulk.join(WAIT_S)
    assert line.notes.told.empty()


def test_closing_says_why_and_ends_both_threads(line: Line) -> None:
    line.bulk.close(Code.SHUTTING_DOWN, "going")
    line.bulk.close(Code.GOODBYE)
    close = line.stranger.hear_close()
    assert (close.code, close.text) == (Code.SHUTTING_DOWN.value, "going")
    assert line.notes.next() is Code.SHUTTING_DOWN
    assert line.bulk.join(WAIT_S)
    assert threading.active_count() >= 1


def test_more_pings_than_anybody_needs_are_a_flood(line: Line) -> None:
    pings = [encode(Purpose.DATA, Ping(token)) for token in range(2 * limits.HELD_PINGS)]
    line.stranger.socket.sendall(b"".join(map(line.stranger.sealer.seal, pings)))
    assert line.stranger.hear_close().code == Code.FLOOD.value
    assert line.bulk.join(WAIT_S)


def test_pings_that_were_held_up_and_come_together_are_none(line: Line) -> None:
    line.stranger.say(*map(Ping, range(limits.HELD_PINGS // 2)), Fetched(1))
    assert line.notes.next() == Fetched(1)
    assert [line.stranger.hear() for _ in range(3)] == [Pong(0), Pong(1), Pong(2)]


def test_a_link_that_waits_for_something_says_so_every_heartbeat() -> None:
    made = Line(heartbeat_s=0.0)
    made.bulk.start()
    assert [made.stranger.hear() for _ in range(2)] == [Ping(0), Ping(0)]
    made.end()


def test_an_idle_link_ends_by_itself(line: Line) -> None:
    line.notes.is_at_work = False
    close = line.stranger.hear_close()
    assert (close.code, close.text) == (Code.GOODBYE.value, "nothing is left to do")


@pytest.mark.parametrize("life", [{"lifetime_s": 0.0}, {"lifetime_bytes": 1}])
def test_a_link_ends_when_it_has_lived_long_enough(life: dict[str, float]) -> None:
    made = Line(**life)  # type: ignore[arg-type]
    made.bulk.say(StopFetch(1))
    made.bulk.start()
    assert made.stranger.hear() == StopFetch(1)
    close = made.stranger.hear_close()
    assert (close.code, close.text) == (Code.GOODBYE.value, "this link has lived long enough")
    made.end()


def test_a_link_that_has_brought_a_chunk_says_so(line: Line) -> None:
    assert not line.bulk.has_brought
    line.stranger.say(Piece(1, 0, 0, MIB, ChunkDigest(DIGEST)))
    line.stranger.give(bytes(MIB))
    line.notes.next()
    assert line.bulk.has_brought


def test_a_fault_of_our_own_ends_the_link_and_is_logged_once(
    line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    line.notes.error = ZeroDivisionError("division by zero")
    line.stranger.say(Fetched(1))
    assert line.stranger.hear_close().code == Code.INTERNAL.value
    assert line.bulk.join(WAIT_S)
    [record] = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert "the stranger" in record.getMessage()
    assert "division by zero" in record.getMessage()
    assert record.exc_info is None


def test_a_first_record_that_is_wrong_is_answered_although_it_came_before_the_threads() -> None:
    """It lay behind the handshake: the receiving thread failed before there was one to say why."""
    for _ in range(20):
        line = Line(leftover=(16).to_bytes(4, "big") + bytes(16))
        line.bulk.start()
        assert line.stranger.hear_close().code == Code.FRAME_EMPTY.value
        assert line.notes.next() is Code.FRAME_EMPTY
        line.end()
