"""Targets that carry a signature or a seal: as they come, and signed by the right key around anything.

The first byte of an input says which: 0 the container itself, else what is inside it. What a stranger made
fails at the signature; what a friend's program signed must do no harm either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from peer.reach.candidates import candidates
from tests.fuzz.seeds import packed
from tests.fuzz.target import Shape, Target, check
from tests.harness.entropy import SeededEntropy
from tests.harness.people import person
from tests.wire.link.sides import ALICE, hello_of
from wire import limits, vault
from wire.address import TrackerAddress
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import (
    AddressRecord,
    FriendAnswer,
    FriendRequest,
    Host,
    SignPurpose,
    check_hello,
    decode_friend_code,
    encode_friend_code,
    issue_addresses,
    peek_certificate,
    read_addresses,
    read_certificate,
    read_device_list,
    read_friend_answer,
    read_friend_request,
    sign,
)
from wire.identity.naming import CODE_PREFIX
from wire.identity.packing import pack, unpack
from wire.identity.sign import Signed, open_container
from wire.ids import AccountName, BootId, IdentityKey, LinkKey, account_name
from wire.log.receipt import Reach, ReceiptBody, issue_receipt, peek_receipt, read_receipt
from wire.messages.session import Hello

SEED = SeededEntropy("alice").bytes(32)
"""The identity's seed of `sides.ALICE`, which that module draws first."""

_ALICE = person("alice")
_BOB = person("bob")
_WRAP = b"w" * 32


def container(seed: bytes, purpose: SignPurpose, body: bytes) -> bytes:
    """Sign any bytes as if they were the value they should be."""
    return pack(Signed(body, sign(seed, purpose, body)))


@dataclass(frozen=True)
class _Kind:
    """One kind of signed value. seed: of who signs. read: reads and verifies. values: valid ones, signed."""

    name: str
    purpose: SignPurpose
    seed: bytes
    read: Callable[[bytes], object]
    values: Callable[[], list[bytes]]


def _read_signed(kind: _Kind, data: bytes) -> None:
    """Read a container (mode 0) or anything under the right signature."""
    signed = data[1:] if data[:1] in (b"", b"\0") else container(kind.seed, kind.purpose, data[1:])
    try:
        value = kind.read(signed)
    except RemoteProtocolError as error:
        check(error.code is not Code.INTERNAL, "a fault without a name")
        check(len(error.detail) <= limits.CLOSE_TEXT_CHARS, "a long reason")
        return
    if isinstance(value, AddressRecord):
        places = candidates(value.hosts, own_hosts=["192.168.1.7"], may_loopback=False)
        check(len(places) <= limits.ADDRESSES, "too many places to dial")
        check(all(0 < each.port < 65536 for each in places), "a port that cannot be")


def _signed_seeds(kind: _Kind) -> list[bytes]:
    signed = kind.values()
    return [
        *(b"\0" + value for value in signed),
        *(b"\1" + open_container(value, 2**20).body for value in signed),
    ]


def _request() -> bytes:
    return _ALICE.ask(_BOB, note="it is me").signed


def _kinds() -> list[_Kind]:
    identity, device = _ALICE.identity, _ALICE.keys
    record = AddressRecord(
        device.device, BootId(b"b" * 16), 3, (Host("192.0.2.1", 4000), Host("::1", 1))
    )
    reach = Reach(device.device, b"e" * 8, 7)  # type: ignore[arg-type]
    receipt = ReceiptBody(b"c" * 32, device.device, (reach,), (reach,), 1, 1)  # type: ignore[arg-type]
    return [
        _Kind(
            "certificate",
            SignPurpose.CERTIFICATE,
            _ALICE.seed,
            lambda signed: (peek_certificate(signed), read_certificate(signed, None)),
            lambda: [device.certificate],
        ),
        _Kind(
            "device-list",
            SignPurpose.DEVICE_LIST,
            _ALICE.seed,
            lambda signed: read_device_list(signed, identity),
            lambda: [device.device_list, _ALICE.with_device("laptop").keys.device_list],
        ),
        _Kind(
            "friend-request",
            SignPurpose.FRIEND_REQUEST,
            device.signing_seed,
            read_friend_request,
            lambda: [_request()],
        ),
        _Kind(
            "friend-answer",
            SignPurpose.FRIEND_ANSWER,
            device.signing_seed,
            read_friend_answer,
            lambda: [_ALICE.answer(_BOB, _request(), is_yes=yes).signed for yes in (True, False)],
        ),
        _Kind(
            "addresses",
            SignPurpose.ADDRESSES,
            device.signing_seed,
            lambda signed: read_addresses(signed, device.device, device.signing_key),
            lambda: [issue_addresses(device.signing_seed, record)],
        ),
        _Kind(
            "receipt",
            SignPurpose.RECEIPT,
            device.signing_seed,
            lambda signed: (
                peek_receipt(signed),
                read_receipt(signed, device.device, device.signing_key),
            ),
            lambda: [issue_receipt(device.signing_seed, receipt)],
        ),
    ]


# --- hello


def prove_hello(data: bytes) -> None:
    """Check a Hello of alice's whose list (1), certificate (2) or both (3) she signed over anything."""
    mode, content = data[:1], data[1:]
    honest = hello_of(ALICE)
    certificate, device_list = honest.certificate, honest.device_list
    if mode in (b"\1", b"\3"):
        device_list = container(SEED, SignPurpose.DEVICE_LIST, content)
    if mode in (b"\2", b"\3"):
        certificate = container(SEED, SignPurpose.CERTIFICATE, content)
    if mode == b"\0":
        certificate, device_list = content[: len(certificate)], content[len(certificate) :]
    try:
        hello = Hello(certificate, device_list, 0, BootId(b"b" * 16))
        shown, listed = check_hello(hello, ALICE.link_key, ALICE.identity, known_counter=1)
    except RemoteProtocolError as error:
        check(error.code is not Code.INTERNAL, "a fault without a name")
        return
    check(shown.identity == listed.identity == ALICE.identity, "somebody else was proven")
    check(listed.find(shown.device) is not None, "a device that nobody listed")


def _hello_seeds() -> list[bytes]:
    hello = hello_of(ALICE)
    lists, certificates = (
        open_container(signed, 2**20).body for signed in (hello.device_list, hello.certificate)
    )
    return [b"\0" + hello.certificate + hello.device_list, b"\1" + lists, b"\2" + certificates]


# --- seals


def open_vaults(data: bytes) -> None:
    """Open a vault: a box as it comes (0), or anything sealed by the right key."""
    name = AccountName("alice")
    box = data[1:]
    if data[:1] not in (b"", b"\0"):
        box = vault.seal_box(_WRAP, "vault", data[1:], name.encode(), SeededEntropy(4))
    try:
        found = vault.open_vault(box, _WRAP, name, known_counter=2)
    except RemoteProtocolError as error:
        check(error.code in (Code.VAULT_INVALID, Code.VAULT_ROLLBACK), f"{error.code}")
        return
    check(found.counter >= 2, "an old vault was taken")
    check("state_key" not in repr(found), "a secret stands in a repr")


def _vault_seeds() -> list[bytes]:
    whole = vault.Vault(b"i" * 32, b"s" * 32, 3, 1000)
    sealed = vault.seal_vault(whole, _WRAP, AccountName("alice"), SeededEntropy(5))
    return [b"\0" + sealed, b"\1" + pack(whole)]


# --- what people type


def read_names(data: bytes) -> None:
    """Read what a person typed as a name, a password and a tracker's address."""
    text = data.decode("utf-8", "surrogateescape")
    try:
        name = account_name(text)
        check(account_name(name) == name, "a name that is folded twice is another")
    except WireError as error:
        check(error.code.value.startswith("name-"), f"{error.code} from a name")
    try:
        check(len(vault.normal_password(text)) <= limits.PASSWORD_BYTES, "a long password")
        vault.check_new_password(text)
    except WireError as error:
        known = (Code.PASSWORD_TOO_LONG, Code.PASSWORD_WEAK)
        check(error.code in known, f"{error.code} from a password")
    try:
        address = TrackerAddress.parse(text)
    except WireError as error:
        check(error.code is Code.ADDRESS_INVALID, f"{error.code} from an address")
        return
    check(TrackerAddress.parse(str(address)) == address, "an address reads otherwise when written")
    check(0 < address.port < 65536, "a port that cannot be")


def read_friend_codes(data: bytes) -> None:
    """Read a friend code as typed (0), or the fields under the right checksum."""
    if data[:1] in (b"", b"\0"):
        text = data[1:].decode("utf-8", "replace")
    else:
        import base64

        raw = data[1:] + sha256(data[1:])[:4]
        text = CODE_PREFIX + base64.b32encode(raw).rstrip(b"=").decode().lower()
    try:
        code = decode_friend_code(text)
    except WireError as error:
        check(error.code is Code.CODE_CHECKSUM, f"{error.code} from a friend code")
        return
    again = decode_friend_code(encode_friend_code(code.name, code.tracker, code.identity))
    check(again == code, "a friend code reads otherwise when written again")


def _friend_code_seeds() -> list[bytes]:
    identity = IdentityKey(b"i" * 32)
    tracker = TrackerAddress("tracker.example", 9797, LinkKey(b"k" * 32))
    whole = [
        encode_friend_code(AccountName("alice"), tracker, identity),
        encode_friend_code(AccountName("bob.b"), None, identity),
    ]
    inside = b"\1\5alice" + identity + b"\x13\x20" + b"hobnob://[::1]:97/x" + b"k" * 32
    return [*(b"\0" + code.encode() for code in whole), b"\1" + inside]


def _typed() -> list[bytes]:
    addresses = "host:1 [::1]:9797 hobnob://h.example:9797/ HOBNOB://a:65535/#" + "A" * 43
    names = "alice Bob.b a me .. correct-horse-battery"
    return [word.encode() for word in (addresses + " " + names).split()]


def read_packed(data: bytes) -> None:
    """Read signed values without their container, as a database or a peek does."""
    for cls in (Signed, FriendRequest, FriendAnswer, AddressRecord, ReceiptBody):
        try:
            value = unpack(cls, data)
        except RemoteProtocolError:
            continue
        check(unpack(cls, pack(value)) == value, "a value reads otherwise when packed again")


def targets() -> list[Target]:
    """Give the targets of this module."""
    found = [
        Target(
            kind.name,
            partial(_read_signed, kind),
            partial(_signed_seeds, kind),
            Shape.PACKED,
            1,
        )
        for kind in _kinds()
    ]
    return [
        *found,
        Target("hello", prove_hello, _hello_seeds, Shape.PACKED, 1),
        Target("vault", open_vaults, _vault_seeds, Shape.PACKED, 1),
        Target("typed", read_names, _typed, Shape.TEXT, most_bytes=1500),
        Target("friend-code", read_friend_codes, _friend_code_seeds, Shape.TEXT, 1, 600),
        Target(
            "packed",
            read_packed,
            lambda: [packed([b"x", b"s" * 64]), open_container(_request(), 9999).body],
            Shape.PACKED,
        ),
    ]
