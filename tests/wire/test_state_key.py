"""The state key on its way to one device: it opens there alone, and only as the device list names it."""

from __future__ import annotations

import pytest

from tests.harness.entropy import SeededEntropy
from wire.channel.primitives import HPKE_PRIVATE_BYTES, HPKE_PUBLIC_BYTES, hpke_public
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId, IdentityKey
from wire.mailbox import Prekey
from wire.messages.accounts import StateKeyCopy
from wire.state_key import open_state_key, seal_state_key, state_key_hash

ENTROPY = SystemEntropy()
PRIVATE = SeededEntropy(b"state key").bytes(HPKE_PRIVATE_BYTES)
ALICE, MALLORY = IdentityKey(b"a" * 32), IdentityKey(b"m" * 32)
LAPTOP, DESKTOP = DeviceId(b"l" * 16), DeviceId(b"d" * 16)
KEY = b"\x07" * 32
PREKEY = Prekey(LAPTOP, 3, False, 1000, hpke_public(PRIVATE))
COPY = seal_state_key(KEY, ALICE, PREKEY, ENTROPY)


def test_the_device_it_is_sealed_to_opens_it() -> None:
    assert (COPY.device, COPY.prekey) == (LAPTOP, 3)
    assert open_state_key(COPY, PRIVATE, ALICE, state_key_hash(KEY)) == KEY


@pytest.mark.parametrize(
    ("copy", "identity"),
    [
        (COPY, MALLORY),
        (StateKeyCopy(DESKTOP, COPY.prekey, COPY.sealed), ALICE),
        (StateKeyCopy(LAPTOP, 4, COPY.sealed), ALICE),
        (StateKeyCopy(LAPTOP, 3, COPY.sealed[:-1] + bytes((COPY.sealed[-1] ^ 1,))), ALICE),
    ],
    ids=["of another account", "to another device", "to another prekey", "damaged"],
)
def test_what_was_sealed_otherwise_does_not_open(copy: StateKeyCopy, identity: IdentityKey) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        open_state_key(copy, PRIVATE, identity, state_key_hash(KEY))
    assert caught.value.code is Code.STATE_INVALID


def test_a_key_that_the_device_list_does_not_name_counts_as_none() -> None:
    forged = seal_state_key(b"\x66" * 32, ALICE, PREKEY, ENTROPY)
    with pytest.raises(RemoteProtocolError, match="another state key") as caught:
        open_state_key(forged, PRIVATE, ALICE, state_key_hash(KEY))
    assert caught.value.code is Code.STATE_INVALID


def test_nothing_is_sealed_to_a_prekey_that_is_no_key() -> None:
    bad = Prekey(LAPTOP, 3, False, 1000, b"\xff" * HPKE_PUBLIC_BYTES)
    with pytest.raises(RemoteProtocolError) as caught:
        seal_state_key(KEY, ALICE, bad, ENTROPY)
    assert caught.value.code is Code.PREKEY_INVALID
