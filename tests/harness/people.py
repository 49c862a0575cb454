"""People for the tracker's tests: identities with devices that sign what a real client signs.

No password is stretched here (Argon2id takes 64 MiB): a person's login key is made directly.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from tests.harness.entropy import SeededEntropy
from tracker.effects import Channel
from wire import limits
from wire.identity import (
    AddressRecord,
    DeviceKeys,
    FriendAnswer,
    FriendRequest,
    Host,
    add_device,
    deletion_proof,
    first_device,
    issue_addresses,
    issue_friend_answer,
    issue_friend_request,
    login_proof,
    password_proof,
    public_of,
    read_device_list,
    register_proof,
    request_hash,
    revoke_device,
)
from wire.ids import AccountName, AuthKey, BootId, DeviceId, IdentityKey, LinkKey
from wire.machine import Entropy, UnixMillis
from wire.messages.accounts import (
    AddDevice,
    ChangePassword,
    DeleteAccount,
    LogIn,
    Register,
    RevokeDevice,
    StateKeyCopy,
)
from wire.messages.friends import AnswerFriend, AskFriend
from wire.messages.reach import PutAddresses

TRACKER_KEY = LinkKey(b"T" * 32)
LATER = UnixMillis(2000)


@dataclass
class Person:
    """Somebody with a name, an identity and one or more devices; `keys` is the device that acts."""

    name: AccountName
    seed: bytes = field(repr=False)
    auth_seed: bytes = field(repr=False)
    keys: DeviceKeys
    entropy: Entropy
    vault_counter: int = 1

    @property
    def identity(self) -> IdentityKey:
        return IdentityKey(public_of(self.seed))

    def channel(self, tracker_key: LinkKey = TRACKER_KEY) -> Channel:
        """What a link of the acting device to a tracker would be bound to."""
        return Channel(tracker_key, self.keys.link_key, hashlib.sha256(self.name.encode()).digest())

    def with_device(self, name: str, now: UnixMillis = LATER) -> Person:
        """The same person at another machine."""
        listed = read_device_list(self.keys.device_list, self.identity)
        keys = add_device(self.seed, listed, name, now=now, entropy=self.entropy)
        return replace(self, keys=keys, vault_counter=self.vault_counter + 1)

    def register(self, channel: Channel | None = None, *, request: int = 1) -> Register:
        channel = channel or self.channel()
        return Register(
            request=request,  # type: ignore[arg-type]
            name=self.name,
            identity=self.identity,
            salt=b"s" * 16,
            memory_kib=limits.KDF_MEMORY_KIB,
            passes=limits.KDF_PASSES,
            lanes=limits.KDF_LANES,
            auth_key=AuthKey(public_of(self.auth_seed)),
            vault=f"vault {self.vault_counter}".encode(),
            vault_counter=self.vault_counter,
            certificate=self.keys.certificate,
            device_list=self.keys.device_list,
            signature=register_proof(
                self.seed, self.name, channel.tracker_key, channel.handshake_hash
            ),
        )

    def log_in(self, channel: Channel | None = None, *, request: int = 2) -> LogIn:
        channel = channel or self.channel()
        proof = login_proof(self.auth_seed, self.name, channel.tracker_key, channel.handshake_hash)
        return LogIn(request, self.name, proof)  # type: ignore[arg-type]

    def add_device(self, *, request: int = 3) -> AddDevice:
        return AddDevice(
            request,  # type: ignore[arg-type]
            self.keys.certificate,
            self.keys.device_list,
            f"vault {self.vault_counter}".encode(),
            self.vault_counter,
        )

    def change_password(
        self,
        following: bytes = b"f" * 32,
        channel: Channel | None = None,
        *,
        vault_counter: int | None = None,
        request: int = 7,
    ) -> ChangePassword:
        """Ask to put another login key (its seed) in place of this person's."""
        channel = channel or self.channel()
        counter = self.vault_counter + 1 if vault_counter is None else vault_counter
        key, vault = AuthKey(public_of(following)), f"vault {counter}".encode()
        return ChangePassword(
            request=request,  # type: ignore[arg-type]
            salt=b"t" * 16,
            memory_kib=limits.KDF_MEMORY_KIB,
            passes=limits.KDF_PASSES + 1,
            lanes=limits.KDF_LANES,
            has_recovery_key=True,
            auth_key=key,
            vault=vault,
            vault_counter=counter,
            signature=password_proof(
                self.auth_seed,
                self.name,
                channel.tracker_key,
                channel.handshake_hash,
                key,
                vault,
            ),
        )

    def revoking(
        self,
        device: DeviceId,
        copies: tuple[StateKeyCopy, ...] = (),
        *,
        vault_counter: int | None = None,
        request: int = 9,
    ) -> RevokeDevice:
        """Ask to take a device off the list that the acting device knows."""
        listed = read_device_list(self.keys.device_list, self.identity)
        shorter = revoke_device(self.seed, listed, device, now=LATER, state_key_hash=b"h" * 32)
        counter = self.vault_counter + 1 if vault_counter is None else vault_counter
        return RevokeDevice(
            request,  # type: ignore[arg-type]
            shorter,
            f"vault {counter}".encode(),
            counter,
            copies,
        )

    def delete_account(self, channel: Channel | None = None, *, request: int = 8) -> DeleteAccount:
        channel = channel or self.channel()
        proof = deletion_proof(
            self.auth_seed, self.name, channel.tracker_key, channel.handshake_hash
        )
        return DeleteAccount(request, proof)  # type: ignore[arg-type]

    def ask(
        self, other: Person, *, note: str = "", request: int = 4, target: bytes = b""
    ) -> AskFriend:
        signed = issue_friend_request(
            self.keys,
            FriendRequest(
                asker_name=self.name,
                target_name=other.name,
                asker=self.identity,
                target=target,
                nonce=self.entropy.bytes(16),
                note=note,
                created=1000,
                certificate=self.keys.certificate,
                device_list=self.keys.device_list,
            ),
        )
        return AskFriend(request, other.name, signed)  # type: ignore[arg-type]

    def answer(
        self, other: Person, signed: bytes, *, is_yes: bool = True, request: int = 5
    ) -> AnswerFriend:
        answer = issue_friend_answer(
            self.keys,
            FriendAnswer(
                request_hash=request_hash(signed),
                asker=other.identity,
                answerer=self.identity,
                is_yes=is_yes,
                created=1000,
                certificate=self.keys.certificate,
                device_list=self.keys.device_list,
            ),
        )
        return AnswerFriend(request, other.name, is_yes, answer)  # type: ignore[arg-type]

    def addresses(self, port: int = 4000, *, counter: int = 1, request: int = 6) -> PutAddresses:
        record = AddressRecord(
            device=self.keys.device,
            boot_id=BootId(b"b" * 16),
            counter=counter,
            hosts=(Host("192.0.2.1", port),),
        )
        signed = issue_addresses(self.keys.signing_seed, record)
        return PutAddresses(request, signed)  # type: ignore[arg-type]


def person(name: str, *, device: str = "desk", salt: str = "") -> Person:
    """Make the person of that name; equal names and salts give equal people."""
    entropy = SeededEntropy(f"{name}{salt}")
    seed, auth_seed = entropy.bytes(32), entropy.bytes(32)
    keys = first_device(seed, device, now=UnixMillis(1000), entropy=entropy)
    return Person(AccountName(name), seed, auth_seed, keys, entropy)
