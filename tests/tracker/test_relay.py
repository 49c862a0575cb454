from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.harness.entropy import SeededEntropy
from tracker.config import Limits
from tracker.errors import TrackerError
from tracker.relay import DAY_MS, Books, Joint
from tracker.splice import BURST_S, Pace
from tracker.storage.port import AccountId
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId
from wire.machine import Monotonic, UnixMillis

ALICE, BOB, CAROL = AccountId(1), AccountId(2), AccountId(3)
START = Monotonic(1000.0)
TODAY = UnixMillis(20_000 * DAY_MS + 1000)


def books(*, is_on: bool = True, **chosen: int) -> Books:
    return Books(replace(Limits(), **chosen), SeededEntropy(7), is_on=is_on)


def opened(
    relay: Books,
    one: AccountId = ALICE,
    other: AccountId = BOB,
    now: Monotonic = START,
    wall: UnixMillis = TODAY,
) -> Joint:
    devices = DeviceId(bytes([one]) * 16), DeviceId(bytes([other]) * 16)
    return relay.open((one, other), devices, now, wall)


def refusal(*arguments: object, **named: int) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        opened(*arguments, **named)  # type: ignore[arg-type]
    return caught.value


def test_each_side_has_a_ticket_of_its_own_that_counts_once() -> None:
    relay = books()
    joint = opened(relay)
    one, other = joint.tickets
    assert one != other
    assert relay.join(other, START) == (joint, 1)
    assert relay.join(one, START) == (joint, 0)
    for ticket in joint.tickets:
        with pytest.raises(TrackerError) as caught:
            relay.join(ticket, START)
        assert caught.value.code is Code.HANDSHAKE_FAILED


def test_a_ticket_is_worth_nothing_after_its_time() -> None:
    relay = books()
    joint = opened(relay)
    late = Monotonic(START + limits.TICKET_S)
    with pytest.raises(TrackerError):
        relay.join(joint.tickets[0], late)
    assert relay.expire(late) == [joint]
    assert relay.open_count == 0


def test_a_joint_whose_halves_both_came_does_not_expire() -> None:
    relay = books()
    joint = opened(relay)
    for ticket in joint.tickets:
        relay.join(ticket, START)
    assert relay.expire(Monotonic(START + 1e6)) == []
    relay.close(joint)
    relay.close(joint)
    assert relay.open_count == 0


def test_a_relay_that_is_off_says_so() -> None:
    assert refusal(books(is_on=False)).code is Code.RELAY_OFF


def test_counts_are_bounded_in_all_and_for_each_account() -> None:
    relay = books(relays=3, relays_per_account=2)
    first = opened(relay, ALICE, BOB)
    opened(relay, ALICE, CAROL)
    refused = refusal(relay, ALICE, BOB)
    assert (refused.code, "for one account" in refused.detail) == (Code.RELAY_LIMIT, True)
    opened(relay, BOB, CAROL)
    refused = refusal(relay, CAROL, CAROL)
    assert "at once" in refused.detail
    relay.close(first)
    opened(relay, BOB, ALICE)


def test_tickets_that_nobody_used_give_their_place_back() -> None:
    relay = books(relays=1)
    opened(relay)
    opened(relay, now=Monotonic(START + limits.TICKET_S))


def test_two_accounts_share_a_days_bytes_whoever_asks() -> None:
    relay = books(relay_pair_bytes=1000)
    joint = opened(relay, ALICE, BOB)
    assert relay.carry(joint, 999, TODAY)
    assert not relay.carry(joint, 1, TODAY)
    refused = refusal(relay, BOB, ALICE)
    assert refused.code is Code.RELAY_LIMIT
    assert refused.retry_after_s == (DAY_MS - 1000) // 1000 + 1
    opened(relay, ALICE, CAROL)
    tomorrow = UnixMillis(TODAY + DAY_MS)
    again = opened(relay, BOB, ALICE, wall=tomorrow)
    assert relay.carry(again, 999, tomorrow)
    assert relay.relayed_bytes == 1999


def test_a_pace_lets_a_burst_pass_and_keeps_its_rate() -> None:
    pace = Pace(1000)
    assert pace.spend(int(1000 * BURST_S), 50.0) == 0
    assert pace.spend(1000, 50.0) == pytest.approx(1.0)
    assert pace.spend(1, 60.0) == 0
