"""The networks that other tests stand on: hosts see each other, lines are as slow as said, nothing is left behind."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.netns import MBIT, Host, Line, Namespace, Switch, needs_networks

pytestmark = needs_networks

WAIT_S = 90.0

_TAKE = """
import socket, sys, time
with socket.create_server((sys.argv[1], 9)) as listener:
    print("ready", flush=True)
    connection, _ = listener.accept()
    size = 0
    while data := connection.recv(65536):
        size += len(data)
    print(size, time.monotonic())
"""
_GIVE = """
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 9))
print(time.monotonic())
connection.sendall(bytes(int(sys.argv[2])))
"""


def rate_between(giver: Host, taker: Host, size_bytes: int) -> float:
    """Give the bits per second at which bytes went, from the first that was given to the last that was taken."""
    taking = subprocess.Popen(
        [*taker.words, sys.executable, "-S", "-c", _TAKE, taker.address],
        stdout=subprocess.PIPE,
        text=True,
    )
    with taking:
        assert taking.stdout is not None
        assert taking.stdout.readline() == "ready\n"
        began = giver.run(sys.executable, "-S", "-c", _GIVE, taker.address, str(size_bytes))
        size, ended = taking.stdout.read().split()
    assert int(size) == size_bytes
    return size_bytes * 8 / (float(ended) - float(began))


@pytest.mark.parametrize("slow_end", ["up", "down"])
def test_a_line_is_as_slow_as_said(slow_end: str) -> None:
    line = Line(4 * MBIT)  # so slow that what a busy machine adds is little
    with Switch() as switch:
        giver = switch.host(up=line if slow_end == "up" else None)
        taker = switch.host(down=line if slow_end == "down" else None)
        slow = rate_between(giver, taker, 1_000_000)
        assert slow < 4.2 * MBIT
        assert rate_between(taker, giver, 1_000_000) > 2 * slow  # the other way it is free


_CONNECT = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 9), 30)
except ConnectionRefusedError:
    print(time.monotonic() - began)
"""


def test_what_goes_over_a_slow_cable_takes_its_time_each_way() -> None:
    with Switch() as switch:
        near, far = switch.host(delay_s=0.05), switch.host()
        for one, other in ((near, far), (far, near)):
            took_s = float(one.run(sys.executable, "-S", "-c", _CONNECT, other.address))
            assert took_s >= 0.1
        assert rate_between(far, near, 500_000) > 0


def test_a_cable_is_cut_and_mended() -> None:
    with Switch() as switch:
        one, two = switch.host(), switch.host()
        assert rate_between(one, two, 1000) > 0
        switch.cut(two)
        with pytest.raises(subprocess.CalledProcessError):
            one.run(
                sys.executable,
                "-S",
                "-c",
                "import socket, sys\nsocket.create_connection((sys.argv[1], 9), 0.2)",
                two.address,
            )
        switch.mend(two)
        assert rate_between(one, two, 1000) > 0


def test_a_program_sees_its_own_network_only() -> None:
    with Switch() as switch:
        host = switch.host()
        devices = {line.split()[1] for line in host.run("ip", "-o", "link").splitlines()}
        assert {device.partition("@")[0].rstrip(":") for device in devices} == {"lo", "eth0"}


def test_a_setting_of_the_kernel_holds_inside() -> None:
    here = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    namespace = Namespace()
    namespace.set_kernel("net/ipv4/ip_forward", "1")
    assert namespace.run("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"
    namespace.close()
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == here


_BUILD = """
import subprocess, sys
from tests.harness.netns import Switch
switch = Switch().__enter__()
hosts = [switch.host(), switch.host()]
running = subprocess.Popen(
    [*hosts[0].words, "sh", "-c", "echo runs && exec cat"], stdin=sys.stdin, stdout=subprocess.PIPE
)
running.stdout.readline()  # from here on it dies with us; before, it may not have said yet that it wants to
print(running.pid, *(each.pid for each in hosts), flush=True)
running.wait()
"""


def test_nothing_is_left_of_a_network_whose_test_was_killed() -> None:
    keeps_open, never_ends = os.pipe()
    building = subprocess.Popen(
        [sys.executable, "-c", _BUILD], stdin=keeps_open, stdout=subprocess.PIPE, text=True
    )
    with building:
        assert building.stdout is not None
        pids = [int(word) for word in building.stdout.readline().split()]
        watched = [os.pidfd_open(pid) for pid in pids]
        building.kill()
    for descriptor in watched:
        with os.fdopen(descriptor):
            assert _ends(descriptor)
    os.close(keeps_open)
    os.close(never_ends)


def _ends(descriptor: int) -> bool:
    """Wait until a process has ended."""
    return bool(select.select([descriptor], [], [], WAIT_S)[0])
