"""From a password to keys, and what those keys seal: the vault, the key file's box, the account state.

The tracker keeps the vault and the public half of `auth`; it sees neither the password nor what is in the
vault, and it never runs Argon2. Whoever holds its disk can guess weak passwords offline at the price of
one Argon2id each: the floors below set that price, a recovery key closes the door.

    salt  = SHA-256("hobnob/v1/kdf" | 0 | name | 0 | tracker key | 16 random bytes of the client)
    root  = Argon2id(password in NFC, salt, 64 MiB, 3 passes, 4 lanes)          RFC 9106
    root' = HKDF(root, salt: recovery key, "hobnob/v1/recovery")                 if there is one
    auth  = HKDF(root', "", "hobnob/v1/auth")    wrap = HKDF(root', "", "hobnob/v1/wrap")

A box is `32 random bytes | AES-256-GCM under HKDF(key, those bytes, purpose), nonce 0`: a fresh key for
every box, so that no nonce can come twice.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field
from typing import Annotated

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from msgspec import Meta, Struct

from wire import limits
from wire.channel.primitives import hkdf, open_, seal, sha256
from wire.codes import Code
from wire.common_passwords import COMMON_PASSWORDS
from wire.errors import RemoteProtocolError, WireError
from wire.identity.packing import Packed, pack, unpack
from wire.identity.sign import public_of
from wire.ids import AccountName, AuthKey, Counter, Millis
from wire.machine import Entropy

NO_TRACKER = bytes(32)
"""What stands for the tracker's key in the salt of an account that has no tracker."""

BOX_SALT_BYTES = 32
Secret32 = Annotated[bytes, Meta(min_length=32, max_length=32)]


class KdfParameters(Struct, frozen=True):
    """How one account's password becomes keys; public.

    salt: 16 random bytes of the client that registered. memory_kib, passes, lanes: Argon2id's m, t, p.
    """

    salt: bytes
    memory_kib: int = limits.KDF_MEMORY_KIB
    passes: int = limits.KDF_PASSES
    lanes: int = limits.KDF_LANES


@dataclass(frozen=True, slots=True)
class PasswordKeys:
    """What a password gives: 32 bytes each, secret. auth_seed signs logins, wrap_key seals the vault."""

    auth_seed: bytes = field(repr=False)
    wrap_key: bytes = field(repr=False)

    @property
    def auth_key(self) -> AuthKey:
        """Give the public half of auth: what the tracker stores."""
        return AuthKey(public_of(self.auth_seed))


class Vault(Packed, frozen=True):
    """What only the password opens: the identity's seed and the key of the account state."""

    identity_seed: Secret32
    state_key: Secret32
    counter: Counter  # one more with every vault; never goes back
    changed: Millis

    def __repr__(self) -> str:
        return f"Vault(counter={self.counter}, changed={self.changed})"


def normal_password(password: str) -> bytes:
    """Give the bytes of a password: NFC, UTF-8, so that all keyboards give the same.

    Raises WireError with PASSWORD_TOO_LONG beyond 1,024 bytes and PASSWORD_WEAK for one with a zero
    character or half a surrogate pair, which no keyboard types.
    """
    if len(password) > limits.PASSWORD_BYTES:
        raise WireError(Code.PASSWORD_TOO_LONG)
    try:
        raw = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError as error:
        raise WireError(Code.PASSWORD_WEAK, "the password is not valid text") from error
    if len(raw) > limits.PASSWORD_BYTES:
        raise WireError(Code.PASSWORD_TOO_LONG)
    if b"\0" in raw:
        raise WireError(Code.PASSWORD_WEAK, "the password has a zero character")
    return raw


def check_new_password(password: str) -> None:
    """Refuse what is guessed at once; raises WireError with PASSWORD_WEAK or PASSWORD_TOO_LONG."""
    normal = normal_password(password).decode()
    if len(normal) < limits.PASSWORD_CHARS_LEAST:
        least = limits.PASSWORD_CHARS_LEAST
        raise WireError(Code.PASSWORD_WEAK, f"the password has fewer than {least} characters")
    lower = normal.lower()
    if lower in COMMON_PASSWORDS or len(set(lower)) <= 2:
        raise WireError(Code.PASSWORD_WEAK, "the password is among the first that anybody tries")


def derive_keys(
    password: str,
    name: AccountName,
    tracker_key: bytes,
    parameters: KdfParameters,
    recovery_key: bytes | None = None,
) -> PasswordKeys:
    """Turn a password into keys; takes 64 MiB and about a tenth of a second, in the caller's thread.

    tracker_key: 32 bytes. recovery_key: 16 bytes, secret, or None. Raises WireError with KDF_TOO_WEAK for
    parameters below the floor: a tracker that asks for less wants to guess.
    """
    if (
        parameters.memory_kib < limits.KDF_MEMORY_KIB
        or parameters.passes < limits.KDF_PASSES
        or parameters.lanes < limits.KDF_LANES
    ):
        raise WireError(Code.KDF_TOO_WEAK)
    purpose = b"hobnob/v1/kdf\0" + name.encode() + b"\0"
    root = Argon2id(
        salt=sha256(purpose + tracker_key + parameters.salt),
        length=32,
        iterations=parameters.passes,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    ).derive(normal_password(password))
    if recovery_key is not None:
        root = hkdf(root, recovery_key, b"hobnob/v1/recovery", 32)
    return PasswordKeys(
        hkdf(root, b"", b"hobnob/v1/auth", 32), hkdf(root, b"", b"hobnob/v1/wrap", 32)
    )


def seal_box(key: bytes, purpose: str, plaintext: bytes, ad: bytes, entropy: Entropy) -> bytes:
    """Seal bytes under a long-lived key; gives 48 bytes more than went in.

    key: 32 bytes, secret. purpose: from the closed set of this module's callers (`vault`, `key-file`,
    `account-state`). ad: what the box must stand beside, authenticated only.
    """
    salt = entropy.bytes(BOX_SALT_BYTES)
    return salt + seal(hkdf(key, salt, b"hobnob/v1/box/" + purpose.encode(), 32), 0, ad, plaintext)


def open_box(key: bytes, purpose: str, box: bytes, ad: bytes, code: Code) -> bytes:
    """Open what `seal_box` sealed; raises RemoteProtocolError with `code` for everything else."""
    if len(box) < BOX_SALT_BYTES + limits.TAG_BYTES:
        raise RemoteProtocolError(code, "a sealed box is cut short")
    salt, sealed = box[:BOX_SALT_BYTES], box[BOX_SALT_BYTES:]
    return open_(hkdf(key, salt, b"hobnob/v1/box/" + purpose.encode(), 32), 0, ad, sealed, code)


def seal_vault(vault: Vault, wrap_key: bytes, name: AccountName, entropy: Entropy) -> bytes:
    """Seal a vault; the account's name stands beside it, so that vaults cannot be swapped."""
    return seal_box(wrap_key, "vault", pack(vault), name.encode(), entropy)


def open_vault(box: bytes, wrap_key: bytes, name: AccountName, *, known_counter: int = 0) -> Vault:
    """Open a vault.

    known_counter: the highest counter known here. Raises RemoteProtocolError with VAULT_INVALID for a
    wrong password, a damaged or a swapped one, VAULT_ROLLBACK for one older than known.
    """
    plain = open_box(wrap_key, "vault", box, name.encode(), Code.VAULT_INVALID)
    vault = unpack(Vault, plain, Code.VAULT_INVALID)
    if vault.counter < known_counter:
        raise RemoteProtocolError(
            Code.VAULT_ROLLBACK, f"vault {vault.counter} came, {known_counter} is known"
        )
    return vault
