"""The state key on its way to the devices that stay when one is revoked: sealed to each of them.

    copy = HPKE (RFC 9180, base mode) with MLKEM768-X25519, HKDF-SHA256, AES-256-GCM to a prekey of the device
    info = "hobnob/v1/state-key" | 0 | identity | device | prekey number (8 bytes)

Whoever sealed a copy is not believed for it: the newest device list, which the identity signed, names the
SHA-256 of the state key, and a copy that holds another one counts as none.
"""

from __future__ import annotations

from wire.channel.primitives import hpke_open, sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId, IdentityKey
from wire.machine import Entropy
from wire.mailbox import Prekey
from wire.messages.accounts import StateKeyCopy


def state_key_hash(state_key: bytes) -> bytes:
    """Give what a device list names a state key by; state_key: 32 random bytes, secret."""
    return sha256(state_key)


def seal_state_key(
    state_key: bytes, identity: IdentityKey, prekey: Prekey, entropy: Entropy
) -> StateKeyCopy:
    """Seal the state key to one device of the account.

    state_key: 32 bytes, secret. prekey: verified. Raises RemoteProtocolError(PREKEY_INVALID) for a key that is none.
    """
    info = _info(identity, prekey.device, prekey.number)
    try:
        sealed = entropy.seal(state_key, prekey.public, info)
    except ValueError as error:
        raise RemoteProtocolError(Code.PREKEY_INVALID, "a prekey that is no key") from error
    return StateKeyCopy(prekey.device, prekey.number, sealed)


def open_state_key(
    copy: StateKeyCopy, private: bytes, identity: IdentityKey, expected_hash: bytes
) -> bytes:
    """Open a copy; gives the state key, 32 bytes, secret.

    private: HPKE_PRIVATE_BYTES, secret, of the prekey it names. expected_hash: as the newest device list has
    it. Raises RemoteProtocolError(STATE_INVALID) for everything else.
    """
    info = _info(identity, copy.device, copy.prekey)
    key = hpke_open(private, info, copy.sealed, Code.STATE_INVALID)
    if state_key_hash(key) != expected_hash:
        raise RemoteProtocolError(Code.STATE_INVALID, "a copy of another state key")
    return key


def _info(identity: IdentityKey, device: DeviceId, prekey: int) -> bytes:
    return b"hobnob/v1/state-key\0" + identity + device + prekey.to_bytes(8, "big")
