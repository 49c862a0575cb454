"""Routers that map ports when asked, as homes have them: the real `miniupnpd`, with rules of the real nftables."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import Self

import pytest

from tests.harness.routers import Router

DAEMON = Path("/usr/sbin/miniupnpd")

needs_daemon = pytest.mark.skipif(
    "CI" not in os.environ and not DAEMON.exists(),
    reason="miniupnpd is not installed; CI installs it",
)

_CHAINS = """
table inet filter {
  chain forward { type filter hook forward priority 0; policy accept; jump miniupnpd; }
  chain miniupnpd { }
  chain prerouting { type nat hook prerouting priority -100; policy accept; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority 99; policy accept; jump postrouting_miniupnpd; }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
}
"""
_SETTINGS = """
ext_ifname=eth0
listening_ip=lan
enable_natpmp={pcp}
enable_upnp={upnp}
secure_mode=yes
ipv6_disable=yes
uuid=6e6f7420-736f-2072-616e-646f6d206964
allow 1024-65535 192.168.0.0/16 1024-65535
"""


class Gateway:
    """A router with its daemon, entered for as long as it serves. by: `UPnP`, or `PCP` (and NAT-PMP)."""

    def __init__(self, router: Router, folder: Path, by: str) -> None:
        self._host = router.outside
        self._host.run("nft", _CHAINS)
        upnp = "yes" if by == "UPnP" else "no"
        pcp = "no" if by == "UPnP" else "yes"
        folder.mkdir()
        (folder / "conf").write_text(_SETTINGS.format(upnp=upnp, pcp=pcp))
        words = (str(DAEMON), "-d", "-f", str(folder / "conf"), "-P", str(folder / "pid"))
        self._daemon = subprocess.Popen(
            [*self._host.words, *words], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )

    def __enter__(self) -> Self:
        assert self._daemon.stderr is not None
        for line in self._daemon.stderr:
            if b"listening" in line.lower():
                break
        self._reader = threading.Thread(target=self._daemon.stderr.read)  # it says much
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.kill()
        self._reader.join()
        self._daemon.communicate()

    @property
    def mapped(self) -> str:
        """What it maps now, as nftables prints it: empty for nothing."""
        listed = self._host.run("nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd")
        return "\n".join(line.strip() for line in listed.splitlines() if "dnat" in line)
