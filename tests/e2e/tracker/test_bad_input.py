"""What hostile or broken input gets at a tracker's port; the rows are those of the list of bad inputs."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MakeFolder
from tests.harness.guest import PATIENCE_S, Closed, Guest, come, register
from tests.harness.people import person
from tests.harness.trackers import WIDE, TrackerProcess
from wire import frames, limits
from wire.codec import encode
from wire.codes import Code
from wire.messages import Purpose
from wire.messages.accounts import AskState, Enter, PutState
from wire.messages.friends import AskUser
from wire.messages.presence import Show
from wire.messages.session import Ping

PREAMBLE = frames.preamble(Purpose.TRACKER)


@pytest.fixture(scope="module")
def impatient(module_folder: MakeFolder) -> Iterator[TrackerProcess]:
    home = module_folder("impatient") / "home"
    with TrackerProcess(home, "--limit", "open_timeout_s=0.4") as running:
        yield running


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[TrackerProcess]:
    """A tracker of its own: the log of the shared one counts what goes beyond 20 refusals a second."""
    with TrackerProcess(tmp_path / "home", *WIDE) as running:
        yield running


pytestmark = [pytest.mark.usefixtures("weathers"), pytest.mark.measured]


def send(tracker: TrackerProcess, *pieces: bytes) -> bytes:
    """Send bytes and read to the end; what a reset swallows is nothing."""
    with closing(socket.create_connection(tracker.place, PATIENCE_S)) as link:
        try:
            for piece in pieces:
                link.sendall(piece)
        except OSError:
            return b""
        return read_to_end(link)


def read_to_end(link: socket.socket) -> bytes:
    got = b""
    try:
        while data := link.recv(65536):
            got += data
    except ConnectionError:
        return got
    return got


def logged(tracker: TrackerProcess, *words: str) -> bool:
    """Say whether one line of the log has all of these words."""
    return any(all(word in line for word in words) for line in tracker.log.splitlines())


@pytest.mark.parametrize(
    "beginning",
    [b"", PREAMBLE[:3], PREAMBLE, PREAMBLE + struct.pack(">I", 1500) + b"half a frame"],
)
def test_1_and_2_silence_is_closed_after_the_time_to_open(impatient: Any, beginning: Any) -> None:
    before = impatient.log.count("handshake-timeout")
    assert send(impatient, beginning) == b""
    assert impatient.log.count("handshake-timeout") == before + 1


@pytest.mark.parametrize(
    ("length", "code"),
    [
        (0, "frame-empty"),
        (16, "frame-empty"),
        (65_535, "frame-too-large-before-auth"),
        (2**32 - 1, "frame-too-large-before-auth"),
    ],
)
def test_3_and_4_impossible_lengths_are_refused_by_their_header_alone(
    watched: Any, length: Any, code: Any
) -> None:
    send(watched, PREAMBLE + struct.pack(">I", length))
    assert logged(watched, "refused", code)


def test_5_megabytes_of_noise_are_not_read(watched: Any) -> None:
    send(watched, *[b"\xa5" * limits.MIB] * 4)
    assert logged(watched, "not-our-protocol")


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP"),
        (b"POST /login HTTP/1.1\r\n\r\n", "HTTP"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200, "TLS"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
    ],
)
def test_6_and_7_other_protocols_are_named_in_the_log(
    watched: Any, beginning: Any, name: Any
) -> None:
    assert send(watched, beginning) == b""
    assert logged(watched, "not-our-protocol", name)


@pytest.mark.parametrize("version", [0, 2, 255])
def test_8_another_version_is_told_which_one_is_spoken(
    tracker: TrackerProcess, version: Any
) -> None:
    answer = send(tracker, b"HBNB" + bytes((version, 1, 1, 0)))
    error = frames.read_clear_refusal(answer)
    assert error is not None
    assert error.code is Code.VERSION_UNSUPPORTED
    assert "1 to 1" in error.detail


@pytest.mark.parametrize(
    "rest",
    [
        (9, 1, 0),
        (1, 99, 0),
        (1, 1, 7),
        (1, Purpose.PEER, 0),
        (1, Purpose.DATA, 0),
    ],
)
def test_9_what_a_tracker_does_not_serve_is_refused_in_clear(
    tracker: TrackerProcess, rest: Any
) -> None:
    error = frames.read_clear_refusal(send(tracker, b"HBNB\x01" + bytes(rest)))
    assert error is not None
    assert error.code is Code.SUITE_UNKNOWN


def test_10_to_13_a_handshake_that_does_not_verify_is_refused(tracker: TrackerProcess) -> None:
    for message in (b"\0" * 1300, b"\xff" * 1232, b"x" * 17):
        answer = send(tracker, PREAMBLE + frames.frame(message))
        error = frames.read_clear_refusal(answer)
        assert error is not None
        assert error.code is Code.HANDSHAKE_FAILED


async def test_113_a_tracker_with_another_key_is_not_believed(tracker: TrackerProcess) -> None:
    wrong = tracker.address.partition("#")[0] + "#" + "ABCDEFGHIJ" * 4 + "ABA"
    with pytest.raises(Closed) as caught:
        await Guest.dial(wrong, person("someone"), is_anonymous=True)
    assert caught.value.code is Code.HANDSHAKE_FAILED


async def test_16_a_certificate_of_another_device_is_refused(tracker: TrackerProcess) -> None:
    alice, mallory = person("alice"), person("mallory")
    keys = mallory.keys
    mallory.keys = type(keys)(
        keys.device,
        keys.identity,
        keys.link_private,
        keys.signing_seed,
        alice.keys.certificate,
        alice.keys.device_list,
    )
    with pytest.raises(Closed) as caught:
        await Guest.dial(tracker.address, mallory)
    assert caught.value.code is Code.IDENTITY_MISMATCH


async def test_an_unknown_device_is_sent_to_log_in(tracker: TrackerProcess) -> None:
    with pytest.raises(Closed) as caught:
        await Guest.dial(tracker.address, person("stranger"))
    assert caught.value.code is Code.DEVICE_UNKNOWN


async def inside(tracker: TrackerProcess, name: str) -> Guest:
    """Somebody of that name who has entered."""
    someone = person(name)
    await register(tracker.address, someone)
    return await come(tracker.address, someone)


async def ends_with(guest: Guest, *raw: bytes) -> Closed:
    """Send bytes as they are and wait for the end."""
    for piece in raw:
        guest.writer.write(piece)
    with pytest.raises(Closed) as caught:
        await guest.until(lambda: False)
    return caught.value


async def test_18_and_19_a_record_that_does_not_verify_ends_the_link(
    tracker: TrackerProcess,
) -> None:
    async with await inside(tracker, "row19") as guest:
        closed = await ends_with(guest, frames.frame(b"\xa5" * 40))
    assert closed.code is Code.LINK_CORRUPT


async def test_23_a_record_beyond_the_limit_ends_the_link_by_its_header(
    tracker: TrackerProcess,
) -> None:
    async with await inside(tracker, "row23") as guest:
        too_long = limits.CONTROL_RECORD_BYTES + limits.TAG_BYTES + 1
        closed = await ends_with(guest, struct.pack(">I", too_long))
    assert closed.code is Code.RECORD_TOO_LARGE


@pytest.mark.parametrize(
    ("record", "code"),
    [
        (b"\xff\xee\x90", Code.UNKNOWN_CRITICAL),
        (b"\x80\x17" + b"\x91" * 10_000, Code.DECODE_DEPTH),
        (b"\x80\x17\x92\x01\x81\x01\x02", Code.DECODE_KEYS),
        (b"\x80\x40\x92\x01\xa2\xff\xfe", Code.TEXT_INVALID),
        (b"\x80\x40\x92\x01\xa2A!", Code.NAME_CHARACTERS),
        (b"\x80\x40\x92\xc3\xa2ab", Code.TYPE_MISMATCH),
        (b"\x80\x40\x92\xff\xa2ab", Code.NUMBER_RANGE),
        (b"\x80\x40\x91\x01", Code.FIELD_MISSING),
        (b"\x80\x40\x92\x01\xa2ab\x00", Code.TRAILING_BYTES),
        (b"\x80\x40\xc1", Code.DECODE),
    ],
)
async def test_22_to_33_what_does_not_decode_ends_the_link_with_a_precise_code(
    tracker: TrackerProcess, record: Any, code: Any, request: pytest.FixtureRequest
) -> None:
    name = f"row22.{request.node.callspec.indices['record']}"
    async with await inside(tracker, name) as guest:
        guest.link.send_record(record, now=0.0)  # type: ignore[arg-type]
        closed = await ends_with(guest)
    assert closed.code is code
    assert len(closed.text) <= limits.CLOSE_TEXT_CHARS


async def test_22_an_unknown_message_that_is_not_critical_is_dropped(
    tracker: TrackerProcess,
) -> None:
    async with await inside(tracker, "row22.clear") as guest:
        guest.link.send_record(b"\x7f\xee\x90", now=0.0)  # type: ignore[arg-type]
        await guest.ask(lambda request: AskUser(request, person("row22.clear").name))


async def test_34_a_link_that_breaks_in_the_middle_of_a_frame_leaves_nothing_behind(
    tracker: TrackerProcess,
) -> None:
    for is_reset in (False, True):
        async with await inside(tracker, f"row34.{'reset' if is_reset else 'fin'}") as guest:
            guest.writer.write(struct.pack(">I", 100) + b"half")
            if is_reset:
                guest.writer.transport.abort()


async def test_35_a_flood_of_pings_ends_the_link(tracker: TrackerProcess) -> None:
    async with await inside(tracker, "row35") as guest:
        for token in range(50):
            guest.link.send(Ping(token), now=0.0)  # type: ignore[arg-type]
        closed = await ends_with(guest)
    assert closed.code is Code.FLOOD


async def test_36_a_number_that_is_still_open_is_ignored_and_too_many_end_the_link(
    tracker: TrackerProcess,
) -> None:
    async with await inside(tracker, "row36") as guest:
        who = person("row36").name
        for _ in range(5):
            guest.link.send(AskUser(7, who), now=0.0)  # type: ignore[arg-type]
        await guest.ask(lambda request: AskUser(request, who))
        for number in range(limits.OPEN_REQUESTS + 40):
            guest.link.send(AskUser(1000 + number, who), now=0.0)  # type: ignore[arg-type]
        closed = await ends_with(guest)
    assert closed.code is Code.TOO_MANY_REQUESTS


async def test_37_silence_on_an_open_link_ends_it(tmp_path: Path) -> None:
    options = ("--limit", "dead_after_s=4", "--limit", "heartbeat_s=1.5")
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", *options) as watched:
        await register(watched.address, alice)
        async with await come(watched.address, alice) as guest:
            data = b"x"
            async with asyncio.timeout(60):
                while data:
                    data = await guest.reader.read(65536)
                    guest.link.receive_data(data, now=0.0)  # type: ignore[arg-type]
            assert "LINK_SILENT" in str(guest.link.events())
        assert logged(watched, "link-silent")


async def test_38_what_comes_behind_a_close_is_ignored(tracker: TrackerProcess) -> None:
    async with await inside(tracker, "row38") as guest:
        guest.link.close()
        data = guest.link.data_to_send()
        guest.writer.write(data + b"\xa5" * 1000)
        async with asyncio.timeout(60):
            assert await guest.reader.read() == b""


async def test_a_message_of_the_tracker_is_not_a_peers_to_say(tracker: TrackerProcess) -> None:
    async with await inside(tracker, "wrongway") as guest:
        record = encode(Purpose.TRACKER, Ping(1))[:2].replace(b"\x80\x05", b"\x80\x08")
        guest.link.send_record(record + b"\x92\x01\xa4done", now=0.0)  # type: ignore[arg-type]
        closed = await ends_with(guest)
    assert closed.code is Code.NOT_NOW


async def test_requests_behind_a_fault_are_not_carried_out(tracker: TrackerProcess) -> None:
    async with await inside(tracker, "behind") as guest:
        guest.link.send(Enter(1, False, Show.BUSY), now=0.0)  # type: ignore[arg-type]
        requests = [guest.post(lambda r: AskUser(r, person("behind").name)) for _ in range(3)]
        closed = await ends_with(guest)
        assert closed.code is Code.NOT_NOW
        assert not any(request in guest._answers for request in requests)


async def test_a_reader_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    options = (*WIDE, "--limit", "send_queue_bytes=20000")
    alice = person("alice")
    page = b"x" * limits.PAGE_BYTES
    with TrackerProcess(tmp_path / "home", *options) as tracker:
        await register(tracker.address, alice)
        async with await come(tracker.address, alice) as guest:
            await guest.ask(lambda request: PutState(request, 0, 0, 1, page))
            transport: Any = guest.writer.transport
            transport.pause_reading()
            for number in range(250):  # 8 MiB of answers: more than the kernel keeps for a reader
                guest.link.send(AskState(1000 + number, 0), now=0.0)  # type: ignore[arg-type]
            guest.writer.write(guest.link.data_to_send())
            async with asyncio.timeout(60):
                while "too-slow" not in tracker.log:
                    stranger = person("stranger")
                    async with await Guest.dial(tracker.address, stranger, is_anonymous=True):
                        pass
        async with await come(tracker.address, alice):
            pass
