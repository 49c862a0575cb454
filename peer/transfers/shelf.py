"""What this device offers, kept below the home: the manifest, and where each file lies and how it was.

One file per offer, replaced whole and synced before the offer's event is written, so that an offer that
stands in a log can be served after any restart. A digest tells a damaged one.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, overload

import msgspec
from blake3 import blake3

from peer.errors import PeerError
from peer.transfers.digestlog import DigestLog
from peer.transfers.streams import Streams
from peer.transfers.survey import PinnedFile, Survey
from wire.codes import Code
from wire.ids import OfferId

_SUFFIX: Final = ".offer"
_DIGESTS_SUFFIX: Final = ".digests"
_DIGEST_BYTES: Final = 32
_VERSION: Final = 1
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


_unpack = msgspec.msgpack.Decoder(PinnedFile).decode


class _Kept(msgspec.Struct, array_like=True):
    version: int
    manifest: bytes
    files: list[msgspec.Raw]


class PinnedFiles(Sequence[PinnedFile]):
    """Files in the manifest's order, each unpacked when it is looked at: packed they take a third."""

    def __init__(self, packed: Sequence[msgspec.Raw]) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    @overload
    def __getitem__(self, index: int) -> PinnedFile: ...
    @overload
    def __getitem__(self, index: slice) -> PinnedFiles: ...
    def __getitem__(self, index: int | slice) -> PinnedFile | PinnedFiles:
        if isinstance(index, slice):
            return PinnedFiles(self._packed[index])
        return _unpack(self._packed[index])


class Shelved(msgspec.Struct, frozen=True):
    """One offer as it was kept: the manifest's bytes, its files in the manifest's order, the bytes of each."""

    manifest: bytes
    files: PinnedFiles
    sizes: list[int]


class Shelf:
    """The offers of one home. folder: `Locations.offers`; made when it is needed. stdin: `Locations.stdin`."""

    def __init__(self, folder: Path, stdin: Path | None = None) -> None:
        self._folder = folder
        self.streams = Streams(stdin)

    @property
    def taken(self) -> Path:
        """The folder where it is noted what may be lent of others' offers."""
        return self._folder / "taken"

    def keep(self, offer: OfferId, found: Survey) -> None:
        """Keep an offer durably; blocks. Raises PeerError(NO_SPACE) or HOME_UNUSABLE."""
        kept = (_VERSION, found.manifest, msgspec.Raw(found.pins))  # as `_Kept` packs it
        body = msgspec.msgpack.encode(kept)
        path = self._path(offer)
        fresh = path.with_suffix(".new")
        try:
            if not self._folder.is_dir():
                self._folder.mkdir(mode=0o700, exist_ok=True)
                _sync_folder(self._folder.parent)  # else a power cut takes the folder
            with os.fdopen(
                os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb"
            ) as file:
                file.write(blake3(body).digest())
                file.write(body)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
            _sync_folder(self._folder)
        except OSError as error:
            with suppress(OSError):
                fresh.unlink()
            raise _failed(error, path) from error

    def load(self, offer: OfferId) -> Shelved | None:
        """Give an offer that was kept; None if there is none or it is damaged. Blocks."""
        try:
            content = self._path(offer).read_bytes()
        except OSError:
            return None
        if blake3(memoryview(content)[_DIGEST_BYTES:]).digest() != content[:_DIGEST_BYTES]:
            return None
        try:
            kept = msgspec.msgpack.decode(memoryview(content)[_DIGEST_BYTES:], type=_Kept)
            files = PinnedFiles(kept.files)
            sizes = [file.size for file in files]
        except msgspec.DecodeError:
            return None
        return Shelved(kept.manifest, files, sizes) if kept.version == _VERSION else None

    def drop(self, offer: OfferId) -> None:
        """Forget an offer; one that is not there does not matter."""
        self._path(offer).unlink(missing_ok=True)
        self._digests_path(offer).unlink(missing_ok=True)

    def sweep(self, standing: Iterable[OfferId]) -> None:
        """Forget every offer that does not stand: its event was never written, or it is over."""
        names: set[str] = set()
        for offer in standing:
            names |= {self._path(offer).name, self._digests_path(offer).name}
        try:
            found = list(self._folder.iterdir())
        except OSError:
            return
        for path in found:
            if path.name not in names:
                with suppress(OSError):  # nothing of ours, or the next start sweeps it
                    path.unlink()

    def digests(self, offer: OfferId) -> DigestLog:
        """Give where digests of an offer's chunks are kept, by one at a time."""
        return DigestLog(self._digests_path(offer))

    def _digests_path(self, offer: OfferId) -> Path:
        return self._folder / f"{offer.hex()}{_DIGESTS_SUFFIX}"

    def _path(self, offer: OfferId) -> Path:
        return self._folder / f"{offer.hex()}{_SUFFIX}"


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failed(error: OSError, path: Path) -> PeerError:
    code = Code.NO_SPACE if error.errno in _FULL else Code.HOME_UNUSABLE
    return PeerError(code, f"{path}: {error.strerror or error}")
