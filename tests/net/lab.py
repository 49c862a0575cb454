"""`scripts/netlab`: a network laboratory for people: two friends where you want them, and the table of all situations.

Needs root, nftables and iproute2, for routers that map ports miniupnpd. Nothing outside its own namespaces is
touched, and nothing is left: they are gone with the program, however it ends.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from peer.reach.paths import RELAYED
from tests.harness.gateways import DAEMON
from tests.harness.netns import needs_networks
from tests.harness.routers import needs_routers
from tests.harness.situations import MOST_S, PATHS, Lab, Situation
from tests.harness.trackers import PYTHON

Pair = tuple[Situation, Situation]
NAMES = [situation.value for situation in Situation]
TROUBLES = NARROW, NO_UDP, NO_RELAY = ("narrow", "no-udp", "no-relay")


def main(words: Sequence[str] | None = None) -> int:
    """Run it; gives the exit code: 1 if a cell of the table is not what it should be."""
    parser = argparse.ArgumentParser(prog="scripts/netlab", description=__doc__)
    where = {"nargs": "?", "choices": NAMES, "metavar": "|".join(NAMES)}
    parser.add_argument("one", help="where the first is; alone, play", **where)  # type: ignore[arg-type]
    parser.add_argument("other", help="where the second is (default: open)", **where)  # type: ignore[arg-type]
    parser.add_argument(
        "--matrix",
        action="store_true",
        help="try every pair, or those of which one is as named, and print the table",
    )
    parser.add_argument(
        "--delay", type=float, default=20.0, metavar="MS", help="of each line, each way"
    )
    parser.add_argument(
        "--size", type=float, default=16.0, metavar="MIB", help="of the file that is sent"
    )
    parser.add_argument(
        "--with",
        dest="troubles",
        action="append",
        default=[],
        choices=TROUBLES,
        help="routers that swallow large packets, or UDP; a tracker that does not relay",
    )
    options = parser.parse_args(words)
    if options.one is None and not options.matrix:
        parser.print_help()
        return 0
    if needs_networks.args[0] or needs_routers.args[0]:
        print("this needs root, unshare, nsenter, ip and nft", file=sys.stderr)
        return 1
    delay_s, size_bytes = options.delay / 1000, int(options.size * 2**20)
    if options.matrix:
        return _matrix([pair for pair in PATHS if _is_asked(pair, options)], delay_s, size_bytes)
    return _play(_pair(options.one, options.other or "open"), delay_s, options.troubles)


def _pair(one: str, other: str) -> Pair:
    """Put two situations in the order of the table."""
    pair = Situation(one), Situation(other)
    if pair not in PATHS:
        pair = pair[1], pair[0]
    if pair not in PATHS:
        raise SystemExit(f"{one} and {other}: nobody in the open, or alone, has a local network")
    return pair


def _is_asked(pair: Pair, options: argparse.Namespace) -> bool:
    """Say whether a pair has what is named: nothing, one situation, or both."""
    named = [Situation(name) for name in (options.one, options.other) if name]
    return all(each in pair for each in named) and (
        len(set(named)) == len(named) or pair[0] is pair[1]
    )


def _matrix(pairs: list[Pair], delay_s: float, size_bytes: int) -> int:
    """Try pairs, one after another."""
    wrong = 0
    print(f"{'A':<9} {'B':<9} {'path':<8} {'link':>7} {'most':>5} {'file':>8}")
    for one, other in pairs:
        path = PATHS[one, other]
        if Situation.MAPPED in (one, other) and not DAEMON.exists():
            print(f"{one.value:<9} {other.value:<9} {path:<8} miniupnpd is not installed")
            continue
        try:
            link_s, file_s = _cell((one, other), delay_s, size_bytes)
        except AssertionError as error:
            wrong += 1
            print(f"{one.value:<9} {other.value:<9} {path:<8} FAILED {str(error)[:200]}")
            continue
        late = "" if link_s <= MOST_S[path] else "  LATE"
        timing = f"{link_s:>6.2f}s {MOST_S[path]:>4.0f}s {file_s:>7.2f}s{late}"
        print(f"{one.value:<9} {other.value:<9} {path:<8} {timing}", flush=True)
    return int(wrong > 0)


def _cell(pair: Pair, delay_s: float, size_bytes: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory(prefix="netlab-") as folder:
        place = Path(folder)
        with Lab(place, *pair, delay_s=delay_s) as lab:
            return lab.meet(), lab.pass_all(place, size_bytes)


def _play(pair: Pair, delay_s: float, troubles: list[str]) -> int:
    """Bring two friends together, say how to be one of them, and wait until somebody has enough."""
    options = ("--relay", "off") if NO_RELAY in troubles else ()
    with (
        tempfile.TemporaryDirectory(prefix="netlab-") as folder,
        Lab(Path(folder), *pair, delay_s=delay_s, options=options) as lab,
    ):
        for router in lab.routers:
            if NARROW in troubles:
                router.swallow_large()
            if NO_UDP in troubles:
                router.block_udp()
        where = f"alice ({pair[0].value}) and bob ({pair[1].value})"
        if PATHS[pair] == RELAYED and NO_RELAY in troubles:
            lab.befriend()
            print(f"{where}: nothing brings them together")
        else:
            took_s = lab.meet()
            print(f"{where}: {PATHS[pair]} after {took_s:.2f} s")
        for peer in lab.people:
            words = (*peer.under, PYTHON, "-m", "peer", "--home", str(peer.home))
            print(f'{peer.name}() {{ {shlex.join(words)} "$@"; }}')
        for number, router in enumerate(lab.routers, 1):
            print(f'router{number}() {{ {shlex.join(router.outside.words)} "$@"; }}')
        print("paste these into a shell: alice status; bob doctor; router1 nft list ruleset")
        print("Enter ends the laboratory", flush=True)
        sys.stdin.readline()
    return 0


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
