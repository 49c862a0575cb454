"""What people pick today for files, each started here with throwaway keys on a free port of loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from benches.handshake import tls_contexts
from benches.measure import Meter, Sample, peak_bytes

WAIT_S = 10.0
LOOK_S = 0.05
_PLAIN = str(Path(__file__).with_name("plain.py"))
_FLOOR = str(Path(__file__).with_name("floor.py"))
CIPHER = "aes128-gcm@openssh.com"


class Alternative(ABC):
    """One program that moves files from `source` to `target`; its server runs from entering to leaving.

    folder: its own, for keys and settings. needs: programs that it is made of. is_fetched: its command receives.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    is_fetched: ClassVar[bool] = False

    def __init__(self, folder: Path, source: Path, target: Path) -> None:
        self.folder = folder
        self.source = source
        self.target = target
        self.port = _free_port()
        self._server: subprocess.Popen[bytes] | None = None

    def server(self) -> Sequence[str]:
        """Write what the server needs and give its command; empty for none."""
        return ()

    @abstractmethod
    def command(self, path: Path) -> Sequence[str]:
        """Give the command that moves a file or a folder."""

    def send(self, path: Path) -> Sample:
        """Move it once."""
        with Meter(self._server_side(), ()) as meter:
            client = subprocess.Popen(self.command(path), stdin=subprocess.DEVNULL)
            used, peak = _waited(client)
            sample = meter.sample()
        ours, theirs = (used, peak), (sample.cpu_s[0], sample.memory[0])
        sides = (theirs, ours) if self.is_fetched else (ours, theirs)
        return Sample(sample.wall_s, (sides[0][0], sides[1][0]), (sides[0][1], sides[1][1]))

    def _server_side(self) -> tuple[int, ...]:
        return () if self._server is None else (self._server.pid,)

    def __enter__(self) -> Self:
        words = self.server()
        if words:
            log = (self.folder / "log").open("wb")
            self._server = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
            log.close()
            _wait_for(self.port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.terminate()
            self._server.wait()


class _Ssh(Alternative):
    needs = ("sshd", "ssh", "ssh-keygen")

    def server(self) -> Sequence[str]:
        """Make keys and settings of an sshd of its own."""
        self.folder.chmod(0o700)
        for name in ("host", "user"):
            words = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
            subprocess.run(words, check=True)
        settings = self.folder / "sshd_config"
        settings.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {self.folder}/user.pub\nPermitRootLogin yes\nPidFile none\nCiphers +{CIPHER}\n"
            "Subsystem sftp internal-sftp\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        return ("/usr/sbin/sshd", "-D", "-e", "-f", str(settings))

    def options(self) -> list[str]:
        """Give the options of `ssh` and `scp`."""
        fixed = {
            "IdentityFile": f"{self.folder}/user",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "Ciphers": CIPHER,
            "Port": str(self.port),
        }
        return [
            "-F",
            "/dev/null",
            *(word for pair in fixed.items() for word in ("-o", "=".join(pair))),
        ]

    def place(self) -> str:
        """Name the target as a remote place."""
        return f"{os.environ.get('USER', 'root')}@127.0.0.1:{self.target}/"


class Scp(_Ssh):
    """scp with its fastest cipher."""

    def command(self, path: Path) -> Sequence[str]:
        """Copy, folders too."""
        return ("scp", "-q", "-r", *self.options(), str(path), self.place())


class RsyncSsh(_Ssh):
    """rsync over ssh with the same cipher."""

    needs = ("sshd", "ssh", "ssh-keygen", "rsync")

    def command(self, path: Path) -> Sequence[str]:
        """Copy in archive mode."""
        return ("rsync", "-a", "-e", " ".join(["ssh", *self.options()]), str(path), self.place())


class Rsyncd(Alternative):
    """rsync's own daemon: nothing is encrypted."""

    needs = ("rsync",)

    def server(self) -> Sequence[str]:
        """Make the settings of a daemon that takes files."""
        settings = self.folder / "rsyncd.conf"
        settings.write_text(
            f"use chroot = no\naddress = 127.0.0.1\nport = {self.port}\nuid = root\ngid = root\n"
            f"[target]\npath = {self.target}\nread only = no\n"
        )
        return ("rsync", "--daemon", "--no-detach", f"--config={settings}")

    def command(self, path: Path) -> Sequence[str]:
        """Copy in archive mode."""
        return ("rsync", "-a", str(path), f"rsync://127.0.0.1:{self.port}/target/")


class Curl(Alternative):
    """curl from nginx over TLS 1.3."""

    needs = ("nginx", "curl", "openssl")
    is_fetched = True

    def server(self) -> Sequence[str]:
        """Make the settings of an nginx that serves the source."""
        tls_contexts(self.folder)
        settings = self.folder / "nginx.conf"
        settings.write_text(
            f"worker_processes 1; daemon off; error_log {self.folder}/errors; pid {self.folder}/pid; user root;\n"
            "events { worker_connections 1024; }\n"
            "http { access_log off; sendfile on; tcp_nopush on; ssl_protocols TLSv1.3; keepalive_requests 100000;\n"
            f"server {{ listen 127.0.0.1:{self.port} ssl; root {self.source};\n"
            f"ssl_certificate {self.folder}/certificate.pem; ssl_certificate_key {self.folder}/key.pem; }} }}\n"
        )
        return ("nginx", "-c", str(settings))

    def command(self, path: Path) -> Sequence[str]:
        """Fetch one file, or every file of a folder over 16 connections."""
        url, words = (
            f"https://127.0.0.1:{self.port}",
            ["curl", "-sfk", "--no-progress-meter", "--http1.1"],
        )
        if path.is_file():
            return (*words, "-o", str(self.target / path.name), f"{url}/{path.name}")
        listing = self.folder / "listing"
        names = [
            str(file.relative_to(self.source)) for file in sorted(path.rglob("*")) if file.is_file()
        ]
        listing.write_text(
            "".join(f'url = "{url}/{n}"\noutput = "{self.target}/{n}"\n' for n in names)
        )
        return (*words, "-Z", "--parallel-max", "16", "--create-dirs", "-K", str(listing))


class Plain(Alternative):
    """The least a Python program can do: `sendfile` to `recv_into` and `write`, in clear, space reserved."""

    def command(self, path: Path) -> Sequence[str]:
        """Give the giver's command."""
        return (sys.executable, "-S", _PLAIN, "give", str(self.port), str(path))

    def send(self, path: Path) -> Sample:
        """Run taker and giver, which need no server."""
        with Meter((), ()) as meter:
            taker = subprocess.Popen(
                (sys.executable, "-S", _PLAIN, "take", str(self.port), str(self.target / path.name))
            )
            gave = _waited(subprocess.Popen(self.command(path)))
            took = _waited(taker)
            sample = meter.sample()
        return Sample(sample.wall_s, (gave[0], took[0]), (gave[1], took[1]))


class Floor(Alternative):
    """The least this design costs in Python, see `benches.floor`; timed from when both sides stand."""

    def command(self, path: Path) -> Sequence[str]:
        """Give the giver's command."""
        return (sys.executable, _FLOOR, "give", str(self.port), str(path))

    def send(self, path: Path) -> Sample:
        """Run taker and giver, which need no server."""
        taker = _told(sys.executable, _FLOOR, "take", str(self.port), str(self.target / path.name))
        with taker:
            _await(taker, b"listening")
            with _told(*self.command(path)) as giver:
                sides = (taker, giver)
                for side in sides:
                    _await(side, b"ready")
                with Meter((giver.pid,), (taker.pid,)) as meter:
                    for side in sides:
                        assert side.stdin is not None
                        side.stdin.write(b"begin\n")
                        side.stdin.flush()
                    for side in sides:
                        _await(side, b"done")
                    return meter.sample()


def _told(*words: str) -> subprocess.Popen[bytes]:
    """Start a program that is told when to begin, and says how far it is."""
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _await(process: subprocess.Popen[bytes], word: bytes) -> None:
    assert process.stdout is not None
    if process.stdout.readline().strip() != word:
        raise OSError(f"{process.args!r} did not say {word.decode()}")


def _waited(process: subprocess.Popen[bytes]) -> tuple[float, int]:
    """Wait for a program that has to succeed; gives its CPU, with its children's, and the most memory of one.

    Memory is looked at while it runs: what the kernel tells at the end counts ours, from before it was begun.
    """
    peaks = [0]
    has_ended = threading.Event()

    def look() -> None:
        while not has_ended.wait(LOOK_S):
            peaks.append(peak_bytes(process.pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        _, status, used = os.wait4(process.pid, 0)
    finally:
        has_ended.set()
        looking.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise OSError(f"{process.args!r} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, max(peaks)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    ends = time.monotonic() + WAIT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.02)


_SINGLE: dict[str, type[Alternative]] = {
    "scp aes128-gcm": Scp,
    "curl nginx TLS 1.3": Curl,
    "rsync over ssh": RsyncSsh,
    "rsyncd, in clear": Rsyncd,
}
FOR: dict[str, dict[str, type[Alternative]]] = {
    "big": {**_SINGLE, "plain Python, in clear": Plain, "this design, no bookkeeping": Floor},
    "many": _SINGLE,
    "tiny": {**_SINGLE, "plain Python, in clear": Plain},
}
