"""A disk of a few MiB that only the programs of one test see: a tmpfs in a mount namespace of its own.

The namespace lives as long as a process that reads from a pipe of ours, so nothing stays mounted, however the
test ends. The test looks into it by `/proc/PID/root`.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

needs_mounts = pytest.mark.skipif(
    os.geteuid() != 0 and "CI" not in os.environ,
    reason="only root may mount; CI is root",
)
_BLOCK = 4096


class SmallDisk:
    """One such disk. path: where programs see it, under `words`. inside: where the test sees it."""

    def __init__(self, path: Path, holder: int) -> None:
        self.path = path
        self.words = ("nsenter", f"--mount=/proc/{holder}/ns/mnt", f"--wd={Path.cwd()}", "--")
        self.inside = Path(f"/proc/{holder}/root{path}")
        self._holder = holder
        self._filler = self.inside / "filler"

    def fill(self, *, but_bytes: int = 0) -> None:
        """Leave so many bytes free, rounded down to a block."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while (more := (self.free_bytes - but_bytes) // _BLOCK) > 0:
                file.write(bytes(more * _BLOCK))  # others may take space meanwhile

    def clear(self) -> None:
        """Give the space back."""
        self._filler.unlink()

    @property
    def free_bytes(self) -> int:
        found = os.statvfs(self.inside)
        return found.f_bavail * found.f_frsize

    def remount(self, options: str) -> None:
        """Change how it is mounted, for instance to `ro`."""
        words = ["mount", "-o", f"remount,{options}", str(self.path)]
        subprocess.run([*self.words, *words], check=True)

    def unmount(self) -> None:
        """Take it away while programs may use it, as a cable that is pulled does; nothing on it is lost."""
        aside = f"{self.path}.aside"
        script = 'mkdir -p "$1" && mount --bind "$0" "$1" && umount -l "$0"'
        subprocess.run([*self.words, "sh", "-c", script, str(self.path), aside], check=True)

    def mount(self) -> None:
        """Bring it back where it was."""
        aside = f"{self.path}.aside"
        subprocess.run([*self.words, "mount", "--bind", aside, str(self.path)], check=True)

    def cover(self) -> None:
        """Hide it under an empty disk that takes nothing, as a share that is gone leaves its bare folder."""
        words = ["mount", "-t", "tmpfs", "-o", "size=4096,ro", "tmpfs", str(self.path)]
        subprocess.run([*self.words, *words], check=True)

    def uncover(self) -> None:
        """Show it again."""
        subprocess.run([*self.words, "umount", str(self.path)], check=True)


@contextmanager
def small_disk(path: Path, size_bytes: int) -> Iterator[SmallDisk]:
    """Mount one at `path`, which is made, for as long as the block runs."""
    path.mkdir()
    script = f'mount -t tmpfs -o size={size_bytes},mode=755 tmpfs "$0" && echo ready && exec cat'
    holder = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"ready\n"
        yield SmallDisk(path, holder.pid)
    finally:
        holder.stdin.close()
        holder.stdout.close()
        holder.wait()
