"""What a tracker's word that somebody waits leads to: a way to the meeting, and a dial the other way round."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, cast

import pytest

from peer.reach.meeting import Meeting
from tests.peer.reach.test_punching import BOB, TICKET, Loopback
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.messages import Message, Purpose
from wire.messages.reach import PunchGo, PunchOffered, RelayOffered


class Around:
    """A meeting, who is dialled for it, and how often it sets out."""

    def __init__(self) -> None:
        self.dialled: list[IdentityKey] = []
        self.set_out = 0
        anything = cast("Any", self)
        self.keys = self.tracker = None
        self.meeting = Meeting(
            anything,
            ask_relay=anything,
            ask_punch=anything,
            surroundings=Loopback(is_loopback=True),
            find=lambda name, device: BOB if (name, device) == ("bob", BOB.device) else None,
            hello=anything,
            on_event=anything,
            add=anything,
            spawn=self._spawn,
            hides=lambda _: False,
            want=self.dialled.append,
            entropy=anything,
        )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        work.close()
        self.set_out += 1


def offered(kind: type[PunchOffered | RelayOffered], device: DeviceId, purpose: Purpose) -> Message:
    if kind is RelayOffered:
        return RelayOffered(AccountName("bob"), device, int(purpose), TICKET)
    return PunchOffered(AccountName("bob"), device, int(purpose), TICKET, 0)


@pytest.mark.parametrize("kind", [PunchOffered, RelayOffered])
def test_who_asks_to_be_met_is_dialled_at_once_too(
    kind: type[PunchOffered | RelayOffered],
) -> None:
    around = Around()
    around.meeting.heard(offered(kind, BOB.device, Purpose.PEER))
    assert (around.dialled, around.set_out) == ([BOB.identity], 1)
    # for files both know where the other is: talk goes already
    around.meeting.heard(offered(kind, BOB.device, Purpose.DATA))
    assert (around.dialled, around.set_out) == ([BOB.identity], 2)


def test_nobody_is_dialled_for_somebody_unknown_or_for_a_word_to_go() -> None:
    around = Around()
    around.meeting.heard(offered(PunchOffered, DeviceId(bytes(16)), Purpose.PEER))
    around.meeting.heard(PunchGo(TICKET, "127.0.0.1", 9))
    assert (around.dialled, around.set_out) == ([], 0)
