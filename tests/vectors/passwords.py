"""From a password to keys, and the vault that they seal."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.harness.entropy import RecordedEntropy, SeededEntropy
from tests.vectors.identities import THEN, TRACKER_KEY
from wire.identity.packing import pack
from wire.ids import AccountName
from wire.vault import KdfParameters, Vault, derive_keys, normal_password, seal_vault


def make() -> dict[str, Any]:
    """Give everything that password.json holds."""
    return {
        "about": "argon2_salt = SHA-256('hobnob/v1/kdf', 0, name, 0, tracker_key, salt). The tracker keeps auth_key. "
        "The second has a recovery key; its password is typed in two parts (e, combining acute) and counts in NFC.",
        "vectors": [
            _make("correct horse battery staple", b""),
            _make("cafe\u0301 owl 7", bytes(16)),
        ],
    }


def _make(password: str, recovery_key: bytes) -> dict[str, Any]:
    entropy = SeededEntropy(f"vectors: {password}")
    name = AccountName("alice")
    salt, box_salt = entropy.bytes(16), entropy.bytes(32)
    parameters = KdfParameters(salt)
    keys = derive_keys(password, name, TRACKER_KEY, parameters, recovery_key or None)
    vault = Vault(entropy.bytes(32), entropy.bytes(32), 3, THEN)
    content = b"hobnob/v1/kdf\0" + name.encode() + b"\0" + TRACKER_KEY + salt
    return {
        "password": password,
        "normal": normal_password(password),
        "name": name,
        "tracker_key": TRACKER_KEY,
        "salt": salt,
        "memory_kib": parameters.memory_kib,
        "passes": parameters.passes,
        "lanes": parameters.lanes,
        "recovery_key": recovery_key,
        "argon2_salt": hashlib.sha256(content).digest(),
        "auth_seed": keys.auth_seed,
        "auth_key": keys.auth_key,
        "wrap_key": keys.wrap_key,
        "vault_fields": [vault.identity_seed, vault.state_key, vault.counter, vault.changed],
        "vault_plain": pack(vault),
        "box_salt": box_salt,
        "vault": seal_vault(vault, keys.wrap_key, name, RecordedEntropy([box_salt])),
    }
