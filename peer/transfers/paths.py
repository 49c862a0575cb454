"""Where a received name may land: the one place that decides it.

A name that came from somebody else is hostile until it went through `landing`. The manifest's rules
(`wire.transfer.manifest`) have refused what cannot be a relative path at all; what passes is given a name
that is safe on every system, so that a folder may be moved on later, and that no shell, desktop or program
takes for an order. Nothing is decoded: what looks like an escape stays plain characters. The same manifest
gives the same places on every machine and after every restart.

`check_folder` looks at the folder itself, which its own person chose.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import repeat
from pathlib import Path

from msgspec import Struct

from peer.errors import PeerError
from peer.locations import Locations
from peer.transfers.disk import fault
from peer.transfers.promised import no_space
from wire import limits
from wire.codes import Code
from wire.ids import OfferId
from wire.transfer.manifest import FOLDER, Entry

WORK_SUFFIX = ".part"
TOP = -1  # the parent of what lands in the download folder itself

_WORK_NAME = re.compile(r"\.[0-9a-f]{8}\.part\Z", re.IGNORECASE)
_DEVICES = re.compile(r"(con|prn|aux|nul|clock\$|conin\$|conout\$|(com|lpt)[0-9¹²³])\Z")
_ACTING = frozenset({"desktop.ini", "autorun.inf", "thumbs.db", "folder.htt"})  # read unasked
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .()+,=@#%&'!-]*[A-Za-z0-9_()]\Z")
_HARMLESS_NAME = (  # of those, what nothing below would change: nearly every name there is
    r"(?!(?:con|prn|aux|nul|(?:com|lpt)[0-9]) *(?:[./]|\Z))"
    r"(?!(?:desktop\.ini|autorun\.inf|thumbs\.db|folder\.htt)(?:/|\Z))"
    r"[A-Za-z0-9_][A-Za-z0-9_ .()+,=@#%&'!-]*[A-Za-z0-9_()]"
)
_HARMLESS = re.compile(rf"{_HARMLESS_NAME}\Z", re.IGNORECASE | re.ASCII)
_ALL_HARMLESS = re.compile(rf"(?>{_HARMLESS_NAME}(?:/|\Z))*+", re.IGNORECASE | re.ASCII)
_PLANNED_AT_ONCE = 1024
_BLANK = "".join(filter(str.isspace, map(chr, range(0x3001))))
_SHORT = limits.NAME_BYTES // 4  # characters that fit, whichever they are
_EXTENSION_BYTES = 32  # longer ones are part of the name

_HARMFUL = frozenset(
    '/\\:*?"<>|'  # separators, streams, wildcards and pipes of one system or another
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # turn text around
    "\u206a\u206b\u206c\u206d\u206e\u206f\ufeff\ufffe\uffff"  # invisible, or no characters
)
_HARMFUL_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control, lone surrogates, line ends
_INVISIBLE = str.maketrans("", "", "\u200b\u200c\u200d")  # some file systems pass over them


class Place(Struct, frozen=True, gc=False):
    """Where one entry of a manifest lands.

    parent: number of the entry whose folder it lies in, or TOP. name: one component, 1 to 255 bytes of
    UTF-8.
    """

    parent: int
    name: str


def landing(name: str, *, is_top: bool) -> str:
    """Give the name under which one component of a received path is stored: 1 to 255 bytes of UTF-8.

    is_top: it lands in the download folder itself, where a hidden name, an option or what looks like a
    transfer under way would do harm; inside a received folder it does not.
    """
    if not is_top and _is_harmless(name):
        return name
    if len(name) <= 64 and _PLAIN.match(name):
        stored = name
    else:
        stored = "".join("_" if _is_harmful(character) else character for character in name)
        stored = stored.lstrip(_BLANK).rstrip(f".{_BLANK}") or "_"
    if stored.startswith("~") or (is_top and stored.startswith((".", "-"))):
        stored = f"_{stored}"
    folded = stored.casefold()
    if _DEVICES.match(folded.partition(".")[0].rstrip()) or folded in _ACTING:
        stored = f"_{stored}"
    if is_top and _WORK_NAME.search(stored):
        stored = f"{stored}_"
    return _fitted(stored, "")


def numbered(name: str, number: int) -> str:
    """Give what the number-th thing of one name is called, cut to 255 bytes: itself, then `name (1).ext`."""
    return name if number == 1 else _fitted(name, f" ({number - 1})")


def plan(entries: Sequence[Entry]) -> Iterator[Place]:
    """Say for each entry of a checked manifest where it lands.

    Names that would be one where case or the composition of accents does not count are kept apart: the
    later gets a number, in the manifest's order. What is in a folder stands right behind it there, so no more is
    remembered than of the folders above.
    """
    inside, parent = "", TOP  # path with "/", number
    taken: dict[str, int] = {}
    above: list[tuple[str, int, dict[str, int]]] = []
    number = 0
    while number < len(entries):
        path = entries[number].path
        while not path.startswith(inside):
            inside, parent, taken = above.pop()
        if entries[number].kind == FOLDER:
            name = _apart(landing(path[len(inside) :], is_top=parent == TOP), taken)
            yield Place(parent, name)
            above.append((inside, parent, taken))
            inside, parent, taken = f"{path}/", number, {}
            number += 1
            continue
        names = _files_from(entries, number, inside)
        number += len(names)
        if parent == TOP or not _take_plain(names, taken):
            names = [_apart(landing(name, is_top=parent == TOP), taken) for name in names]
        yield from map(Place, repeat(parent), names)


def _files_from(entries: Sequence[Entry], number: int, inside: str) -> list[str]:
    """List the names of the files that stand together from an entry on, in one folder."""
    names: list[str] = []
    for at in range(number, min(number + _PLANNED_AT_ONCE, len(entries))):
        entry = entries[at]
        if entry.kind == FOLDER or not entry.path.startswith(inside):
            break
        names.append(entry.path[len(inside) :])
    return names


def _take_plain(names: Sequence[str], taken: dict[str, int]) -> bool:
    """Take names as they are if all of them are harmless and nobody's twins, as nearly all there are; else take none.

    All at once, which costs a quarter of what it costs one by one, measured 2026-11. taken: as of `_apart`.
    """
    text = "/".join(names)
    if max(map(len, names)) > _SHORT or _ALL_HARMLESS.fullmatch(text) is None:
        return False
    keys = dict.fromkeys(text.lower().split("/"), 2)
    if len(keys) < len(names) or not taken.keys().isdisjoint(keys):
        return False
    taken.update(keys)
    return True


def work_name(title: str, offer: OfferId) -> str:
    """Name the folder in which a transfer is put together, beside where it will land."""
    suffix = f".{offer[:4].hex()}{WORK_SUFFIX}"
    return _cut(landing(title, is_top=True), limits.NAME_BYTES - len(suffix)) + suffix


_CHOOSE = "see that it is there and can be written, or choose another folder"
"""What to do about a folder while nothing goes there yet: what does goes on by itself once it is back."""


def check_folder(folder: Path, home: Path, need_bytes: int = 0) -> None:
    """Refuse a folder that nothing can be received into.

    folder: absolute; its last component is made if it is missing. home: of this profile, whose own state
    stays alone: below it only `downloads` takes what comes. need_bytes: that must be free. Raises
    PeerError with FOLDER_GONE, FILE_EXISTS (it is a file), HOME_UNUSABLE, NAME_UNSAFE or NO_SPACE.
    """
    try:
        within = Path(os.path.realpath(folder))
        homes = Path(os.path.realpath(home))
        received = Path(os.path.realpath(Locations(home).received))
        is_received = homes in received.parents and within.is_relative_to(received)
        if within.is_relative_to(homes) and not is_received:
            raise PeerError(
                Code.HOME_UNUSABLE,
                f"{folder} holds this profile's own state",
                remedy="choose a folder outside of it",
            )
        if not folder.exists():
            folder.mkdir()
        if not folder.is_dir():
            raise PeerError(Code.FILE_EXISTS, f"{folder} is no folder")
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PeerError(Code.FOLDER_GONE, f"{folder} cannot be written", remedy=_CHOOSE)
        found = os.statvfs(folder)
    except OSError as error:
        found_wrong = fault(error, folder)
        remedy = _CHOOSE if found_wrong.code is Code.FOLDER_GONE else ""
        raise PeerError(found_wrong.code, found_wrong.detail, remedy=remedy) from error
    except ValueError as error:
        raise PeerError(Code.NAME_UNSAFE, "a folder's path has a zero byte") from error
    if (have := found.f_bavail * found.f_frsize) < need_bytes:
        remedy = "free some space and accept it again, or choose another folder"
        raise no_space(folder, need_bytes, have, remedy=remedy)


def _is_harmless(name: str) -> bool:
    return len(name) <= _SHORT and _HARMLESS.match(name) is not None


def _is_harmful(character: str) -> bool:
    return character in _HARMFUL or unicodedata.category(character) in _HARMFUL_CATEGORIES


def _apart(name: str, taken: dict[str, int]) -> str:
    """Give `name`, or the first numbered one that is nobody's twin, and take it.

    taken: by what counts of a name, the number to try next; so many twins cost as many steps.
    """
    key = what_counts(name)
    number = taken.get(key, 1)
    if number == 1:
        taken[key] = 2
        return name
    found = numbered(name, number)
    while (found_key := what_counts(found)) in taken:
        number += 1
        found = numbered(name, number)
    taken[key] = number + 1
    taken.setdefault(found_key, 2)
    return found


def what_counts(name: str) -> str:
    """Fold what some file system folds: case, composition of accents, what cannot be seen."""
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name.translate(_INVISIBLE)).casefold()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", folded).casefold())


def _fitted(name: str, addition: str) -> str:
    """Put `addition` before the extension and cut what is before it to 255 bytes in all."""
    if not addition and len(name) <= _SHORT:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension.encode()) > _EXTENSION_BYTES or " " in extension:
        stem, dot, extension = name, "", ""
    elif stem.endswith(".tar") and len(stem) > len(".tar"):
        stem, extension = stem[: -len(".tar")], f"tar.{extension}"
    ending = addition + dot + extension
    return _cut(stem, limits.NAME_BYTES - len(ending.encode())) + ending


def _cut(text: str, most: int) -> str:
    """Cut to so many bytes of UTF-8, at a character, leaving no blank or dot at the end."""
    encoded = text.encode()
    if len(encoded) <= most:
        return text
    return encoded[:most].decode(errors="ignore").rstrip(" .") or "_"
