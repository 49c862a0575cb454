from __future__ import annotations

from tests.harness.entropy import SeededEntropy
from tracker.punching import Punches
from wire import limits
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.reach import PunchGo

START = Monotonic(1000.0)
ALICE, BOB = ("192.0.2.1", 4000), ("198.51.100.2", 5000)


class Heard(list[Message]):
    def tell(self, message: Message) -> None:
        self.append(message)


def opened(punches: Punches[Heard]) -> tuple[Heard, Heard, bytes, bytes]:
    alice, bob = Heard(), Heard()
    tickets = punches.open((alice, bob), START)
    assert tickets is not None
    hers, his = tickets
    return alice, bob, hers, his


def test_both_hear_where_the_other_was_seen_once_both_are_known() -> None:
    punches: Punches[Heard] = Punches(SeededEntropy(1))
    alice, bob, hers, his = opened(punches)
    assert punches.probed(hers, ALICE, START, is_second=True)
    assert punches.probed(hers, ALICE, START, is_second=False)
    assert (alice, bob) == ([], [])
    assert punches.probed(his, BOB, START, is_second=False)
    assert alice == [PunchGo(hers, *BOB)]
    assert bob == [PunchGo(his, *ALICE)]


def test_a_router_that_gives_each_connection_another_port_is_told_of_and_nobody_tries() -> None:
    punches: Punches[Heard] = Punches(SeededEntropy(1))
    alice, bob, hers, his = opened(punches)
    punches.probed(hers, (ALICE[0], 4001), START, is_second=True)
    punches.probed(hers, ALICE, START, is_second=False)
    punches.probed(his, BOB, START, is_second=False)
    assert alice == [PunchGo(hers, "", 0)]
    assert bob == [PunchGo(his, "", 0)]


def test_a_ticket_is_worth_nothing_made_up_used_or_late() -> None:
    punches: Punches[Heard] = Punches(SeededEntropy(1))
    _, bob, hers, his = opened(punches)
    late = Monotonic(START + limits.TICKET_S)
    assert not punches.probed(bytes(16), ALICE, START, is_second=False)
    assert not punches.probed(hers, ALICE, late, is_second=False)
    assert punches.probed(hers, ALICE, START, is_second=False)
    assert not punches.probed(hers, BOB, START, is_second=False)
    assert punches.probed(his, BOB, START, is_second=False)
    assert not punches.probed(his, BOB, START, is_second=True)
    assert len(bob) == 1


def test_introductions_are_bounded_and_those_that_nobody_finished_make_room() -> None:
    punches: Punches[Heard] = Punches(SeededEntropy(1))
    for _ in range(limits.PUNCHES):
        opened(punches)
    assert punches.open((Heard(), Heard()), START) is None
    assert punches.open((Heard(), Heard()), Monotonic(START + limits.TICKET_S)) is not None


def test_one_that_asks_for_itself_hears_its_own_place() -> None:
    punches: Punches[Heard] = Punches(SeededEntropy(1))
    alice = Heard()
    (ticket,) = punches.open((alice,), START) or ()
    punches.probed(ticket, ALICE, START, is_second=True)
    punches.probed(ticket, ALICE, START, is_second=False)
    assert alice == [PunchGo(ticket, *ALICE)]
