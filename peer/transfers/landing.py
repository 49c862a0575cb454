"""How what is whole gets its final names: chosen, noted, renamed without replacing, synced; in any life.

The names stand in the journal, on the disk, before the first rename, so whoever was killed in between finds out
where each thing went. A name that somebody takes in between is chosen anew, and noted, before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from peer.transfers.disk import Disk, exists
from peer.transfers.journal import NO_NAME, Journal
from peer.transfers.paths import numbered, what_counts
from peer.transfers.rename import rename_without_replacing


class Landing:
    """The last step of one transfer.

    folder: where things land; tree, outside: descriptors of where they are and of `folder`. tops: (number
    of the entry, name) of what stands at the top of the manifest. noted: what an earlier life chose.
    """

    def __init__(
        self,
        disk: Disk,
        journal: Journal,
        *,
        tree: int,
        outside: int,
        tops: Sequence[tuple[int, str]],
        noted: Mapping[int, int],
    ) -> None:
        self._disk = disk
        self._journal = journal
        self._tree = tree
        self._outside = outside
        self._tops = tops
        names = dict(tops)
        self._chosen = {entry: number for entry, number in noted.items() if entry in names}
        self._used: set[str] = set()

    @property
    def is_begun(self) -> bool:
        """Whether names were chosen: everything was whole and on the disk then."""
        return bool(self._chosen)

    def standing(self) -> set[str]:
        """Give the names at the top of the tree that did not land yet. Raises OSError."""
        return {name for _, name in self._tops if exists(self._disk, name.encode(), self._tree)}

    def give_up(self) -> None:
        """Choose no names, as long as not everything is whole. Raises OSError.

        What landed already stays where it is, and comes again under a name of its own if others have to wait.
        """
        self._journal.landing((entry, NO_NAME) for entry in self._chosen)
        self._chosen.clear()

    def land(self, folder: Path) -> Path:
        """Give everything in the tree its final name; gives the path of the one top, or the folder.

        Done again after a failure or a kill at any moment, it ends the same. Raises OSError.
        """
        is_again = self.is_begun
        names = dict(self._tops)
        self._used = {what_counts(numbered(names[e], n)) for e, n in self._chosen.items()}
        if not is_again:
            here = [
                (e, name) for e, name in self._tops if exists(self._disk, name.encode(), self._tree)
            ]
            chosen = {entry: self._free(name, 1) for entry, name in here}
            if chosen:
                self._journal.landing(chosen.items())
                self._chosen = chosen
        for entry in self._chosen:
            self._place(entry, names[entry], is_again=is_again)
        self._disk.fsync(self._outside)
        self._disk.fsync(self._tree)
        if len(self._chosen) == 1:
            ((entry, number),) = self._chosen.items()
            return folder / numbered(names[entry], number)
        return folder

    def _place(self, entry: int, name: str, *, is_again: bool) -> None:
        if not exists(self._disk, name.encode(), self._tree):
            return  # it landed before
        while True:
            wanted = numbered(name, self._chosen[entry]).encode()
            try:
                rename_without_replacing(
                    self._disk, name.encode(), self._tree, wanted, self._outside, is_again=is_again
                )
                return
            except FileExistsError:
                number = self._free(name, self._chosen[entry] + 1)
                self._journal.landing([(entry, number)])
                self._chosen[entry] = number
                is_again = False

    def _free(self, name: str, number: int) -> int:
        """Give the first number from `number` on whose name nobody has, and count it as used."""
        while True:
            wanted = numbered(name, number)
            key = what_counts(wanted)
            if key not in self._used and not exists(self._disk, wanted.encode(), self._outside):
                self._used.add(key)
                return number
            number += 1
