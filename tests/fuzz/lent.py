"""A target about a holder: it lends what it has of somebody else's offer to whoever watches it."""

from __future__ import annotations

from functools import cache

from tests.fuzz.moved import SIZES, answer_one
from tests.fuzz.offered import DIGEST, MANIFEST, decoded, issue_body, signed_digests
from tests.fuzz.seeds import records
from tests.fuzz.swarmed import BLAME
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY
from wire import codec, limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.transfer import ChunkRange, Fetch, FetchDigests, StopFetch, Watch
from wire.transfer.digests import DigestBatch, DigestRun, issue_digests, read_digests
from wire.transfer.holding import Holding
from wire.transfer.lending import Lending
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet
from wire.transfer.sender import Sender
from wire.transfer.vouched import Vouched


@cache
def _signed() -> bytes:
    """Give what the offering device signed of the whole offer but one file."""
    runs = [
        DigestRun(file, 0, DIGEST * -(-size // MIB))
        for file, size in enumerate(SIZES)
        if size and file != 5
    ]
    return issue_digests(SEED, DigestBatch(KEY.device, KEY.offer, tuple(runs)))


def lend(data: bytes) -> None:
    """Run a script on a holder's link: 0 a request as it comes, 1 to 3 steps of the sender, 4 it is withdrawn,
    5 time passes, 6 more chunks come (first, count), 7 a file is lost, 8 the offering device signs more.
    """
    first = data[0] if data else 0
    vouched = Vouched(Places(SIZES))
    vouched.take(_signed(), read_digests(_signed(), SIGNING_KEY))
    lending = Lending(vouched, RangeSet([(0, first % vouched.places.count)]))
    holding = Holding(KEY, manifest=MANIFEST, sizes=SIZES, lending=lending)
    sender, now = Sender(), 1.0
    for step in steps_of(data[1:], 400):
        content, at = step.content, Monotonic(now)
        match step.kind:
            case 1 | 2 | 3:
                for _ in range(4 * step.kind):
                    if not answer_one(sender, holding, first, now):
                        break
            case 4:
                sender.withdraw(KEY)
            case 5:
                now += len(content) / 4
            case 6 if len(content) > 1:
                place = content[0] % vouched.places.count
                lending.hold([(place, min(vouched.places.count, place + content[1]))])
            case 7 if content:
                lending.lose(content[0] % len(SIZES))
            case 8:
                signed = signed_digests(content[:30_000])
                try:
                    vouched.take(signed, read_digests(signed, SIGNING_KEY))
                except RemoteProtocolError as error:
                    check(error.code in BLAME, f"{error.code} from digests")
            case _:
                _request(sender, holding, content, at)
        check(len(sender._open) <= limits.OPEN_FETCHES, "too many fetches are open")
        check(len(sender._said) <= 2 * limits.UNSENT_ANSWERS, "answers pile up without bound")


def _request(sender: Sender, holding: Holding, record: bytes, now: Monotonic) -> None:
    message = decoded(record)
    try:
        match message:
            case Fetch():
                sender.on_fetch(message, holding)
            case FetchDigests():
                sender.on_fetch_digests(message, holding)
            case Watch():
                sender.on_watch(message, holding, now)
            case StopFetch():
                sender.on_stop(message)
    except RemoteProtocolError as error:
        known = (Code.NOT_NOW, Code.TOO_MANY_REQUESTS, Code.FLOOD)
        check(error.code in known, f"{error.code} from a request")


def _lend_seeds() -> list[bytes]:
    device, offer = KEY
    asks: list[Message] = [
        Watch(1, device, offer),
        Fetch(2, device, offer, tuple(ChunkRange(file, 0, 1) for file in (1, 2, 3))),
        Fetch(3, device, offer, (ChunkRange(7, 0, 3), ChunkRange(8, 2, 9))),
        FetchDigests(4, device, offer, 7, 0),
        StopFetch(3),
        StopFetch(1),
    ]
    lines = [(0, codec.encode(Purpose.DATA, ask)) for ask in asks]
    found = [bytes((first,)) + script_of(line, (3, b"")) for line in lines for first in (0, 5, 40)]
    more = [(6, b"\x05\x09"), (5, b"x"), (1, b"")]
    found.append(b"\x05" + script_of(*lines[:3], (3, b""), *more, (7, b"\7"), (5, b"xx"), (3, b"")))
    found.append(b"\x05" + script_of(lines[0], (8, issue_body([DigestRun(5, 0, DIGEST)])), *more))
    found += [
        b"\x28" + script_of((0, record), (1, b""))
        for record in records(Purpose.DATA, 1)
        if len(record) < 2000
    ]
    return found


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("holder", lend, _lend_seeds, Shape.SCRIPT, 1, 8000)]
