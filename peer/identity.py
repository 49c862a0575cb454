"""The key file: this device's secrets on disk, sealed under keyring or password, or by file mode alone.

    MessagePack of [version, seal, salt, memory, passes, lanes, name, content, digest]

seal: 0 none (mode 0600 is all there is), 1 the password: then content is a box (`wire.vault.seal_box`) under
the wrap key that Argon2id gives for the password, the name and this file's own salt, 2 the keyring: then it is
[box, spare], the box under a random key that the platform's keyring keeps, the spare that very key under the wrap key,
so that the password opens it where no keyring answers. digest: SHA-256 of the
same with an empty digest, so that damage is told from a wrong password. Written to a temporary
file, synced, renamed, and the folder synced; the former generation stays beside it, so that no crash leaves
a home without keys.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from msgspec import Meta, structs

from peer import keychain
from peer.errors import PeerError
from peer.locations import Locations
from peer.private_files import read_private, settle, write_fresh
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
BY_KEYRING = 2
SEALS = {UNSEALED: "none", BY_PASSWORD: "password", BY_KEYRING: "keyring"}
"""How a key file may be sealed -> the word for it."""

MOST_BYTES = 64 * limits.KIB
Secret32 = Annotated[bytes, Meta(min_length=32, max_length=32)]
MemoryKib = Annotated[
    int, Meta(ge=0, le=4 * 1024 * 1024)
]  # 4 GiB: what is more was not written by us
Small = Annotated[int, Meta(ge=0, le=255)]


@dataclass(frozen=True, slots=True)
class Seal:
    """How a key file is sealed. kdf: how the password opens it. key: 32 bytes; None where nothing seals it.

    spare: the key under the password, where the keyring keeps it.
    """

    kind: int
    kdf: KdfParameters = field(repr=False)
    key: bytes | None = field(default=None, repr=False)
    spare: bytes = b""


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


class _ByKeyring(Packed, frozen=True):
    box: bytes
    spare: bytes


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


def seal_of(locations: Locations) -> str:
    """Say how this home's keys are sealed: `none`, `password` or `keyring`."""
    return SEALS[_read_outer(locations)[0].seal]


def needs_password(locations: Locations) -> bool:
    """Say whether a password is needed to use this home's keys; the keyring may ask its owner meanwhile."""
    outer = _read_outer(locations)[0]
    if outer.seal == BY_KEYRING:
        try:
            keychain.fetch(_place(outer.name, outer.salt))
        except keychain.NoAnswer:
            return True
    return outer.seal == BY_PASSWORD


def forget_kept(locations: Locations) -> None:
    """Have the keyring forget what it keeps for this home's keys, as far as they can be read."""
    with suppress(PeerError):
        outer = _read_outer(locations)[0]
        if outer.seal == BY_KEYRING:
            keychain.forget(_place(outer.name, outer.salt))


def write_key_file(
    locations: Locations,
    profile: Profile,
    password: str | None,
    entropy: Entropy,
    *,
    keep_former: bool = True,
) -> Profile:
    """Write the keys; password: seals them, through the keyring if one answers; None leaves them to the file's mode.

    Gives the profile with the seal that the file has now, for whoever writes it anew later. keep_former: let the former generation stay beside; else it is written over once the new one stands, since
    another password opens it. Raises PeerError with NO_SPACE or HOME_UNUSABLE; the former file stands then.
    """
    own_kdf = KdfParameters(entropy.bytes(16))
    seal = Seal(UNSEALED, own_kdf)
    if password is not None:
        wrap = derive_keys(password, profile.name, NO_TRACKER, own_kdf).wrap_key
        seal = Seal(BY_PASSWORD, own_kdf, wrap)
        kept = entropy.bytes(32)
        if keychain.keep(_place(profile.name, own_kdf.salt), kept):
            spare = seal_box(wrap, "key-file-key", kept, profile.name.encode(), entropy)
            seal = Seal(BY_KEYRING, own_kdf, kept, spare)
    _write(locations, profile, seal, entropy, keep_former=keep_former)
    return replace(profile, seal=seal)


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
    if seal.kind == BY_KEYRING:
        content = pack(_ByKeyring(content, seal.spare))
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
    """Read the keys; password: asked only if the file is sealed, and no keyring opens it.

    Raises PeerError with NOT_REGISTERED, KEY_FILE_INVALID, KEY_FILE_MODE, LOCKED or WRONG_PASSWORD; never
    makes a new identity.
    """
    outer, path = _read_outer(locations)
    seal, content = _unsealed(outer, path, password)
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


def _unsealed(outer: _Outer, path: Path, password: Callable[[], str | None]) -> tuple[Seal, bytes]:
    """Open what an outer holds, by the keyring or the password; gives with it how it was sealed."""
    kdf = KdfParameters(outer.salt, outer.memory_kib, outer.passes, outer.lanes)
    name, content, why = outer.name.encode(), outer.content, ""
    if outer.seal == UNSEALED:
        return Seal(UNSEALED, kdf), content
    spare = b""
    try:
        if outer.seal == BY_KEYRING:
            both = unpack(_ByKeyring, content, Code.KEY_FILE_INVALID)
            content, spare = both.box, both.spare
            try:
                kept = keychain.fetch(_place(outer.name, outer.salt))
                opened = open_box(kept, "key-file", content, name, Code.LOCKED)
                return Seal(BY_KEYRING, kdf, kept, spare), opened
            except (keychain.NoAnswer, WireError) as error:
                why = f"the keyring does not open {path} ({error}), and no password was given"
        given = password()
        if given is None:
            raise PeerError(Code.LOCKED, why)
        key = derive_keys(given, AccountName(outer.name), NO_TRACKER, kdf).wrap_key
        if outer.seal == BY_KEYRING:
            key = open_box(key, "key-file-key", spare, name, Code.WRONG_PASSWORD)
        opened = open_box(key, "key-file", content, name, Code.WRONG_PASSWORD)
        return Seal(outer.seal, kdf, key, spare), opened
    except WireError as error:
        if error.code is Code.KEY_FILE_INVALID:
            raise PeerError(error.code, f"{path} is damaged") from error
        raise PeerError(
            error.code,
            f"the password does not open {path}",
            remedy="try again; if it was changed on another device, or the change was cut short here,"
            " the former one opens it, and hobnob passwd with both brings it up to date",
        ) from error


def _place(name: str, salt: bytes) -> str:
    """Give what the key of one generation of a key file is called in the keyring."""
    return f"{name} {salt.hex()}"


def _read_outer(locations: Locations) -> tuple[_Outer, Path]:
    """Give the newest generation that is whole."""
    failure: PeerError | None = None
    for path in (locations.key_file, locations.key_file_before):
        try:
            raw = read_private(path, MOST_BYTES)
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
        if outer.version != VERSION or outer.seal not in SEALS:
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


def _replace(locations: Locations, raw: bytes) -> None:
    """Put a file in place of the present one, which becomes the former generation."""
    write_fresh(locations.key_file_fresh, raw)
    if _is_whole(locations.key_file):  # a damaged one never takes the place of a good former one
        os.replace(locations.key_file, locations.key_file_before)  # noqa: PTH105 - a rename, as named
    settle(locations.key_file_fresh, locations.key_file)


def _put(locations: Locations, raw: bytes, path: Path) -> None:
    """Put a file in place of one generation."""
    write_fresh(locations.key_file_fresh, raw)
    settle(locations.key_file_fresh, path)
