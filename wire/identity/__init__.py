"""Who vouches for whom: signatures by purpose, certificates and lists, friendship, codes for people.

`sign` has the one form of a signature and its closed list of purposes; `packing` the bytes of signed
values; `devices` what an identity signs; `friendship` what devices sign to each other; `proofs` what holds
on one link; `naming` what people compare and copy. Nothing here draws dice or looks at a clock.
"""

from wire.identity.devices import (
    Certificate,
    DeviceKeys,
    DeviceList,
    ListedDevice,
    add_device,
    check_hello,
    check_listed,
    first_device,
    issue_certificate,
    issue_device_list,
    peek_certificate,
    read_certificate,
    read_device_list,
    revoke_device,
)
from wire.identity.friendship import (
    AddressRecord,
    FriendAnswer,
    FriendRequest,
    Host,
    issue_addresses,
    issue_friend_answer,
    issue_friend_request,
    read_addresses,
    read_friend_answer,
    read_friend_request,
    read_vouched,
    request_hash,
)
from wire.identity.naming import (
    FriendCode,
    decode_friend_code,
    direct_conversation,
    encode_friend_code,
    fingerprint,
    looks_like_friend_code,
    safety_number,
)
from wire.identity.proofs import (
    check_login_proof,
    check_register_proof,
    login_proof,
    register_proof,
)
from wire.identity.sign import SignPurpose, public_of, sign, verify

__all__ = [
    "AddressRecord",
    "Certificate",
    "DeviceKeys",
    "DeviceList",
    "FriendAnswer",
    "FriendCode",
    "FriendRequest",
    "Host",
    "ListedDevice",
    "SignPurpose",
    "add_device",
    "check_hello",
    "check_listed",
    "check_login_proof",
    "check_register_proof",
    "decode_friend_code",
    "direct_conversation",
    "encode_friend_code",
    "fingerprint",
    "first_device",
    "issue_addresses",
    "issue_certificate",
    "issue_device_list",
    "issue_friend_answer",
    "issue_friend_request",
    "login_proof",
    "looks_like_friend_code",
    "peek_certificate",
    "public_of",
    "read_addresses",
    "read_certificate",
    "read_device_list",
    "read_friend_answer",
    "read_friend_request",
    "read_vouched",
    "register_proof",
    "request_hash",
    "revoke_device",
    "safety_number",
    "sign",
    "verify",
]
