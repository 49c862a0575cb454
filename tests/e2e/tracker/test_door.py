"""The door of a real tracker: its key, its places, its patience."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.harness.guest import Closed, Guest, asking, come, refusal, register
from tests.harness.people import person
from tests.harness.trackers import WIDE, TrackerProcess
from wire import frames
from wire.codes import Code
from wire.ids import AccountName
from wire.messages import Purpose
from wire.messages.accounts import (
    Enter,
    Entered,
)
from wire.messages.friends import (
    AskUser,
)
from wire.messages.presence import SetPresence, Show

pytestmark = pytest.mark.measured

# --- the door


async def test_the_clear_service_tells_the_key_and_closes(tracker: TrackerProcess) -> None:
    reader, writer = await asyncio.open_connection(*tracker.place)
    writer.write(frames.preamble(Purpose.KEY))
    async with asyncio.timeout(60):
        key = await reader.read()
    writer.close()
    await writer.wait_closed()
    async with await Guest.dial(tracker.address, person("x1"), is_anonymous=True) as guest:
        assert key == guest.tracker_key


async def test_a_full_tracker_turns_further_devices_away_but_not_returning_ones(
    tmp_path: Path,
) -> None:
    alice, bob = person("alice"), person("bob")
    with TrackerProcess(tmp_path / "home", *WIDE, "--max-peers", "1") as tracker:
        await register(tracker.address, alice)
        await register(tracker.address, bob)
        async with await come(tracker.address, alice):
            with pytest.raises(Closed) as caught:
                await Guest.dial(tracker.address, bob)
            assert caught.value.code is Code.TOO_MANY_CONNECTIONS
            async with await come(tracker.address, alice):
                pass


async def test_one_address_has_so_many_places_at_the_door(tmp_path: Path) -> None:
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "sockets_per_address=2") as tracker:
        await register(tracker.address, alice)
        async with (
            await Guest.dial(tracker.address, alice, is_anonymous=True),
            await Guest.dial(tracker.address, alice, is_anonymous=True),
        ):
            with pytest.raises(Closed) as caught:
                await Guest.dial(tracker.address, alice, is_anonymous=True)
            assert caught.value.code is Code.TOO_MANY_CONNECTIONS
        async with await come(tracker.address, alice), await Guest.dial(tracker.address, alice):
            pass
        assert "too-many-connections" in tracker.log


async def test_names_cannot_be_listed_by_asking_on_and_on(tmp_path: Path) -> None:
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "lookups=3") as tracker:
        await register(tracker.address, alice)
        async with await come(tracker.address, alice) as guest:
            codes = [
                await refusal(guest.ask(asking(AskUser, AccountName(f"name{n}")))) for n in range(4)
            ]
    assert codes == [Code.NO_SUCH_USER] * 3 + [Code.FLOOD]


async def test_ipv6_and_ipv4_side_by_side(tmp_path: Path) -> None:
    if not socket.has_ipv6:
        pytest.skip("this interpreter was built without IPv6")
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--listen", "[::1]:0") as tracker:
        assert [place.rpartition(":")[0] for place in tracker.ready["listen"]] == [
            "127.0.0.1",
            "[::1]",
        ]
        key = tracker.address.partition("#")[2]
        await register(tracker.address, alice)
        async with await Guest.dial(f"hobnob://{tracker.ready['listen'][1]}/#{key}", alice) as six:
            assert (await six.enter()).entered.observed_host == "::1"


async def test_a_request_out_of_its_state_ends_the_link(
    tracker: TrackerProcess, people: Any
) -> None:
    (alice,) = await people(1)
    async with await Guest.dial(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(lambda request: SetPresence(request, Show.BUSY))
        assert caught.value.code is Code.NOT_NOW
    async with await come(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(lambda request: Enter(request, False, Show.BUSY))
        assert caught.value.code is Code.NOT_NOW
        assert "Enter" in caught.value.text


async def test_a_device_that_does_not_enter_is_not_kept(tmp_path: Path) -> None:
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "open_timeout_s=4") as tracker:
        await register(tracker.address, alice)
        async with await Guest.dial(tracker.address, alice) as guest:
            with pytest.raises(Closed) as caught:
                await guest.until(lambda: False)
            assert caught.value.code is Code.HANDSHAKE_TIMEOUT
        async with await come(tracker.address, alice) as guest:
            entered = await guest.ask(lambda request: AskUser(request, alice.name))
            assert not isinstance(entered, Entered)


async def test_somebody_anonymous_has_so_long_to_make_up_their_mind(tmp_path: Path) -> None:
    options = ("--limit", "anonymous_timeout_s=0.5")
    with TrackerProcess(tmp_path / "home", *options) as tracker:
        with pytest.raises(Closed) as caught:
            async with await Guest.dial(tracker.address, person("x1"), is_anonymous=True) as guest:
                await guest.until(lambda: False)
        assert caught.value.code is Code.HANDSHAKE_TIMEOUT
