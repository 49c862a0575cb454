"""What a node's log says of what others were refused: one line each, and no more than a disk can bear."""

from __future__ import annotations

import logging

import pytest

from peer.refusals import Refusals
from wire import limits
from wire.codes import Code
from wire.link import Ending, LinkClosed

WHO = "192.0.2.9:5000"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def refusals(clock: Clock, caplog: pytest.LogCaptureFixture) -> Refusals:
    caplog.set_level(logging.WARNING, "peer")
    return Refusals(clock)


def test_each_thing_that_was_refused_has_a_line(
    refusals: Refusals, caplog: pytest.LogCaptureFixture
) -> None:
    refusals.refused(WHO, Code.NOT_OUR_PROTOCOL, "this looks like HTTP")
    refusals.denied("0a1b2c3d", "event", Code.SIGNATURE_INVALID)
    refusals.closed(WHO, LinkClosed(Code.FLOOD, "", Ending.US))
    refusals.closed(WHO, LinkClosed(Code.FLOOD, "", Ending.THEM))
    refusals.closed(WHO, LinkClosed(Code.GOODBYE, "", Ending.US))
    assert [record.message for record in caplog.records] == [
        f"refused {WHO}: not-our-protocol (this looks like HTTP)",
        "denied 0a1b2c3d: event: signature-invalid",
        f"refused {WHO}: flood",
    ]


def test_a_flood_has_so_many_lines_a_second_and_so_many_an_hour(
    refusals: Refusals, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(limits.REFUSED_LINES_PER_S + 7):
        refusals.denied("0a1b2c3d", "event", Code.SIGNATURE_INVALID)
    assert len(caplog.records) == limits.REFUSED_LINES_PER_S
    refusals.refused(WHO, Code.FLOOD)  # who knocks has lines of their own
    caplog.clear()
    for _ in range(limits.REFUSED_LINES_PER_HOUR):
        clock.now += 1
        refusals.denied("0a1b2c3d", "event", Code.SIGNATURE_INVALID)
    assert caplog.records[0].message == "7 more things were denied"
    assert len(caplog.records) == 1 + limits.REFUSED_LINES_PER_HOUR - limits.REFUSED_LINES_PER_S
    caplog.clear()
    clock.now += 3600
    refusals.denied("0a1b2c3d", "event", Code.SIGNATURE_INVALID)
    assert [record.message for record in caplog.records] == [
        f"{limits.REFUSED_LINES_PER_S} more things were denied",
        "denied 0a1b2c3d: event: signature-invalid",
    ]
