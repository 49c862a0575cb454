"""Whom a transfer asks, as people see it: who brought what, who did wrong, and a rate that goes on when somebody joins."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from peer.transfers.askers import Asker, now
from peer.transfers.asking import Asking, Source
from peer.transfers.figures import Figures
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId

ALICE, BOB, CAROL = (DeviceId(bytes([number]) * 16) for number in (1, 2, 3))


def asker(device: DeviceId, path: str = "direct") -> Asker:
    return Asker(device, lambda *_: None, lambda: 0, now, path)


def test_sources_are_told_with_what_they_brought_the_offering_device_first() -> None:
    asking = Asking(ALICE, "film")
    paths = [asking.path]
    asking.add(asker(BOB, "relayed"))
    paths.append(asking.path)
    assert paths == [None, "relayed"]
    asking.add(asker(ALICE))
    asking.brought(BOB, 5)
    asking.brought(ALICE, 7)
    asking.brought(CAROL, 9)  # it was dropped meanwhile
    assert asking.sources == (Source(ALICE, "direct", 7), Source(BOB, "relayed", 5))
    assert (asking.path, len(asking), BOB in asking) == ("direct", 2, True)


def test_who_left_is_told_if_it_brought_something_and_goes_on_counting_when_it_is_back() -> None:
    asking = Asking(ALICE, "film")
    for device in (ALICE, BOB):
        asking.add(asker(device))
    asking.brought(BOB, 5)
    before = asking.empty_since
    asking.clear()
    asking.drop(BOB)
    assert asking.sources == (Source(BOB, None, 5),)
    assert not asking
    assert asking.empty_since > before
    asking.add(asker(BOB))
    asking.brought(BOB, 2)
    assert asking.sources == (Source(BOB, "direct", 7),)


def test_who_lies_or_stalls_is_named_once_and_told_apart(caplog: pytest.LogCaptureFixture) -> None:
    asking = Asking(ALICE, "film")
    for device in (ALICE, BOB, CAROL):
        asking.add(asker(device))
    asking.brought(BOB, 5)
    with caplog.at_level(logging.WARNING, "peer"):
        asking.found_out(BOB, RemoteProtocolError(Code.VERIFICATION_FAILED, "another chunk"))
        asking.stalled(CAROL)
        asking.stalled(ALICE)  # it offers, and will be asked again
    assert asking.sources == (
        Source(ALICE, "direct", 0),
        Source(BOB, None, 5, Code.VERIFICATION_FAILED),
        Source(CAROL, None, 0, Code.LINK_SILENT),
    )
    assert [asker.device for asker in asking] == [ALICE]
    said = [record.getMessage() for record in caplog.records]
    assert [line.split()[0] for line in said] == ["02020202", "03030303", "01010101"]


class Coming:
    """A transfer that comes, as far as its figures go."""

    files_done = resent_bytes = resumed_at = verified_bytes = begun = 0
    is_counting = False

    def __init__(self) -> None:
        self.asking = Asking(ALICE, "film")


def test_a_source_that_joins_is_told_and_does_not_begin_the_rate_anew() -> None:
    coming = Coming()
    rows: Any = {7: coming}
    figures = Figures(None, rows, lambda _: None)  # type: ignore[arg-type]
    coming.is_counting, coming.begun, coming.resumed_at = True, 1, 3
    coming.asking.add(asker(ALICE))
    figures.note_coming(7, rows[7])
    row = figures._rows[7]
    for second in range(4):
        coming.verified_bytes = 10 * second
        figures.note_coming(7, rows[7])
        row.rate.note(second, row.verified_bytes)
    coming.asking.add(asker(BOB))
    figures.note_coming(7, rows[7])
    live = figures.live()[7]
    assert (live.rate, live.path, live.resumed_at) == (10.0, "direct", 3)
    assert [source.device for source in live.sources] == [ALICE, BOB]
    coming.begun, coming.resumed_at = 2, 30  # nobody had been asked for a while
    figures.note_coming(7, rows[7])
    live = figures.live()[7]
    assert (live.rate, live.resumed_at) == (None, 30)
