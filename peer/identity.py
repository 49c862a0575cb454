"""The key file: this device's secrets on disk, sealed under the password or by file mode alone.

    MessagePack of [version, seal, salt, memory, passes, lanes, name, content, digest]

seal: 0 none (mode 0600 is all there is), 1 the password: then content is a box (`wire.vault.seal_box`) under
the wrap key that Argon2id gives for the password, the name and this file's own salt. digest: SHA-256 of the
same with an empty digest, so that damage is told from a wrong password. Written to a temporary
file, synced, renamed, and the folder synced; the former generation stays beside it, so that no crash leaves
a home without keys.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from msgspec import Meta, structs

from peer.errors import PeerError
from peer.locations import Locations
from wire import limits
from wire.address import TrackerAddress
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import WireError
from wire.identity import DeviceKeys
from wire.identity.packing import Packed, pack, unpack
from wire.ids import AccountName, DeviceIdField, IdentityKeyField
from wire.machine import Entropy
from wire.vault import (
    NO_TRACKER,
    KdfParameters,
    derive_keys,
    open_box,
    seal_box,
)

VERSION = 1
UNSEALED = 0
BY_PASSWORD = 1
MOST_BYTES = 64 * limits.KIB
Secret32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
MemoryKib = Annotated[
    int, Meta(ge=0, le=4 * 1024 * 1024)
]  # 4 GiB: what is more was not written by us
Small = Annotated[int, Meta(ge=0, le=255)]


@dataclass(frozen=True, slots=True)
class Seal:
    """How a key file is sealed. kdf: how the password gives `key`, 32 bytes; None where nothing seals it."""

    kind: int
    kdf: KdfParameters = field(repr=False)
    key: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Profile:
    """Who this home is, with its secrets; a `repr` shows none.

    state_key: 32 bytes. vault: sealed, as the tracker has it. kdf: how the account's password opens it. seal: of the
    key file it was read from, so that a node which runs can write it anew; it gives nothing that is not here.
    """

    name: AccountName
    tracker: TrackerAddress | None
    keys: DeviceKeys
    state_key: bytes = field(repr=False)
    vault: bytes = field(repr=False)
    vault_counter: int
    kdf: KdfParameters = field(repr=False)
    seal: Seal | None = field(default=None, repr=False, compare=False)


class _Outer(Packed, frozen=True):
    version: int
    seal: int
    salt: bytes
    memory_kib: MemoryKib
    passes: Small
    lanes: Small
    name: str
    content: bytes
    digest: bytes = b""


class _Content(Packed, frozen=True):
    tracker: str
    device: DeviceIdField
    identity: IdentityKeyField
    link_private: Secret32
    signing_seed: Secret32
    certificate: bytes
    device_list: bytes
    state_key: Secret32
    vault: bytes
    vault_counter: int
    salt: bytes
    memory_kib: int
    passes: int
    lanes: int

    def __repr__(self) -> str:
        """Say nothing of the keys."""
        return "_Content(...)"


def has_key_file(locations: Locations) -> bool:
    """Say whether this home has keys, whole or not."""
    return locations.key_file.exists() or locations.key_file_before.exists()


def check_keys_are_there(locations: Locations, name: str) -> None:
    """Raise PeerError(KEY_FILE_INVALID) where the keys of a home with an account are gone.

    Nobody makes new ones in their place: that would be another identity under the same name.
    """
    if not has_key_file(locations):
        raise PeerError(
            Code.KEY_FILE_INVALID, f"the keys of {name}, {locations.key_file}, are gone"
        )


def is_sealed(locations: Locations) -> bool:
    """Say whether a password is needed to use this home's keys."""
    return _read_outer(locations)[0].seal == BY_PASSWORD


def write_key_file(
    locations: Locations,
    profile: Profile,
    password: str | None,
    entropy: Entropy,
    *,
    keep_former: bool = True,
) -> None:
    """Write the keys; password: seals them, None leaves them to the file's mode.

    keep_former: let the former generation stay beside; else it is written over once the new one stands, since
    another password opens it. Raises PeerError with NO_SPACE or HOME_UNUSABLE; the former file stands then.
    """
    own_kdf = KdfParameters(entropy.bytes(16))
    seal = Seal(UNSEALED, own_kdf)
    if password is not None:
        wrap = derive_keys(password, profile.name, NO_TRACKER, own_kdf).wrap_key
        seal = Seal(BY_PASSWORD, own_kdf, wrap)
    _write(locations, profile, seal, entropy, keep_former=keep_former)


def rewrite_key_file(locations: Locations, profile: Profile, entropy: Entropy) -> None:
    """Write the keys anew, sealed as the file was that the profile was read from; raises as `write_key_file`."""
    assert profile.seal is not None
    _write(locations, profile, profile.seal, entropy, keep_former=True)


def _write(
    locations: Locations, profile: Profile, seal: Seal, entropy: Entropy, *, keep_former: bool
) -> None:
    keys = profile.keys
    content = pack(
        _Content(
            tracker="" if profile.tracker is None else str(profile.tracker),
            device=keys.device,
            identity=keys.identity,
            link_private=keys.link_private,
            signing_seed=keys.signing_seed,
            certificate=keys.certificate,
            device_list=keys.device_list,
            state_key=profile.state_key,
            vault=profile.vault,
            vault_counter=profile.vault_counter,
            salt=profile.kdf.salt,
            memory_kib=profile.kdf.memory_kib,
            passes=profile.kdf.passes,
            lanes=profile.kdf.lanes,
        )
    )
    if seal.key is not None:
        content = seal_box(seal.key, "key-file", content, profile.name.encode(), entropy)
    outer = _Outer(
        VERSION,
        seal.kind,
        seal.kdf.salt,
        seal.kdf.memory_kib,
        seal.kdf.passes,
        seal.kdf.lanes,
        profile.name,
        content,
    )
    raw = pack(structs.replace(outer, digest=_digest(outer)))
    try:
        _replace(locations, raw)
        if not keep_former:
            _put(locations, raw, locations.key_file_before)
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = Code.NO_SPACE if is_full else Code.HOME_UNUSABLE
        raise PeerError(code, f"{locations.key_file}: {error.strerror}") from error


def read_key_file(locations: Locations, password: Callable[[], str | None]) -> Profile:
    """Read the keys; password: asked only if the file is sealed.

    Raises PeerError with NOT_REGISTERED, KEY_FILE_INVALID, KEY_FILE_MODE, LOCKED or WRONG_PASSWORD; never
    makes a new identity.
    """
    outer, path = _read_outer(locations)
    content = outer.content
    kdf = KdfParameters(outer.salt, outer.memory_kib, outer.passes, outer.lanes)
    seal = Seal(outer.seal, kdf)
    if outer.seal == BY_PASSWORD:
        given = password()
        if given is None:
            raise PeerError(Code.LOCKED)
        try:
            wrap = derive_keys(given, AccountName(outer.name), NO_TRACKER, kdf).wrap_key
            content = open_box(wrap, "key-file", content, outer.name.encode(), Code.WRONG_PASSWORD)
            seal = Seal(outer.seal, kdf, wrap)
        except WireError as error:
            raise PeerError(
                error.code,
                f"the password does not open {path}",
                remedy="try again; if it was changed on another device, or the change was cut short here,"
                " the former one opens it, and hobnob passwd with both brings it up to date",
            ) from error
    try:
        inner = unpack(_Content, content, Code.KEY_FILE_INVALID)
        tracker = TrackerAddress.parse(inner.tracker) if inner.tracker else None
    except WireError as error:
        raise PeerError(Code.KEY_FILE_INVALID, f"{path} is damaged") from error
    keys = DeviceKeys(
        device=inner.device,
        identity=inner.identity,
        link_private=inner.link_private,
        signing_seed=inner.signing_seed,
        certificate=inner.certificate,
        device_list=inner.device_list,
    )
    return Profile(
        name=AccountName(outer.name),
        tracker=tracker,
        keys=keys,
        state_key=inner.state_key,
        vault=inner.vault,
        vault_counter=inner.vault_counter,
        kdf=KdfParameters(inner.salt, inner.memory_kib, inner.passes, inner.lanes),
        seal=seal,
    )


def _read_outer(locations: Locations) -> tuple[_Outer, Path]:
    """Give the newest generation that is whole."""
    failure: PeerError | None = None
    for path in (locations.key_file, locations.key_file_before):
        try:
            raw = _read_private(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PeerError(Code.KEY_FILE_INVALID, f"{path}: {error.strerror}") from error
        try:
            outer = unpack(_Outer, raw, Code.KEY_FILE_INVALID)
        except WireError as error:
            failure = PeerError(Code.KEY_FILE_INVALID, f"{path} is damaged")
            failure.__cause__ = error
            continue
        if outer.version != VERSION or outer.seal not in (UNSEALED, BY_PASSWORD):
            raise PeerError(
                Code.KEY_FILE_INVALID,
                f"{path} has version {outer.version}, this program reads {VERSION}",
                remedy="update this program",
            )
        if outer.digest != _digest(outer):
            failure = PeerError(Code.KEY_FILE_INVALID, f"{path} is damaged")
            continue
        return outer, path
    raise failure or PeerError(Code.NOT_REGISTERED)


def _digest(outer: _Outer) -> bytes:
    return sha256(pack(structs.replace(outer, digest=b"")))


def _is_whole(path: Path) -> bool:
    try:
        outer = unpack(_Outer, path.read_bytes()[:MOST_BYTES], Code.KEY_FILE_INVALID)
    except (OSError, WireError):
        return False
    return outer.version != VERSION or outer.digest == _digest(outer)


def _read_private(path: Path) -> bytes:
    # O_NONBLOCK: a pipe in the place of the keys must not hold whoever opens it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise PeerError(Code.KEY_FILE_INVALID, f"{path} is no regular file")
        if facts.st_uid != os.geteuid():
            raise PeerError(
                Code.KEY_FILE_MODE,
                f"{path} belongs to another user",
                remedy=f"run this as its owner, or: chown {os.geteuid()} {path}",
            )
        if stat.S_IMODE(facts.st_mode) & 0o077:
            raise PeerError(
                Code.KEY_FILE_MODE,
                f"{path} can be read by others",
                remedy=f"run: chmod 600 {path}",
            )
        return file.read(MOST_BYTES)


def _replace(locations: Locations, raw: bytes) -> None:
    """Put a file in place of the present one, which becomes the former generation."""
    _write_fresh(locations, raw)
    if _is_whole(locations.key_file):  # a damaged one never takes the place of a good former one
        os.replace(locations.key_file, locations.key_file_before)  # noqa: PTH105 - a rename, as named
    _settle(locations, locations.key_file)


def _put(locations: Locations, raw: bytes, path: Path) -> None:
    """Put a file in place of one generation."""
    _write_fresh(locations, raw)
    _settle(locations, path)


def _write_fresh(locations: Locations, raw: bytes) -> None:
    fresh = locations.key_file_fresh
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def _settle(locations: Locations, path: Path) -> None:
    os.replace(locations.key_file_fresh, path)  # noqa: PTH105 - a rename, as named
    folder = os.open(locations.home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
