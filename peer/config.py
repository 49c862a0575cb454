"""What a person may set (`config.toml`), and what a node remembers of its last run (`last-run`).

The two differ in blame: a setting that is wrong is named by file and line and nothing starts; a note of
ours that is damaged is as good as none.

    [downloads]
    folder = "/srv/incoming"

    [tracker]
    socks5 = "NAME:PASSWORD@127.0.0.1:9050"
"""

from __future__ import annotations

import json
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from peer.errors import PeerError
from peer.locations import Locations
from peer.reach.socks5 import Proxy
from wire.codes import Code

MOST_BYTES = 64 * 1024
"""A configuration a person writes is far smaller; a wrong file is refused without reading it whole."""

KEYS: dict[str, type] = {"downloads.folder": str, "tracker.socks5": str}
"""Every key and the type of its value."""


class Config(Struct, frozen=True):
    """The settings of one home. downloads_folder: absolute, or None for the default. socks5: the tracker's proxy."""

    downloads_folder: Path | None = None
    socks5: Proxy | None = None


class LastRun(Struct, frozen=True):
    """What helps the next run to be found again. port: 0 if unknown."""

    port: int = 0
    was_over_loopback: bool = False  # the tracker link: then friends are reached there, too


def read_config(locations: Locations) -> Config:
    """Read the settings; a missing file is the default.

    Raises PeerError(CONFIG_INVALID) with file:line, the key, what was expected and the nearest key.
    """
    path = locations.config
    text = _read_text(path)
    if text is None:
        return Config()
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid(f"{path}:{_line_in(str(error))}: {error}") from error
    except (RecursionError, ValueError) as error:
        raise _invalid(f"{path}:1: {error}") from error
    found = dict(_flatten(tree))
    for key, value in found.items():
        wanted = KEYS.get(key)
        where = f"{path}:{_line_of(text, key)}"
        if wanted is None:
            nearest = get_close_matches(key, KEYS, 1, 0.5)
            hint = f", did you mean {nearest[0]}?" if nearest else ""
            raise _invalid(f"{where}: there is no setting {key!r}{hint}")
        if type(value) is not wanted:
            raise _invalid(
                f"{where}: {key} is a {wanted.__name__}, this is a {type(value).__name__}"
            )
    proxy = None
    if isinstance(named := found.get("tracker.socks5"), str):
        try:
            proxy = Proxy.parse(named)
        except ValueError as error:
            where = f"{path}:{_line_of(text, 'tracker.socks5')}"
            raise _invalid(f"{where}: tracker.socks5 is {error}") from error
    folder = found.get("downloads.folder")
    if folder is None:
        return Config(socks5=proxy)
    assert isinstance(folder, str)
    given = Path(folder).expanduser() if folder else Path()
    if not given.is_absolute() or "\0" in folder:
        where = f"{path}:{_line_of(text, 'downloads.folder')}"
        raise _invalid(f"{where}: downloads.folder is an absolute path")
    return Config(downloads_folder=given, socks5=proxy)


def read_last_run(locations: Locations) -> LastRun:
    """Give what the last run left, or the default where that is missing or damaged."""
    try:
        with locations.last_run.open("rb") as file:
            noted = json.loads(file.read(MOST_BYTES))
        port, over_loopback = noted["port"], noted["over_loopback"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return LastRun()
    if type(port) is not int or not 0 <= port <= 65535 or type(over_loopback) is not bool:
        return LastRun()
    return LastRun(port, over_loopback)


def write_last_run(locations: Locations, last_run: LastRun) -> None:
    """Note it for the next run; a disk that does not take it is no reason to stop."""
    noted = {"port": last_run.port, "over_loopback": last_run.was_over_loopback}
    try:
        locations.write_private(locations.last_run, json.dumps(noted).encode())
    except OSError:
        return


def _read_text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _invalid(f"{path}: cannot be read ({error.strerror})") from error
    if len(raw) > MOST_BYTES:
        raise _invalid(f"{path}: is larger than {MOST_BYTES} bytes")
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise _invalid(f"{path}:{line}: is no UTF-8 text") from error


def _flatten(tree: dict[str, object], prefix: str = "") -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            flat += _flatten(value, f"{prefix}{key}.")
        else:
            flat.append((f"{prefix}{key}", value))
    return flat


def _line_of(text: str, key: str) -> int:
    """Give the line a key stands on: the last part of its name, assigned."""
    last = re.escape(key.rsplit(".", 1)[-1])
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(rf"(^|[\s.\"'{{,]){last}[\"']?\s*=", line):
            return number
    return 1


def _line_in(sentence: str) -> int:
    """Give the line that tomllib names in its sentence, which is where it says so."""
    named = re.search(r"at line (\d+)", sentence)
    return int(named[1]) if named else 1


def _invalid(detail: str) -> PeerError:
    return PeerError(Code.CONFIG_INVALID, detail)
