"""CPU of one handshake with certificates, both sides together, against mutual TLS 1.3 of the standard library.

Ours proves a device of each side by certificate and list and mixes an ML-KEM-768 secret in; TLS 1.3 here
shows an ECDSA certificate each way and agrees by an elliptic curve alone. Friends meet again and again, so ours is
their handshake; that of people who never met stands beside it (their certificates' own signatures are
verified later, when they are kept: the lists vouch for them).
"""

from __future__ import annotations

import argparse
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benches.measure import Rival, Sample, interleave, table

from wire.entropy import SystemEntropy
from wire.identity import DeviceKeys, first_device
from wire.ids import BootId, LinkKey
from wire.link import Link, LinkConfig, LinkIdentified, LinkState, Role
from wire.machine import Monotonic, UnixMillis
from wire.messages import Purpose
from wire.messages.session import Hello

ENTROPY = SystemEntropy()
START = Monotonic(0.0)


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench handshake", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="handshakes in each run")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(words)
    now = UnixMillis(int(time.time() * 1000))
    alice, bob = _someone(now), _someone(now)
    link_key = bob.link_key  # as a caller has it: from the other's certificate
    with tempfile.TemporaryDirectory() as folder:
        server, caller = tls_contexts(Path(folder))
        rivals = [
            Rival("hobnob", _many(lambda: _ours(alice, bob, link_key), chosen.count), is_ours=True),
            Rival("hobnob, first contact", _first_contacts(now, chosen.count)),
            Rival("TLS 1.3, mutual", _many(lambda: _tls(server, caller), chosen.count)),
        ]
        interleave(rivals, chosen.rounds)
    table(rivals)
    for rival in rivals:
        used = rival.median().cpu_s[0] / chosen.count * 1000
        print(f"{rival.name}: {used:.2f} ms of CPU a handshake, both sides")


def _many(shake: Callable[[], None], count: int) -> Callable[[], Sample]:
    def once() -> Sample:
        began, used = time.perf_counter(), time.process_time()
        for _ in range(count):
            shake()
        return Sample(time.perf_counter() - began, (time.process_time() - used, 0.0))

    return once


def _someone(now: UnixMillis) -> DeviceKeys:
    return first_device(ENTROPY.bytes(32), "x", now=now, entropy=ENTROPY)


def _first_contacts(now: UnixMillis, count: int) -> Callable[[], Sample]:
    """Measure people who never met: nothing that was verified or loaded before is of use."""

    def once() -> Sample:
        called = [_someone(now) for _ in range(count)]
        meetings = [(_someone(now), other, other.link_key) for other in called]
        return _many(lambda: _ours(*meetings.pop()), count)()

    return once


def _ours(alice: DeviceKeys, bob: DeviceKeys, link_key: LinkKey) -> None:
    calling = LinkConfig(
        purpose=Purpose.PEER,
        static_private=alice.link_private,
        responder=bob.identity,
        hello=_hello(alice),
        expected_static=link_key,
        expected_identity=bob.identity,
    )
    waiting = LinkConfig(
        purpose=Purpose.PEER, static_private=bob.link_private, responder=bob.identity
    )
    caller = Link(Role.INITIATOR, calling, now=START, entropy=ENTROPY)
    called = Link(Role.RESPONDER, waiting, now=START, entropy=ENTROPY)
    for _ in range(8):
        called.receive_data(caller.data_to_send(), now=START)
        if any(isinstance(event, LinkIdentified) for event in called.events()):
            called.admit(_hello(bob))
        caller.receive_data(called.data_to_send(), now=START)
        if caller.state is LinkState.OPEN and called.state is LinkState.OPEN:
            return
    raise AssertionError("the two never opened")


def _hello(keys: DeviceKeys) -> Hello:
    return Hello(keys.certificate, keys.device_list, 0, BootId(bytes(16)))


def tls_contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Give contexts of both ends with one self-signed certificate that each trusts."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench"
    words = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    made = []
    for purpose in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT):
        context = ssl.SSLContext(purpose)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(certificate)
        made.append(context)
    made[0].num_tickets = 0  # no resumption: each handshake is a whole one
    return made[0], made[1]


def _tls(server: ssl.SSLContext, caller: ssl.SSLContext) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [caller.wrap_bio(back, there), server.wrap_bio(there, back, server_side=True)]
    left = [0, 1]
    for _ in range(8):
        for number in list(left):
            try:
                ends[number].do_handshake()
            except ssl.SSLWantReadError:
                continue
            left.remove(number)
        if not left:
            return
    raise AssertionError("the two never agreed")
