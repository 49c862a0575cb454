"""Targets on this machine: what lies on its disk, what comes to its control sockets, what a terminal shows.

Nobody hostile writes these, but disks tear and flash forgets: damage is named, and nothing worse happens.
"""

from __future__ import annotations

import atexit
import itertools
import json
import shutil
import struct
import tempfile
import zlib
from functools import cache
from pathlib import Path

import msgspec

from peer import api
from peer.cli.plain import clean, clean_block
from peer.config import read_config, read_last_run
from peer.control import server as peer_control
from peer.errors import PeerError
from peer.identity import Profile, _digest, _Outer, read_key_file, seal_of, write_key_file
from peer.locations import Locations
from peer.transfers import notes as reading
from peer.transfers.journal import ENTRY, HEADER, Kind, header
from tests.fuzz.target import Shape, Target, check
from tests.harness.disks import MemoryDisk
from tests.harness.entropy import SeededEntropy
from tests.peer.transfers import landings
from tests.wire.link.sides import ALICE
from tracker import control as tracker_control
from tracker.config import parse_limits, parse_listen
from tracker.errors import TrackerError
from wire.address import TrackerAddress
from wire.codes import Code
from wire.identity.packing import pack, unpack
from wire.ids import AccountName, LinkKey
from wire.vault import KdfParameters

_PROOFS = (Kind.PROOF, Kind.SYNCED)


@cache
def own_home() -> Locations:
    """A folder that goes when the program ends."""
    memory = Path("/dev/shm")  # five times as fast as a disk, where there is one
    place = memory if memory.is_dir() else None
    folder = Path(tempfile.mkdtemp(prefix="hobnob-fuzz-", dir=place))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    locations = Locations(folder)
    locations.prepare()
    return locations


# --- the key file


def _profile() -> Profile:
    return Profile(
        name=AccountName("alice"),
        tracker=TrackerAddress("tracker.example", 9797, LinkKey(b"k" * 32)),
        keys=ALICE,
        state_key=b"s" * 32,
        vault=b"sealed",
        vault_counter=1,
        kdf=KdfParameters(b"s" * 16),
    )


def read_keys(data: bytes) -> None:
    """Read a key file as it lies there (0), or with the checksum of whatever is in it."""
    raw = data[1:]
    if data[:1] not in (b"", b"\0"):
        try:
            outer = unpack(_Outer, raw)
            raw = pack(msgspec.structs.replace(outer, digest=_digest(outer)))
        except Exception:  # noqa: BLE001 - not even a key file: read as it is
            raw = data[1:]
    home = own_home()
    home.key_file.write_bytes(raw)
    home.key_file.chmod(0o600)
    try:
        seal_of(home)
        profile = read_key_file(home, lambda: None)
    except PeerError as error:
        known = (Code.KEY_FILE_INVALID, Code.LOCKED, Code.NOT_REGISTERED)
        check(error.code in known, f"{error.code} from a key file")
        return
    check("link_private" not in repr(profile), "a secret stands in a repr")


def _key_files() -> list[bytes]:
    home = own_home()
    write_key_file(home, _profile(), None, SeededEntropy(1))
    unsealed = home.key_file.read_bytes()
    write_key_file(home, _profile(), "seven purple owls", SeededEntropy(1))
    sealed = home.key_file.read_bytes()
    home.key_file_before.unlink(missing_ok=True)
    return [mode + raw for raw in (unsealed, sealed) for mode in (b"\0", b"\1")]


# --- the journal of a transfer


def _with_proofs(entries: bytes) -> bytes:
    """Put the right checksum behind every proof."""
    start = bytearray(header(landings.KEY, b"m" * 32))
    for at in range(0, len(entries) - ENTRY.size + 1, ENTRY.size):
        entry = entries[at : at + ENTRY.size]
        if entry[0] in _PROOFS:
            entry = entry[:-4] + zlib.crc32(start + entry[:-4]).to_bytes(4, "big")
        start += entry
    return bytes(start)


def read_journal(data: bytes) -> None:
    """Read a journal: its bytes (0), or entries whose proofs are right."""
    raw = data[1:] if data[:1] in (b"", b"\0") else _with_proofs(data[1:])
    disk = MemoryDisk(landings.ROOT)
    disk.put("journal", raw)
    descriptor = disk.open(b"journal", 0, dir_fd=disk.open(landings.ROOT, 0))
    reading.recognise(raw[: HEADER.size], landings.KEY, b"m" * 32)
    notes = reading.read(disk, descriptor)
    check(notes.size <= max(len(raw), HEADER.size), "more counts than there is")
    check((notes.size - HEADER.size) % ENTRY.size == 0, "half an entry counts")
    if len(raw) >= HEADER.size:
        check(notes.check == zlib.crc32(raw[: notes.size]), "the checksum is of other bytes")
    for several in notes.several.values():
        for index in itertools.islice(several.known.indexes(), 50):
            digest = several.digest(index)
            check(digest is None or len(digest) == 32, "a digest of another length")


@cache
def _interrupted() -> tuple[MemoryDisk, bytes]:
    """A transfer that stopped in the middle: the disk, and its journal's bytes."""
    disk = MemoryDisk(landings.ROOT)
    sink = landings.open_sink(disk)
    landings.bring(sink)
    sink.close()
    disk.reboot()
    return disk, bytes(disk.node(f"stuff{landings.WORK}/journal").data)


def restore(data: bytes) -> None:
    """Go on with a transfer whose journal is something else (0), or was forged with the right proofs."""
    disk = _interrupted()[0].copy()
    is_forged = data[:1] not in (b"", b"\0")
    node = disk.node(f"stuff{landings.WORK}/journal")
    start = bytes(node.data[: HEADER.size])
    raw = data[1:]
    if is_forged:
        raw = start + _with_proofs(data[1:])[HEADER.size :]
        raw = _reproven(raw)
    node.data[:] = raw
    try:
        sink = landings.open_sink(disk)
    except PeerError:
        return
    try:
        if is_forged:
            for found in sink.restored():
                list(found.chunks)
        else:
            list(landings.missing_of(sink))  # what is said to be right is right
    finally:
        sink.close()


def _reproven(raw: bytes) -> bytes:
    made = bytearray(raw[: HEADER.size])
    for at in range(HEADER.size, len(raw) - ENTRY.size + 1, ENTRY.size):
        entry = raw[at : at + ENTRY.size]
        if entry[0] in _PROOFS:
            entry = entry[:-4] + zlib.crc32(made + entry[:-4]).to_bytes(4, "big")
        made += entry
    return bytes(made)


def _journals() -> list[bytes]:
    _, journal = _interrupted()
    entries = b"".join(
        ENTRY.pack(kind, file, first, content)
        for kind, file, first, content in (
            (Kind.ASKED, 1, 0, struct.pack(">I", 3)),
            (Kind.CHUNK, 1, 0, b"d" * 32),
            (Kind.ZEROS, 1, 1, struct.pack(">I", 2)),
            (Kind.SYNCED, 0, 0, struct.pack(">Q", 3)),
            (Kind.CHUNK, 2, 0, b"e" * 32),
            (Kind.WHOLE, 2, 0, b""),
            (Kind.PROOF, 0, 0, b""),
            (Kind.PINNED, 1, 0, struct.pack(">QQ", 5, 6)),
            (Kind.DROPPED, 1, 0, struct.pack(">I", 1)),
            (Kind.SYNCED, 0, 0, struct.pack(">Q", 7)),
            (Kind.FILES, 0, 0, struct.pack(">I", 4)),
            (Kind.FAILED, 2, 0, b"file-unreadable"),
            (Kind.LANDING, 0, 1, b""),
            (Kind.PROOF, 0, 0, b""),
        )
    )
    return [b"\0" + journal, b"\1" + entries, b"\1" + journal[HEADER.size :]]


# --- what is typed into files


def read_settings(data: bytes) -> None:
    """Read the same text as configuration, as a note of the last run, and as a tracker's options."""
    home = own_home()
    home.config.write_bytes(data)
    home.last_run.write_bytes(data)
    try:
        read_config(home)
    except PeerError as error:
        check(error.code is Code.CONFIG_INVALID, f"{error.code} from a configuration")
    check(0 <= read_last_run(home).port <= 65535, "a port that cannot be")
    text = data.decode("utf-8", "surrogateescape")
    for parse in (lambda: parse_limits(text.split("\n")), lambda: parse_listen(text)):
        try:
            parse()
        except TrackerError as error:
            known = (Code.CONFIG_INVALID, Code.ADDRESS_INVALID, Code.PORT_INVALID)
            check(error.code in known, f"{error.code} from an option")


_SETTINGS = (
    b'[downloads]\nfolder = "/srv/in"\n',
    b'{"port": 4001, "over_loopback": true}',
    b"lookups=3\nopen_timeout_s=0.5",
    b"[::1]:9797",
)


# --- control sockets


class _NoTransport:
    """What a control connection writes to."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        """Keep a line."""
        self.lines.append(data)

    def abort(self) -> None:
        """Note that it was cut."""
        self.is_aborted = True


def ask_node(data: bytes) -> None:
    """Send a line to a node's control socket."""
    request_id, command = peer_control._read(data)
    if isinstance(command, PeerError):
        check(command.code is Code.USAGE, f"{command.code} from a request")
        json.loads(peer_control._error(request_id, command))
        return
    check(type(command) in api.COMMANDS.values(), "a command that nobody knows")


def ask_tracker(data: bytes) -> None:
    """Send lines to a tracker's control socket, in pieces as long as the first byte says."""

    def handle(do: str, arguments: dict[str, object], reply: tracker_control.Reply) -> None:
        reply.item({"do": do, "with": arguments})
        reply.end()

    connections: set[tracker_control._Connection] = set()
    connection, transport = tracker_control._Connection(handle, connections), _NoTransport()
    connection.transport = transport  # type: ignore[assignment]
    size = 1 + (data[0] if data else 0)
    for at in range(1, len(data), size):
        connection.data_received(data[at : at + size])
        check(len(connection._buffer) <= tracker_control.REQUEST_BYTES + size, "it keeps too much")
    for line in transport.lines:
        answer = json.loads(line)
        check(set(answer) & {"item", "end", "error"}, "an answer that is none")


def _requests() -> list[bytes]:
    found = []
    for name, cls in api.COMMANDS.items():
        fields = {field.name: _plain(field.type) for field in msgspec.inspect.type_info(cls).fields}  # type: ignore[attr-defined]
        found.append(json.dumps({"id": "x", "do": name, "with": fields}).encode())
    return found


def _plain(schema: msgspec.inspect.Type) -> object:
    inspect = msgspec.inspect
    plain: dict[type, object] = {
        inspect.StrType: "alice",
        inspect.IntType: 5,
        inspect.BoolType: True,
        inspect.FloatType: 1.5,
        inspect.NoneType: None,
    }
    if isinstance(schema, inspect.UnionType):
        return _plain(schema.types[0])
    return plain.get(type(schema), [])


# --- what a terminal shows


def show(data: bytes) -> None:
    """Show any text: nothing of it reaches the terminal's controls, lines and accents are bounded."""
    text = data.decode("utf-8", "surrogateescape")
    line, block = clean(text), clean_block(text, "    ")
    for shown in (line, block.replace("\n    ", "").replace("\t", "")):
        check(not any(ord(c) < 32 or 0x7F <= ord(c) < 0xA0 for c in shown), "a control character")
        check(not set(shown) & {"\u202e", "\u202d", "\u2066", "\u200f"}, "text is turned around")
    check("\n" not in line, "one line is several")
    check(block.count("\n") == text.count("\n"), "lines come out of nothing")
    line.encode()  # what could not be printed is written out


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("key-file", read_keys, _key_files, Shape.PACKED, 1),
        Target("journal", read_journal, _journals, Shape.BYTES, 1),
        Target("restoring", restore, _journals, Shape.BYTES, 1),
        Target("settings", read_settings, lambda: list(_SETTINGS), Shape.TEXT, most_bytes=600),
        Target("control-node", ask_node, _requests, Shape.TEXT, most_bytes=2000),
        Target(
            "control-tracker",
            ask_tracker,
            lambda: [b"\xff" + b'{"id": 1, "do": "users", "with": {"online": true}}\n' * 2],
            Shape.TEXT,
            1,
            2000,
        ),
        Target(
            "shown",
            show,
            lambda: [
                "\x1b]52;c;AA\x07 a\r\n\u202egpj.exe e\u0301\u0301\u0301 \U000e0041".encode(),
                b"\xed\xa0\x80" + b"plain\ttext\n" * 3,
            ],
            Shape.TEXT,
            most_bytes=600,
        ),
    ]
