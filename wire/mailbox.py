"""Mail: events and receipts sealed to one device that is away, for a tracker to keep and not to read.

    prekey  = signed by its device: [device, number, is one-time, created, public key]
    public  = ML-KEM-768 encapsulation key (1,184 bytes) | X25519 public key (32 bytes)
    item    = HPKE (RFC 9180, base mode) with MLKEM768-X25519, HKDF-SHA256, AES-256-GCM to that key
    info    = "hobnob/v1/mail" | 0 | sender | its device | recipient | its device | prekey number (8 bytes)
    plain   = length (4 bytes) | letter | zeros up to one of LETTER_SIZES
    letter  = [certificate, device list, records]: each record as it would stand on a link between the two

Nothing in a letter is believed because it could be opened: events and receipts carry their own signatures, and
the certificate is checked under the pin of whoever is said to have sent it. What sealing gives is that nobody
else reads it, and with a one-time prekey that nobody ever can again once the private half is gone.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from wire import limits
from wire.channel.primitives import HPKE_OVERHEAD_BYTES, HPKE_PUBLIC_BYTES, hpke_open
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity.packing import Packed, pack, unpack
from wire.identity.sign import SignPurpose, issue, open_container, read
from wire.ids import Counter, DeviceId, DeviceIdField, IdentityKey, Millis, SigningKey
from wire.machine import Entropy
from wire.messages.accounts import SignedCertificate, SignedDeviceList

LENGTH_BYTES = 4
LETTER_SIZES = tuple(size * limits.KIB - HPKE_OVERHEAD_BYTES for size in (2, 4, 8, 16, 32, 64, 96))
"""What a letter is padded to, so that an item has one of seven sizes."""
LETTER_BYTES = LETTER_SIZES[-1] - LENGTH_BYTES

Public = Annotated[bytes, Meta(min_length=HPKE_PUBLIC_BYTES, max_length=HPKE_PUBLIC_BYTES)]
Record = Annotated[bytes, Meta(min_length=3, max_length=LETTER_BYTES)]


class Prekey(Packed, frozen=True):
    """A key of one device that mail can be sealed to. number: the device's own, never given twice."""

    device: DeviceIdField
    number: Counter
    is_one_time: bool
    created: Millis
    public: Public


class Letter(Packed, frozen=True):
    """What an item holds. records: of `wire.codec`, for a link of purpose PEER."""

    certificate: SignedCertificate
    device_list: SignedDeviceList
    records: Annotated[tuple[Record, ...], Meta(max_length=limits.LETTER_RECORDS)]


class NackBody(Packed, frozen=True):
    """An item that its recipient could not open. device: the recipient's, which signs."""

    device: DeviceIdField
    sender: DeviceIdField
    item: Annotated[bytes, Meta(min_length=16, max_length=16)]


class Route(Struct, frozen=True):
    """From whom to whom an item goes, and to which prekey it is sealed; no item opens on another route."""

    sender: IdentityKey
    sender_device: DeviceId
    recipient: IdentityKey
    recipient_device: DeviceId
    prekey: int

    @property
    def info(self) -> bytes:
        """Give HPKE's info: fields of fixed length, so that none can run into the next."""
        return b"".join(
            (
                b"hobnob/v1/mail\0",
                self.sender,
                self.sender_device,
                self.recipient,
                self.recipient_device,
                self.prekey.to_bytes(8, "big"),
            )
        )


def issue_prekey(signing_seed: bytes, prekey: Prekey) -> bytes:
    """Sign a prekey; gives at most PREKEY_BYTES."""
    return issue(signing_seed, SignPurpose.PREKEY, prekey)


def read_prekey(signed: bytes, device: DeviceId, signing_key: SigningKey) -> Prekey:
    """Verify a prekey of one device.

    signed: any bytes. Raises RemoteProtocolError(PREKEY_INVALID): nothing must be sealed to it.
    """
    try:
        container = open_container(signed, limits.PREKEY_BYTES, Code.PREKEY_INVALID)
        prekey = read(container, Prekey, SignPurpose.PREKEY, signing_key, Code.PREKEY_INVALID)
    except RemoteProtocolError as error:
        raise RemoteProtocolError(Code.PREKEY_INVALID, error.detail) from error
    if prekey.device != device:
        raise RemoteProtocolError(Code.PREKEY_INVALID, "a prekey of another device")
    return prekey


def seal_letter(letter: Letter, public: bytes, route: Route, entropy: Entropy) -> bytes:
    """Seal a letter to a prekey; gives one of seven sizes, at most MAIL_ITEM_BYTES.

    public: HPKE_PUBLIC_BYTES, verified. Raises LocalProtocolError for a letter beyond LETTER_BYTES, and
    RemoteProtocolError(PREKEY_INVALID) for a key that is none.
    """
    raw = pack(letter)
    size = next((size for size in LETTER_SIZES if len(raw) + LENGTH_BYTES <= size), None)
    if size is None:
        raise LocalProtocolError(f"a letter of {len(raw)} bytes; {LETTER_BYTES} fit")
    plain = (len(raw).to_bytes(LENGTH_BYTES, "big") + raw).ljust(size, b"\0")
    try:
        return entropy.seal(plain, public, route.info)
    except ValueError as error:
        raise RemoteProtocolError(Code.PREKEY_INVALID, "a prekey that is no key") from error


def open_letter(sealed: bytes, private: bytes, route: Route) -> Letter:
    """Open an item.

    sealed: any bytes. private: HPKE_PRIVATE_BYTES, secret. Raises RemoteProtocolError(MAIL_INVALID) for
    everything that was not sealed on this very route, and for a letter without sense.
    """
    plain = hpke_open(private, route.info, sealed, Code.MAIL_INVALID)
    length = int.from_bytes(plain[:LENGTH_BYTES], "big")
    rest = plain[LENGTH_BYTES:]
    if len(plain) not in LETTER_SIZES or length > len(rest) or any(rest[length:]):
        raise RemoteProtocolError(Code.MAIL_INVALID, "a letter is padded otherwise")
    return unpack(Letter, rest[:length], Code.MAIL_INVALID)


def issue_nack(signing_seed: bytes, body: NackBody) -> bytes:
    """Sign that an item could not be opened; gives at most NACK_BYTES."""
    return issue(signing_seed, SignPurpose.NACK, body)


def read_nack(signed: bytes, device: DeviceId, signing_key: SigningKey) -> NackBody:
    """Verify a nack of one device; raises RemoteProtocolError with SIGNATURE_INVALID or DECODE."""
    body = read(open_container(signed, limits.NACK_BYTES), NackBody, SignPurpose.NACK, signing_key)
    if body.device != device:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "a nack names another device")
    return body
