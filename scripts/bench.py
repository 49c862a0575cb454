"""Which benchmarks there are, and how one is run; what each measures stands in `benches/`."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys

import cast

BENCHES = {
    "start": "how long a person waits for `--help` and `status`, against a bare interpreter",
    "messages": "round trip and rate of durable messages, against a bare socket with the same commits",
    "mail": "sealing an item against bare HPKE, and catching up after an absence against a live link",
    "history": "opening and searching 100,000 messages, against grep and a plain LIKE",
    "handshake": "CPU of one handshake, both sides, against mutual TLS 1.3",
    "transfer": "files over loopback, against scp, curl from nginx, rsync and plain sockets",
    "swarm": "one file to several friends on slow lines: what the sender sends, and how long it takes",
    "idle": "memory of an idle peer and of a tracker's idle connection, against asyncio's TLS streams",
}


def main() -> int:
    """Run one benchmark; gives the exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    names = "\n".join(f"  {name:10} {does}" for name, does in BENCHES.items())
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure against what a user would pick instead; ratios first.",
        epilog=f"benchmarks:\n{names}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("name", choices=BENCHES, metavar="NAME", help="one of those below")
    parser.add_argument("words", nargs=argparse.REMAINDER, help="see `scripts/bench NAME --help`")
    if len(sys.argv) == 1:
        parser.print_help()
        return 0
    chosen = parser.parse_args()
    bench = importlib.import_module(f"benches.{chosen.name}")
    try:
        bench.run(chosen.words)
    except (cast.StepFailed, OSError) as failed:
        print(f"error: {chosen.name}: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
