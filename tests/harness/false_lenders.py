"""A peer that is honest but for what it lends: `python -m tests.harness.false_lenders KIND ...`, else as `python -m peer ...`.

KIND is `lies`, who changes one byte of each MiB and says that it is right, or `stalls`, who sends 30 % of the size of what
it lends and then nothing. Both took it rightly and tell rightly what they have: it is the harder case.
"""

from __future__ import annotations

import sys
import threading
from typing import Final

from peer.cli.main import main
from peer.transfers import serving
from peer.transfers.lent import Lent, LentReader
from wire.codes import Code
from wire.ids import ChunkDigest
from wire.transfer.holding import Holding

LIES, STALLS = KINDS = ("lies", "stalls")
SENT: Final = 0.3
"""The share of a file after which nothing more comes."""


def program(kind: str) -> tuple[str, ...]:
    """Give what follows the interpreter's name, for `tests.harness.actors.Peer.program`."""
    return ("-m", __name__, kind)


class Gullible(Holding):
    """Lends what it reads, whatever was signed."""

    def judge(self, file: int, index: int, digest: ChunkDigest) -> ChunkDigest | Code:
        """Find everything right."""
        return digest


class Liar(LentReader):
    """Reads something else than what is there."""

    def read(self, file: int, offset: int, into: memoryview) -> Code | None:
        """Fill `into`, one byte of it wrong."""
        code = super().read(file, offset, into)
        into[len(into) // 2] ^= 1
        return code


class Staller(LentReader):
    """Reads some, then for ever."""

    def __init__(self, lent: Lent) -> None:
        super().__init__(lent)
        self._left = SENT * sum(entry.size for entry in lent.files)

    def read(self, file: int, offset: int, into: memoryview) -> Code | None:
        """Fill `into`, as long as that."""
        self._left -= len(into)
        if self._left < 0:
            threading.Event().wait()
        return super().read(file, offset, into)


def run() -> int:
    """Be such a peer."""
    kind = sys.argv.pop(1)
    setattr(serving, LentReader.__name__, Liar if kind == LIES else Staller)
    honest = Lent.holding

    def holding(lent: Lent) -> Holding:
        found = honest(lent)
        return Gullible(
            found.key, manifest=found.manifest, sizes=found.sizes, lending=found.lending
        )

    setattr(Lent, honest.__name__, holding)
    return main()


if __name__ == "__main__":
    sys.exit(run())
