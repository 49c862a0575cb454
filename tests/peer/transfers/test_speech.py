"""What leaves a link is sealed in order whoever says it: the sending thread, another at once, or both."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from peer.transfers.outlet import Outlet
from peer.transfers.speech import Speech
from wire import limits
from wire.channel.records import Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256, CipherState
from wire.codec import decode
from wire.codes import Code
from wire.messages import Message, Purpose
from wire.messages.session import Ping

WAIT_S = 30.0
MANY = (2**20, 2**40)


def _cipher() -> CipherState:
    return CipherState(AESGCM_SHA256, b"k" * 32, blame=Code.LINK_CORRUPT)


class Line:
    """A speech and whoever hears it."""

    def __init__(self, first: bytes = b"") -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(WAIT_S)
        self.speech = Speech(Sealer(_cipher(), *MANY), Outlet(self.ours, []), first)
        self._opener = Opener(_cipher(), *MANY)

    def take(self, count: int) -> bytes:
        return self.theirs.recv(count, socket.MSG_WAITALL)

    def record(self) -> bytes:
        return self._opener.open(self.take(int.from_bytes(self.take(limits.LENGTH_BYTES), "big")))

    def hear(self) -> Message | None:
        return decode(Purpose.DATA, self.record())

    def fill(self) -> int:
        """Say pings until the system takes no more; gives how many were said."""
        said = 0
        while not self.speech.has_left:
            assert self.speech.try_say([Ping(said)])
            said += 1
        return said


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    with made.ours, made.theirs:
        yield made


def test_messages_and_the_bytes_behind_them_leave_in_one_order(line: Line) -> None:
    line.speech.chunk[:5] = b"chunk"
    assert line.speech.send([Ping(1), Ping(2)], 5)
    assert line.speech.try_say([Ping(3), Ping(4)])
    assert [line.hear(), line.hear(), line.record()] == [Ping(1), Ping(2), b"chunk"]
    assert [line.hear(), line.hear()] == [Ping(3), Ping(4)]


def test_nothing_to_say_sends_nothing(line: Line) -> None:
    assert not line.speech.send([])


def test_what_a_handshake_left_goes_before_every_word() -> None:
    line = Line(b"left over")
    with line.ours, line.theirs:
        assert not line.speech.try_say([Ping(1)])
        assert line.speech.send([Ping(1)])
        assert line.take(9) == b"left over"
        assert line.hear() == Ping(1)


def test_what_the_system_does_not_take_at_once_goes_first_the_next_time(line: Line) -> None:
    said = line.fill()
    assert not line.speech.try_say([Ping(0)])
    heard: list[Message | None] = []
    hearing = threading.Thread(target=lambda: heard.extend(line.hear() for _ in range(said + 1)))
    hearing.start()
    assert line.speech.send([Ping(said)])
    hearing.join(WAIT_S)
    assert heard == [Ping(number) for number in range(said + 1)]


def test_a_word_waits_for_a_sending_thread_that_is_at_it(line: Line) -> None:
    line.fill()

    def send() -> None:
        with suppress(OSError):
            line.speech.send([])

    sending = threading.Thread(target=send)
    sending.start()
    while line.speech.has_left:
        pass  # until it has begun; then it waits for somebody to read
    assert not line.speech.try_say([Ping(1)])
    line.theirs.close()
    sending.join(WAIT_S)
    assert not sending.is_alive()


def test_a_connection_that_is_gone_is_told_to_the_sending_thread_alone(line: Line) -> None:
    line.theirs.close()
    assert line.speech.try_say([Ping(1)])
    assert line.speech.has_left
    with pytest.raises(ConnectionError):
        line.speech.send([])


def test_two_threads_keep_one_order(line: Line) -> None:
    count, size = 200, 4096

    def send() -> None:
        for number in range(count):
            line.speech.chunk[:4] = number.to_bytes(4, "big")
            line.speech.send([], size)

    def say() -> None:
        left = list(range(count))
        while left:
            if line.speech.try_say([Ping(left[0])]):
                del left[0]
            elif line.speech.has_left:
                line.speech.send([])

    threads = [threading.Thread(target=work) for work in (send, say)]
    for thread in threads:
        thread.start()
    chunks: list[int] = []
    words: list[int] = []
    for _ in range(2 * count):
        record = line.record()  # it opens: the order on the wire is that of the seals
        if len(record) == size:
            chunks.append(int.from_bytes(record[:4], "big"))
        else:
            found = decode(Purpose.DATA, record)
            assert isinstance(found, Ping)
            words.append(found.token)
    for thread in threads:
        thread.join(WAIT_S)
    assert chunks == words == list(range(count))
