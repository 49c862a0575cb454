"""Networks of our own for the programs of one test: real namespaces, real cables, lines as slow as wanted.

A namespace lives as long as a process that reads from a pipe of ours, and cables vanish with what they join;
programs started by a host's `words` die with the thread that started them (not in the first instants: a
kernel takes that wish from the program itself, and it has to be running). So nothing is left, however the
test ends, and nothing has a name that two runs could share. Delay without a queue is `delay_line`'s (`netem` is missing
on many kernels); what cannot be had here is loss: that belongs to `simnet`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

MBIT: Final = 1_000_000
"""Bits per second of one Mbit/s, as lines are sold."""

LAN: Final = "10.77"
"""The first half of its hosts' addresses: peers dial private ones next door only, so all share a /16."""

INTERNET: Final = "45.77"
"""The same for hosts that stand for the whole world: anybody may dial them."""

IPV6: Final = {LAN: "fd77:77:77:77", INTERNET: "2a01:4f8:77:77"}
"""The first half of their addresses of IPv6, where they have one."""

_NO_NEIGHBOURS = """
table bridge far {
  chain through { type filter hook forward priority 0; udp dport 5353 drop; }
}
"""
"""No multicast DNS: what stands for the whole world is nobody's local network."""

DELAY_LINE = Path(__file__).with_name("delay_line.py")
_LEAST_BURST_BYTES = 16 * 1024
_TICKS_PER_S = 250  # a bucket has to hold what leaves between two ticks of the slowest usual kernel


def _may_make_networks() -> bool:
    if os.geteuid() != 0:
        return False
    try:
        return subprocess.run(["unshare", "--net", "true"], check=False).returncode == 0
    except FileNotFoundError:
        return False


needs_networks = pytest.mark.skipif(
    "CI" not in os.environ and not _may_make_networks(),
    reason="only root may make network namespaces; CI may",
)


@dataclass(frozen=True, slots=True)
class Line:
    """How a cable's end sends: bits_per_s, and how many seconds' worth of that wait in it before packets fall."""

    bits_per_s: int
    queue_s: float = 0.05


class Namespace:
    """A network of its own with nothing in it but a loopback; ended by `close`.

    words: what stands before a program that is to run in it; its pid is the program's own.
    """

    def __init__(self) -> None:
        script = "ip link set lo up && echo ready && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"ready\n":
            self.close()
            raise OSError("no network namespace could be made")
        self.pid = self._holder.pid
        self.words = (
            *("setpriv", "--pdeathsig", "KILL"),
            *("nsenter", f"--net=/proc/{self.pid}/ns/net", "--"),
        )

    def run(self, *words: str) -> str:
        """Run a program in it to its end; gives what it printed, raises CalledProcessError if it fails."""
        done = subprocess.run(
            [*self.words, *words], check=True, capture_output=True, text=True, timeout=90
        )
        return done.stdout

    def cable(self, device: str, other: Namespace, other_device: str) -> None:
        """Lay a cable to another one: a device at each end, both up."""
        ends = ("type", "veth", "peer", "name", other_device, "netns", str(other.pid))
        self.run("ip", "link", "add", device, *ends)
        self.run("ip", "link", "set", device, "up")
        other.run("ip", "link", "set", other_device, "up")

    def set_line(self, device: str, line: Line | None) -> None:
        """Let a device send no faster than a line does; None: as fast as it can."""
        if line is None:
            self.run("tc", "qdisc", "del", "dev", device, "root")
            return
        burst = max(_LEAST_BURST_BYTES, line.bits_per_s // 8 // _TICKS_PER_S)
        queue = burst + int(line.bits_per_s / 8 * line.queue_s)
        words = ("tbf", "rate", f"{line.bits_per_s}bit", "burst", str(burst), "limit", str(queue))
        self.run("tc", "qdisc", "replace", "dev", device, "root", *words)

    def set_kernel(self, key: str, value: str) -> None:
        """Set one of the kernel's network settings in here: `net/ipv4/tcp_congestion_control`."""
        self.run("sh", "-c", 'echo "$1" > "/proc/sys/$0"', key, value)

    def close(self) -> None:
        """End it, and with it the cables that lead there."""
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        self._holder.stdin.close()
        self._holder.stdout.close()
        self._holder.wait()


class Host(Namespace):
    """A namespace at a switch. address: as text, of IPv4 where it has one. ipv6: another one, or empty."""

    def __init__(self, address: str, number: int, ipv6: str = "") -> None:
        super().__init__()
        self.address = address
        self.ipv6 = ipv6
        self.port = f"port{number}"  # at the switch
        self.modem: Namespace | None = None  # what stands between, if it sends over a slow line


class Switch:
    """Hosts that all see each other, each over a cable of its own; entered for as long as they are needed.

    prefix: LAN or INTERNET. kernel: settings of every host, as `Namespace.set_kernel` takes them.
    """

    def __init__(self, prefix: str = LAN, **kernel: str) -> None:
        self._prefix = prefix
        self._kernel = {key.replace("__", "/"): value for key, value in kernel.items()}
        self._namespaces: list[Namespace] = []
        self._carriers: list[subprocess.Popen[bytes]] = []
        self._hosts = 0

    def __enter__(self) -> Self:
        self._hub = Namespace()
        self._namespaces.append(self._hub)
        self._hub.run("ip", "link", "add", "switch", "type", "bridge")
        self._hub.run("ip", "link", "set", "switch", "up")
        if self._prefix == INTERNET:
            self._hub.run("nft", _NO_NEIGHBOURS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for carrier in self._carriers:
            carrier.kill()
            carrier.communicate()
        for namespace in reversed(self._namespaces):
            namespace.close()

    def host(
        self,
        *,
        up: Line | None = None,
        down: Line | None = None,
        delay_s: float = 0.0,
        has_ipv4: bool = True,
        has_ipv6: bool = False,
    ) -> Host:
        """Add a host. up: how fast it sends, down: how fast it is sent to; None for no limit.

        delay_s: what every frame takes on its cable, each way; not together with `up`.
        """
        self._hosts += 1
        ipv4 = f"{self._prefix}.{self._hosts // 250}.{self._hosts % 250 + 1}" if has_ipv4 else ""
        ipv6 = f"{IPV6[self._prefix]}::{self._hosts:x}" if has_ipv6 else ""
        host = Host(ipv4 or ipv6, self._hosts, ipv6)
        self._namespaces.append(host)
        if delay_s:
            host.modem = self._delay(host, delay_s)
        elif up is None:
            host.cable("eth0", self._hub, host.port)
        else:
            host.modem = self._modem(host)
            host.modem.cable("wan", self._hub, host.port)
            host.modem.run("ip", "link", "set", "wan", "master", "bridge")
        self._hub.run("ip", "link", "set", host.port, "master", "switch")
        if ipv4:
            host.run("ip", "address", "add", f"{ipv4}/16", "dev", "eth0")
        if ipv6:
            host.run("ip", "address", "add", f"{ipv6}/64", "dev", "eth0", "nodad")
        for key, value in self._kernel.items():
            host.set_kernel(key, value)
        self.limit(host, up=up, down=down)
        return host

    def limit(self, host: Host, *, up: Line | None = None, down: Line | None = None) -> None:
        """Change how fast a host sends, if it was made with such a line, and is sent to; at once."""
        if up is not None:
            assert host.modem is not None
            host.modem.set_line("wan", up)
        if down is not None:
            self._hub.set_line(host.port, down)

    def cut(self, host: Host) -> None:
        """Pull a host's cable: what is sent is lost, and nobody is told."""
        self._port(host, "down")

    def mend(self, host: Host) -> None:
        """Plug it in again."""
        self._port(host, "up")

    def _port(self, host: Host, state: str) -> None:
        self._hub.run("ip", "link", "set", host.port, state)

    def _delay(self, host: Host, delay_s: float) -> Namespace:
        """Lay a cable that takes its time, with what passes on the frames in a namespace of its own."""
        line = Namespace()
        self._namespaces.append(line)
        host.cable("eth0", line, "near")
        line.cable("far", self._hub, host.port)
        for namespace, device in ((host, "eth0"), (self._hub, host.port)):
            namespace.run(sys.executable, "-S", str(DELAY_LINE), device)
        words = (sys.executable, "-S", str(DELAY_LINE), str(delay_s * 1000), "near", "far")
        carrier = subprocess.Popen([*line.words, *words], stdout=subprocess.PIPE)
        self._carriers.append(carrier)
        assert carrier.stdout is not None
        assert carrier.stdout.readline() == b"ready\n"
        return line

    def _modem(self, host: Host) -> Namespace:
        """Make what a host is plugged into: its queue is not the host's own, which would notice how full it is."""
        modem = Namespace()
        self._namespaces.append(modem)
        modem.run("ip", "link", "add", "bridge", "type", "bridge")
        modem.run("ip", "link", "set", "bridge", "up")
        host.cable("eth0", modem, "lan")
        modem.run("ip", "link", "set", "lan", "master", "bridge")
        return modem
