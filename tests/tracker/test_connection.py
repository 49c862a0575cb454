"""What a connection does with a transport that is slow, full or gone; the transport is a plain fake."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness.entropy import SeededEntropy
from tests.tracker.world import World
from tracker import dispatch
from tracker.config import Config, Limits
from tracker.connection import LINGER_S
from tracker.hub import Hub
from tracker.refusals import Refusals
from tracker.session import Session
from tracker.storage.writer import Writer
from wire import frames, limits
from wire.channel.primitives import x25519_public
from wire.codes import Code
from wire.ids import LinkKey
from wire.machine import Monotonic
from wire.messages import Purpose


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pipe:
    """A transport that keeps what is written; a test says how much of it still waits."""

    def __init__(self, host: str = "192.0.2.9") -> None:
        self.peer = (host, 5000)
        self.written = b""
        self.waiting_bytes = 0
        self.high: int | None = None
        self.is_paused = False
        self.ending = ""

    def get_extra_info(self, name: str) -> Any:
        return self.peer if name == "peername" else None

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def write(self, data: bytes) -> None:
        assert not self.ending
        self.written += data

    def get_write_buffer_size(self) -> int:
        return self.waiting_bytes

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return bool(self.ending)

    def close(self) -> None:
        self.ending = self.ending or "closed"

    def abort(self) -> None:
        self.ending = "aborted"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hub(tmp_path: Path, clock: Any, request: pytest.FixtureRequest) -> Iterator[Hub]:
    world = World()
    later: list[Callable[[], object]] = []
    writer = Writer(world.connection, lambda callbacks: [callback() for callback in callbacks])
    writer.start()
    yield Hub(
        Config(home=tmp_path, limits=Limits(send_queue_bytes=1000, sockets_per_address=2)),
        writer,
        link_private=b"k" * 32,
        link_key=LinkKey(x25519_public(b"k" * 32)),
        entropy=SeededEntropy(1),
        monotonic=clock,
        soon=later.append,
        later=lambda _, call: later.append(call),
        spawn=lambda work: work.close(),
        most_sockets=getattr(request, "param", 100),
    )
    writer.stop()


def connect(hub: Hub, host: str = "192.0.2.9") -> tuple[Session, Pipe]:
    session, pipe = Session(hub, dispatch.handle), Pipe(host)
    session.connection_made(pipe)  # type: ignore[arg-type]
    return session, pipe


def sweep(hub: Hub, clock: Clock, seconds: float) -> None:
    """Let time pass and call whoever is due, as the tracker's sweep does."""
    clock.now += seconds
    for session in hub.wheel.due(hub.now()):
        session.on_deadline(hub.now())


def test_a_reader_that_stalls_is_not_read_from_and_then_dropped(
    hub: Hub, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    session, pipe = connect(hub)
    assert pipe.high == 1000
    session.data_received(frames.preamble(Purpose.TRACKER))
    session.pause_writing()
    assert pipe.is_paused
    sweep(hub, clock, limits.OPEN_TIMEOUT_S / 2)
    session.resume_writing()
    assert [pipe.is_paused] == [False]
    hub.config = Config(home=hub.config.home, limits=Limits(send_stall_s=3.0))
    session.pause_writing()
    sweep(hub, clock, 3.5)
    assert pipe.ending == "aborted"
    assert "too-slow" in caplog.text


def test_twice_the_queue_is_too_much_at_once(hub: Hub, caplog: pytest.LogCaptureFixture) -> None:
    session, pipe = connect(hub)
    pipe.waiting_bytes = 2001
    session.data_received(frames.preamble(Purpose.KEY))
    assert pipe.ending == "aborted"
    assert "too-slow" in caplog.text
    assert hub.lobby.count == 0


def test_an_end_that_lingers_is_cut(hub: Hub, clock: Clock) -> None:
    session, pipe = connect(hub)
    session.data_received(frames.preamble(Purpose.KEY))
    assert (pipe.written, pipe.ending) == (hub.link_key, "closed")
    assert session.is_closed
    sweep(hub, clock, LINGER_S / 2)
    assert pipe.ending == "closed"
    sweep(hub, clock, LINGER_S)
    assert pipe.ending == "aborted"
    session.connection_lost(None)
    session.abort()
    sweep(hub, clock, 100)
    assert (len(hub.wheel), len(hub.sessions)) == (0, 0)


def test_silence_ends_after_the_time_to_open_however_slowly_bytes_drip(
    hub: Hub, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    session, pipe = connect(hub)
    for byte in frames.preamble(Purpose.TRACKER)[:7]:
        session.data_received(bytes((byte,)))
        sweep(hub, clock, limits.OPEN_TIMEOUT_S / 8)
    assert [pipe.ending] == [""]
    sweep(hub, clock, limits.OPEN_TIMEOUT_S / 8 + 0.3)
    assert [pipe.ending] == ["closed"]
    assert "handshake-timeout" in caplog.text


def test_a_door_that_is_full_says_so_in_clear(hub: Hub) -> None:
    connect(hub)
    connect(hub)
    third, pipe = connect(hub)
    assert pipe.written == frames.clear_refusal(
        next(c for c in frames.REFUSALS.values() if c.value == "too-many-connections")
    )
    assert pipe.ending == "closed"
    third.data_received(b"whatever")
    third.connection_lost(None)
    _, other = connect(hub, "192.0.2.10")
    assert not other.ending
    assert hub.lobby.count == 3


def test_whoever_is_gone_is_forgotten_whatever_comes_later(hub: Hub, clock: Clock) -> None:
    session, _ = connect(hub)
    session.connection_lost(None)
    session.pause_writing()
    session.resume_writing()
    session.on_deadline(Monotonic(clock.now))
    session.push(b"record", None)
    session.release()
    session.close(next(iter(frames.REFUSALS.values())))
    assert session.eof_received() is False
    assert (hub.lobby.count, len(hub.wheel), hub.sessions) == (0, 0, set())


def test_a_bug_of_ours_ends_one_session_and_is_logged(
    hub: Hub, caplog: pytest.LogCaptureFixture
) -> None:
    class Stumbling(Session):
        def _route(self, data: bytes) -> None:
            raise ZeroDivisionError(data)

    session, pipe = Stumbling(hub, dispatch.handle), Pipe()
    session.connection_made(pipe)  # type: ignore[arg-type]
    session.data_received(b"HBNB")
    assert pipe.ending == "aborted"
    assert "a session failed" in caplog.text


def test_a_flood_of_refusals_does_not_flood_the_log(
    hub: Hub, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for number in range(limits.REFUSED_LINES_PER_S + 30):
            session, _ = connect(hub, f"198.51.100.{number}")
            session.data_received(b"GET / HTTP/1.1\r\n\r\n")
            session.connection_lost(None)
        assert len(caplog.records) == limits.REFUSED_LINES_PER_S
        clock.now += 1
        session, _ = connect(hub)
        session.data_received(b"GET / HTTP/1.1\r\n\r\n")
    assert [record.message for record in caplog.records[-2:]] == [
        "30 more connections were refused",
        "refused 192.0.2.9:5000: not-our-protocol (this looks like HTTP)",
    ]


def test_a_flood_that_lasts_does_not_fill_the_disk_with_lines(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    refusals = Refusals(lambda: Monotonic(clock.now))
    with caplog.at_level(logging.WARNING):
        for _ in range(limits.REFUSED_LINES_PER_HOUR + 500):
            refusals.denied("192.0.2.9:5000", "AskUser", Code.FLOOD)
            clock.now += 0.5
        assert len(caplog.records) == limits.REFUSED_LINES_PER_HOUR
        refusals.refused("192.0.2.9:5001", Code.NOT_OUR_PROTOCOL)  # has lines of its own
        clock.now += 3600
        refusals.denied("192.0.2.9:5000", "AskUser", Code.FLOOD)
    assert [record.message for record in caplog.records[-3:]] == [
        "refused 192.0.2.9:5001: not-our-protocol",
        "500 more requests were denied",
        "denied 192.0.2.9:5000: AskUser: flood",
    ]


@pytest.mark.parametrize("hub", [1], indirect=True, ids=["one socket"])
def test_beyond_the_systems_limit_sockets_are_turned_away(hub: Hub) -> None:
    first, _ = connect(hub)
    _, pipe = connect(hub, "192.0.2.10")
    assert pipe.ending == "closed"
    assert hub.lobby.count == 1
    first.connection_lost(None)
    assert hub.lobby.count == 0


def test_sessions_are_slotted(hub: Hub) -> None:
    session, _ = connect(hub)
    assert not hasattr(session, "__dict__")
