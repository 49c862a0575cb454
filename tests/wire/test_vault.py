"""Passwords become keys; vaults open for the right one, for their name, and never go back."""

from __future__ import annotations

import unicodedata

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.channel.primitives import hkdf, sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.ids import AccountName
from wire.vault import (
    KdfParameters,
    PasswordKeys,
    Vault,
    check_new_password,
    derive_keys,
    normal_password,
    open_box,
    open_vault,
    seal_box,
    seal_vault,
)

ENTROPY = SeededEntropy(b"vault")
NAME = AccountName("alice")
TRACKER = b"\x07" * 32
SALT = KdfParameters(b"s" * 16)
WRAP = b"\x03" * 32
VAULT = Vault(b"\x01" * 32, b"\x02" * 32, 4, 1000)


def refused(code: Code) -> pytest.RaisesExc:
    return pytest.raises(WireError, check=lambda error: error.code is code)


def test_argon2id_of_the_library_is_the_one_of_rfc_9106() -> None:
    """Section 5.3 of the RFC."""
    tag = Argon2id(
        salt=b"\x02" * 16,
        length=32,
        iterations=3,
        lanes=4,
        memory_cost=32,
        ad=b"\x04" * 12,
        secret=b"\x03" * 8,
    ).derive(b"\x01" * 32)
    assert tag.hex() == "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659"


def test_keys_are_derived_as_the_module_says() -> None:
    salt = sha256(b"hobnob/v1/kdf\0alice\0" + TRACKER + SALT.salt)
    root = Argon2id(salt=salt, length=32, iterations=3, lanes=4, memory_cost=65536).derive(
        b"pass word"
    )
    keys = derive_keys("pass word", NAME, TRACKER, SALT)
    assert keys == PasswordKeys(
        hkdf(root, b"", b"hobnob/v1/auth", 32), hkdf(root, b"", b"hobnob/v1/wrap", 32)
    )
    assert len(keys.auth_key) == 32
    assert keys.auth_seed.hex() not in repr(keys)


def test_composed_and_decomposed_passwords_are_one() -> None:
    composed = "pässwörter"
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed
    assert normal_password(composed) == normal_password(decomposed)


def test_a_recovery_key_changes_everything() -> None:
    plain = derive_keys("pass word", NAME, TRACKER, SALT)
    mixed = derive_keys("pass word", NAME, TRACKER, SALT, b"\x05" * 16)
    assert plain.auth_seed != mixed.auth_seed
    assert plain.wrap_key != mixed.wrap_key


@pytest.mark.parametrize(
    "weak",
    [
        KdfParameters(bytes(16), memory_kib=limits.KDF_MEMORY_KIB - 1),
        KdfParameters(bytes(16), passes=limits.KDF_PASSES - 1),
        KdfParameters(bytes(16), lanes=limits.KDF_LANES - 1),
    ],
    ids=["memory", "passes", "lanes"],
)
def test_parameters_below_the_floor_are_refused(weak: KdfParameters) -> None:
    with refused(Code.KDF_TOO_WEAK):
        derive_keys("pass word", NAME, TRACKER, weak)


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("", Code.PASSWORD_WEAK),
        ("7 chars", Code.PASSWORD_WEAK),
        ("password", Code.PASSWORD_WEAK),
        ("Summer2026", Code.PASSWORD_WEAK),
        ("aaaaaaaaaaaa", Code.PASSWORD_WEAK),
        ("nul\0in the middle", Code.PASSWORD_WEAK),
        ("half a pair \ud800", Code.PASSWORD_WEAK),
        ("x" * 1025, Code.PASSWORD_TOO_LONG),
        ("ü" * 600, Code.PASSWORD_TOO_LONG),
    ],
)
def test_bad_new_passwords_are_refused_by_name(password: str, code: Code) -> None:
    with refused(code):
        check_new_password(password)


def test_a_decent_password_is_taken() -> None:
    check_new_password("a pleasant walk to the harbour")
    check_new_password("ü" * 300 + "some more")


def test_a_vault_opens_for_its_key_and_its_name() -> None:
    box = seal_vault(VAULT, WRAP, NAME, ENTROPY)
    assert len(box) <= limits.VAULT_BYTES
    assert open_vault(box, WRAP, NAME) == VAULT
    assert "\\x01" not in repr(VAULT)
    for key, name in ((b"\x04" * 32, NAME), (WRAP, AccountName("bob"))):
        with refused(Code.VAULT_INVALID):
            open_vault(box, key, name)


def test_an_older_vault_than_known_is_a_rollback() -> None:
    box = seal_vault(VAULT, WRAP, NAME, ENTROPY)
    assert open_vault(box, WRAP, NAME, known_counter=4) == VAULT
    with refused(Code.VAULT_ROLLBACK):
        open_vault(box, WRAP, NAME, known_counter=5)


def test_every_flipped_byte_and_every_cut_of_a_vault_is_noticed() -> None:
    box = seal_vault(VAULT, WRAP, NAME, ENTROPY)
    for index in range(len(box)):
        damaged = box[:index] + bytes((box[index] ^ 1,)) + box[index + 1 :]
        with refused(Code.VAULT_INVALID):
            open_vault(damaged, WRAP, NAME)
        with refused(Code.VAULT_INVALID):
            open_vault(box[:index], WRAP, NAME)


def test_two_boxes_of_the_same_content_have_nothing_in_common() -> None:
    one, other = (seal_box(WRAP, "vault", b"content", b"", ENTROPY) for _ in range(2))
    assert one != other
    assert open_box(WRAP, "vault", one, b"", Code.VAULT_INVALID) == b"content"


def test_a_box_for_one_purpose_does_not_open_for_another() -> None:
    box = seal_box(WRAP, "vault", b"content", b"", ENTROPY)
    with pytest.raises(RemoteProtocolError):
        open_box(WRAP, "key-file", box, b"", Code.KEY_FILE_INVALID)


def test_a_box_with_nonsense_inside_is_an_invalid_vault() -> None:
    box = seal_box(WRAP, "vault", b"nonsense", NAME.encode(), ENTROPY)
    with refused(Code.VAULT_INVALID):
        open_vault(box, WRAP, NAME)
