"""Where a link's bytes leave: whole and in order, as slow as was asked, with and without the kernel's help."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from peer.transfers.outlet import Outlet
from peer.transfers.pace import CREDIT_S, SLICE_BYTES, Pace
from wire.limits import MIB

WAIT_S = 30.0


def never() -> bool:
    return False


class Ends(NamedTuple):
    ours: socket.socket
    theirs: socket.socket


@pytest.fixture
def ends() -> Iterator[Ends]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    theirs.settimeout(WAIT_S)
    with ours, theirs:
        yield Ends(ours, theirs)


def carried(ends: Ends, outlet: Outlet, data: bytes) -> tuple[bytes, float]:
    """Send it as a chunk and read it at the other end; gives what came, and after how long."""
    sending = threading.Thread(target=outlet.send_chunk, args=(memoryview(data), never))
    began = time.monotonic()
    sending.start()
    came = bytearray()
    while len(came) < len(data):
        came += ends.theirs.recv(SLICE_BYTES)
    took_s = time.monotonic() - began
    sending.join(WAIT_S)
    return bytes(came), took_s


@pytest.mark.parametrize("is_portable", [False, True])
def test_without_a_rate_bytes_leave_at_once(ends: Ends, *, is_portable: bool) -> None:
    outlet = Outlet(ends.ours, [Pace(), Pace()], is_portable=is_portable)
    data = os.urandom(MIB)
    assert carried(ends, outlet, data)[0] == data
    assert outlet.arrived_bytes >= MIB


@pytest.mark.parametrize("is_portable", [False, True])
def test_a_pace_of_its_own_holds_a_link_back_and_is_lifted(
    ends: Ends, *, is_portable: bool
) -> None:
    outlet = Outlet(ends.ours, [], is_portable=is_portable)
    outlet.set_pace(2 * MIB)
    data = os.urandom(2 * MIB)
    came, took_s = carried(ends, outlet, data)
    assert came == data
    assert took_s > 0.5  # the kernel's own start is quicker than a second
    outlet.set_pace(None)
    assert carried(ends, outlet, data)[0] == data


@pytest.mark.skipif(sys.platform != "linux", reason="only there the kernel is asked to")
def test_the_kernel_takes_less_ahead_of_a_link_with_a_pace_and_never_all_it_could(
    ends: Ends,
) -> None:
    def ahead() -> int:
        return ends.ours.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT)

    outlet = Outlet(ends.ours, [])
    assert 0 < ahead() <= MIB
    unpaced = ahead()
    outlet.set_pace(2 * MIB)
    assert 0 < ahead() < unpaced
    outlet.set_pace(None)
    assert ahead() == unpaced


def test_every_rate_is_met_and_the_lowest_shows(ends: Ends) -> None:
    high, low = Pace(), Pace()
    high.set(10**9)
    low.set(MIB)
    data = os.urandom(MIB // 2)
    came, took_s = carried(ends, Outlet(ends.ours, [high, low]), data)
    assert came == data
    assert took_s >= 0.5 - CREDIT_S - SLICE_BYTES / MIB


def test_who_waits_for_its_turn_leaves_when_the_link_is_over(ends: Ends) -> None:
    pace = Pace()
    pace.set(1)
    over = threading.Event()
    outlet = Outlet(ends.ours, [pace])
    sending = threading.Thread(target=outlet.send_chunk, args=(memoryview(bytes(MIB)), over.is_set))
    sending.start()
    over.set()
    sending.join(WAIT_S)
    assert not sending.is_alive()


def test_a_socket_that_is_gone_is_nobodys_fault(ends: Ends) -> None:
    outlet = Outlet(ends.ours, [])
    outlet.send(memoryview(b"12345"))
    ends.ours.close()
    outlet.set_pace(1000)
    assert outlet.arrived_bytes == 5
