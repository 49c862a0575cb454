"""What a disk in memory consists of, and what of it survives when the power goes."""

from __future__ import annotations

import random
import stat
from dataclasses import dataclass, field

PAGE = 4096


@dataclass(eq=False)
class Node:
    """A file, a folder or a link."""

    inode: int
    mode: int
    data: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    entries: dict[bytes, Node] = field(default_factory=dict)
    target: bytes = b""
    links: int = 1
    mtime_ns: int = 0

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


@dataclass(eq=False)
class Change:
    """One change of names: what goes, what comes; durable once all its folders were synced."""

    goes: tuple[Node, bytes] | None
    comes: tuple[Node, bytes, Node] | None
    waits_for: set[Node]


def nodes_of(change: Change) -> list[Node]:
    nodes = [change.goes[0]] if change.goes else []
    return [*nodes, change.comes[0], change.comes[2]] if change.comes else nodes


def after_power_cut(node: Node, dice: random.Random, chance: float) -> bytearray:
    """Mix pages of what was synced and of what was written since."""
    size = len(node.data) if dice.random() < chance else len(node.synced)
    mixed = bytearray(node.synced[:size].ljust(size, b"\0"))
    if bytes(node.data[:size]) == mixed:
        return mixed
    for start in range(0, size, PAGE):
        if dice.random() < chance:
            stop = min(start + PAGE, size, len(node.data))
            mixed[start:stop] = node.data[start:stop]
    return mixed
