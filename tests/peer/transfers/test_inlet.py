"""Where a link's bytes come in: whole records however they were cut, and how a stream may end."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from peer.transfers.inlet import Inlet
from peer.transfers.pace import Pace
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def inlet(ends: Ends, leftover: bytes = b"", *, paces: tuple[Pace, ...] = ()) -> Inlet:
    return Inlet(
        ends[0],
        leftover,
        paces,
        is_over=lambda: False,
        on_part=lambda: None,
        on_silence=lambda: None,
    )


def record(content: bytes) -> bytes:
    return len(content).to_bytes(limits.LENGTH_BYTES, "big") + content


def read(way_in: Inlet) -> bytes:
    found = way_in.record()
    assert found is not None
    return bytes(found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("is_paced", [False, True])
def test_records_come_whole_however_they_were_cut(ends: Ends, seed: int, *, is_paced: bool) -> None:
    dice = random.Random(seed)
    sizes = [17, limits.DATA_RECORD_BYTES + limits.TAG_BYTES, 90, 4096, 4093, 20, 300_000]
    dice.shuffle(sizes)
    contents = [dice.randbytes(size) for size in sizes]
    stream = b"".join(map(record, contents))
    pace = Pace()
    pace.set(10**9 if is_paced else None)
    first = dice.choice((0, 2, 4, 50, 9000))

    def give() -> None:
        left = memoryview(stream)[first:]
        while left:
            count = dice.choice((1, 3, 94, 5000, 200_000))
            ends[1].sendall(left[:count])
            left = left[count:]

    giver = threading.Thread(target=give)
    giver.start()
    way_in = inlet(ends, stream[:first], paces=(pace,))
    assert [read(way_in) for _ in contents] == contents
    giver.join()


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        (b"", "the connection ended"),
        (b"\0\0", "the connection ended, in the middle of a record"),
        (record(bytes(40))[:30], "the connection ended, in the middle of a record"),
    ],
)
def test_a_stream_ends_between_records_or_in_one(ends: Ends, rest: bytes, says: str) -> None:
    ends[1].sendall(record(bytes(20)) + rest)
    ends[1].shutdown(socket.SHUT_WR)
    way_in = inlet(ends)
    assert read(way_in) == bytes(20)
    with pytest.raises(ConnectionError, match=f"^{says}$"):
        way_in.record()


LONG = bytes(range(256)) * 640  # in one piece in what a socket holds, so that it comes fast
HALF = len(LONG) // 2


def read_fast(ends: Ends, way_in: Inlet) -> None:
    for _ in range(10):
        ends[1].sendall(record(LONG))
        assert read(way_in) == LONG


def test_a_stream_ends_in_a_record_though_those_before_came_fast(ends: Ends) -> None:
    way_in = inlet(ends)
    read_fast(ends, way_in)
    ends[1].sendall(record(LONG)[:HALF])
    ends[1].shutdown(socket.SHUT_WR)
    with pytest.raises(ConnectionError, match=r"^the connection ended, in the middle of a record$"):
        way_in.record()


def test_what_comes_late_is_waited_for_though_what_was_before_came_fast(ends: Ends) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 20_000))
    late: list[bytes] = []
    parts: list[int] = []
    way_in = Inlet(
        ends[0],
        b"",
        (),
        is_over=lambda: False,
        on_part=lambda: parts.append(len(late)),
        on_silence=lambda: ends[1].sendall(late.pop()),
    )
    read_fast(ends, way_in)
    late.append(record(LONG)[HALF:])
    ends[1].sendall(record(LONG)[:HALF])
    assert read(way_in) == LONG
    assert late == []
    assert parts in ([], [1])  # what came of it by then, unless that was looked for at once
    read_fast(ends, way_in)


@pytest.mark.parametrize(
    ("length", "code"),
    [
        (limits.TAG_BYTES, Code.FRAME_EMPTY),
        (limits.DATA_RECORD_BYTES + limits.TAG_BYTES + 1, Code.RECORD_TOO_LARGE),
    ],
)
def test_a_length_that_no_record_has_is_refused_before_its_bytes(
    ends: Ends, length: int, code: Code
) -> None:
    ends[1].sendall(length.to_bytes(limits.LENGTH_BYTES, "big"))
    with pytest.raises(RemoteProtocolError) as caught:
        inlet(ends).record()
    assert caught.value.code is code


def test_silence_is_told_until_it_is_over(ends: Ends) -> None:
    ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 1000))
    heard: list[int] = []
    parts: list[int] = []
    way_in = Inlet(
        ends[0],
        b"",
        (),
        is_over=lambda: len(heard) == 3,
        on_part=lambda: parts.append(len(heard)),
        on_silence=lambda: heard.append(1),
    )
    content = record(bytes(10_000))
    ends[1].sendall(content[:9000])
    assert way_in.record() is None
    assert len(heard) == 3
    assert parts == [0]  # what came of it by then
