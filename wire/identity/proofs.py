"""Signatures that hold on one link only: they cover its handshake hash, so no replay fits another."""

from __future__ import annotations

from wire.identity.sign import SignPurpose, sign, verify
from wire.ids import AccountName, AuthKey, IdentityKey


def register_proof(
    identity_seed: bytes, name: AccountName, tracker_key: bytes, handshake_hash: bytes
) -> bytes:
    """Sign with the identity that it takes this name at this tracker, on this link; 64 bytes."""
    return sign(identity_seed, SignPurpose.REGISTER, name.encode(), tracker_key, handshake_hash)


def check_register_proof(
    identity: IdentityKey,
    signature: bytes,
    name: AccountName,
    tracker_key: bytes,
    handshake_hash: bytes,
) -> None:
    """Verify `register_proof`; raises RemoteProtocolError with SIGNATURE_INVALID."""
    verify(identity, SignPurpose.REGISTER, signature, name.encode(), tracker_key, handshake_hash)


def login_proof(
    auth_seed: bytes, name: AccountName, tracker_key: bytes, handshake_hash: bytes
) -> bytes:
    """Sign with the key derived from the password, on this link; 64 bytes."""
    return sign(auth_seed, SignPurpose.LOGIN, name.encode(), tracker_key, handshake_hash)


def check_login_proof(
    auth_key: AuthKey,
    signature: bytes,
    name: AccountName,
    tracker_key: bytes,
    handshake_hash: bytes,
) -> None:
    """Verify `login_proof`; raises RemoteProtocolError with SIGNATURE_INVALID."""
    verify(auth_key, SignPurpose.LOGIN, signature, name.encode(), tracker_key, handshake_hash)


def password_proof(
    auth_seed: bytes,
    name: AccountName,
    tracker_key: bytes,
    handshake_hash: bytes,
    following: AuthKey,
    vault: bytes,
) -> bytes:
    """Sign with the key of the former password, on this link, what takes its place; 64 bytes.

    following: the public key of the new password. vault: as it is sealed by the new password.
    """
    fields = (name.encode(), tracker_key, handshake_hash, following, vault)
    return sign(auth_seed, SignPurpose.PASSWORD, *fields)


def check_password_proof(
    auth_key: AuthKey,
    signature: bytes,
    name: AccountName,
    tracker_key: bytes,
    handshake_hash: bytes,
    following: AuthKey,
    vault: bytes,
) -> None:
    """Verify `password_proof`; raises RemoteProtocolError with SIGNATURE_INVALID."""
    fields = (name.encode(), tracker_key, handshake_hash, following, vault)
    verify(auth_key, SignPurpose.PASSWORD, signature, *fields)


def deletion_proof(
    auth_seed: bytes, name: AccountName, tracker_key: bytes, handshake_hash: bytes
) -> bytes:
    """Sign with the key derived from the password, on this link, that the account shall go; 64 bytes."""
    fields = (name.encode(), tracker_key, handshake_hash)
    return sign(auth_seed, SignPurpose.DELETE_ACCOUNT, *fields)


def check_deletion_proof(
    auth_key: AuthKey,
    signature: bytes,
    name: AccountName,
    tracker_key: bytes,
    handshake_hash: bytes,
) -> None:
    """Verify `deletion_proof`; raises RemoteProtocolError with SIGNATURE_INVALID."""
    fields = (name.encode(), tracker_key, handshake_hash)
    verify(auth_key, SignPurpose.DELETE_ACCOUNT, signature, *fields)
