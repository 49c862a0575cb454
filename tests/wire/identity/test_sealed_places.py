"""Where a device can be dialled, sealed: who was given the key reads it, and nobody else."""

from __future__ import annotations

import pytest

from tests.harness.entropy import SeededEntropy
from wire.channel.primitives import seal
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import AddressRecord, Host, open_places, seal_places
from wire.identity.friendship import SALT_BYTES, _places_key
from wire.ids import BootId, DeviceId

DEVICE, KEY = DeviceId(b"d" * 16), b"k" * 32
HOSTS = (Host("192.0.2.1", 4000), Host("2001:db8::1", 1))


def record(sealed: bytes, device: DeviceId = DEVICE) -> AddressRecord:
    return AddressRecord(device, BootId(b"b" * 16), 3, (), sealed)


def test_who_has_the_key_reads_the_places_whose_number_nobody_else_sees() -> None:
    many = seal_places(HOSTS, KEY, DEVICE, SeededEntropy(1))
    assert open_places(record(many), KEY) == HOSTS
    assert len(seal_places((), KEY, DEVICE, SeededEntropy(2))) == len(many)


@pytest.mark.parametrize(
    ("sealed", "key", "code"),
    [
        (seal_places(HOSTS, KEY, DEVICE, SeededEntropy(1)), b"x" * 32, Code.ADDRESSES_SEALED),
        (b"", KEY, Code.ADDRESSES_SEALED),
        (
            bytes(SALT_BYTES) + seal(_places_key(KEY, bytes(SALT_BYTES)), 0, DEVICE, b"\0\1x"),
            KEY,
            Code.DECODE,
        ),
    ],
    ids=["another key", "nothing", "nonsense under the right key"],
)
def test_what_does_not_open_or_makes_no_sense_is_refused(
    sealed: bytes, key: bytes, code: Code
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        open_places(record(sealed), key)
    assert caught.value.code is code


def test_a_box_of_one_device_opens_for_no_other() -> None:
    sealed = seal_places(HOSTS, KEY, DEVICE, SeededEntropy(1))
    with pytest.raises(RemoteProtocolError):
        open_places(record(sealed, DeviceId(b"e" * 16)), KEY)
