"""Messages about accounts: making one, opening it by password, its devices, its sealed state.

All are requests of a peer and answers of the tracker. The tracker sees neither the password nor a key:
it keeps `auth_key` (public), a vault it cannot open and a state it cannot open.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import (
    AccountNameField,
    AuthKeyField,
    Counter,
    DeviceIdField,
    IdentityKeyField,
    Millis,
    RequestIdField,
    Signature,
)
from wire.messages.presence import Show
from wire.messages.registry import Message, Purpose, message
from wire.messages.session import Sentence

Salt = Annotated[bytes, Meta(min_length=16, max_length=16)]
Vault = Annotated[bytes, Meta(min_length=1, max_length=limits.VAULT_BYTES)]
SignedCertificate = Annotated[bytes, Meta(max_length=limits.CERTIFICATE_BYTES)]
SignedDeviceList = Annotated[bytes, Meta(max_length=limits.DEVICE_LIST_BYTES)]
StatePage = Annotated[bytes, Meta(max_length=limits.PAGE_BYTES)]
PageNumber = Annotated[int, Meta(ge=0, le=limits.PAGES)]


class StateKeyCopy(Message, frozen=True):
    """The state key sealed to one device, `wire.state_key`; in RevokeDevice and State."""

    device: DeviceIdField
    prekey: Counter  # number of the device's prekey that it is sealed to
    sealed: Annotated[
        bytes,
        Meta(min_length=limits.STATE_KEY_COPY_BYTES, max_length=limits.STATE_KEY_COPY_BYTES),
    ]  # section 3


StateKeyCopies = Annotated[tuple[StateKeyCopy, ...], Meta(max_length=limits.DEVICES)]


@message(0x0010, Purpose.TRACKER)
class AskKdf(Message, frozen=True):
    """Ask how the password of an account is turned into its keys."""

    request: RequestIdField
    name: AccountNameField


@message(0x0011, Purpose.TRACKER)
class Kdf(Message, frozen=True):
    """Answer AskKdf: parameters of Argon2id; a client refuses those below its floor."""

    request: RequestIdField
    salt: Salt  # the account's 16 random bytes; the whole salt is derived from it
    memory_kib: Annotated[int, Meta(ge=1, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=1, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=1, le=limits.KDF_LANES_MOST)]
    has_recovery_key: bool = False


@message(0x0012, Purpose.TRACKER)
class Register(Message, frozen=True):
    """Make an account with this device as its first; answered by Done.

    The certificate's link key is the Noise static key of this very link.
    """

    request: RequestIdField
    name: AccountNameField
    identity: IdentityKeyField
    salt: Salt
    memory_kib: Annotated[int, Meta(ge=limits.KDF_MEMORY_KIB, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=limits.KDF_PASSES, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=limits.KDF_LANES, le=limits.KDF_LANES_MOST)]
    auth_key: AuthKeyField  # public half of `auth`, section 3
    vault: Vault
    vault_counter: Counter
    certificate: SignedCertificate
    device_list: SignedDeviceList
    signature: (
        Signature  # identity over (name, tracker key, handshake hash): the key is really theirs
    )
    invite: Annotated[str, Meta(max_length=64)] = ""  # where the tracker asks for one
    has_recovery_key: bool = False


@message(0x0013, Purpose.TRACKER)
class LogIn(Message, frozen=True):
    """Prove the password on this link: `auth` signs (name, tracker key, handshake hash)."""

    request: RequestIdField
    name: AccountNameField
    signature: Signature  # purpose `login`


@message(0x0014, Purpose.TRACKER)
class LoggedIn(Message, frozen=True):
    """Answer LogIn: what a new device needs to become one. The link may now AddDevice and AskState."""

    request: RequestIdField
    identity: IdentityKeyField
    vault: Vault
    vault_counter: Counter
    vault_changed: Millis  # when, by the tracker's clock
    device_list: SignedDeviceList
    state_version: Counter


@message(0x0015, Purpose.TRACKER)
class AddDevice(Message, frozen=True):
    """Add this link's device to the account that just logged in; answered by Done.

    The list's counter is above the known one, else LIST_ROLLBACK; a device already listed may come
    back after LogOut.
    """

    request: RequestIdField
    certificate: SignedCertificate
    device_list: SignedDeviceList
    vault: Vault
    vault_counter: Counter


@message(0x0016, Purpose.TRACKER)
class LogOut(Message, frozen=True):
    """Take this device's right to log in by its link key; answered by Done. Its certificate stays valid."""

    request: RequestIdField


@message(0x0017, Purpose.TRACKER)
class Enter(Message, frozen=True):
    """Begin the session of a known device; the first request on such a link, answered by Entered."""

    request: RequestIdField
    is_unseen: bool  # a brief node: friends are not told, no address is published
    show: Show
    presence_text: Annotated[str, Meta(max_length=limits.PRESENCE_TEXT_CHARS)] = ""  # beside `show`
    until: Millis = 0  # 0: until changed; else it goes back to AVAILABLE then
    is_idle: bool = False  # nobody uses this device now, see SetIdle


@message(0x0018, Purpose.TRACKER)
class Entered(Message, frozen=True):
    """Answer Enter: the account as the tracker knows it.

    FriendsPage pages follow unasked, last one marked; then waiting FriendAsked and FriendAnswered.
    """

    request: RequestIdField
    name: AccountNameField
    device_list: SignedDeviceList
    vault_counter: Counter
    state_version: Counter
    observed_host: Annotated[str, Meta(max_length=64)]  # the address this link comes from
    observed_port: Annotated[int, Meta(ge=0, le=65535)]  # and the port
    motd: Annotated[str, Meta(max_length=1024)] = ""  # message of the day


@message(0x0019, Purpose.TRACKER)
class PutState(Message, frozen=True):
    """Put one page of the sealed account state; answered by StatePut at the last page, Done before it.

    Refused(STATE_CONFLICT) if `base_version` is not the present one.
    """

    request: RequestIdField
    base_version: Counter  # what the content was made from
    page: PageNumber  # from 0
    pages: PageNumber
    content: StatePage


@message(0x001A, Purpose.TRACKER)
class StatePut(Message, frozen=True):
    """Answer the last PutState: the version it made."""

    request: RequestIdField
    version: Counter  # one more than base_version


@message(0x001B, Purpose.TRACKER)
class AskState(Message, frozen=True):
    """Ask for one page of the sealed account state."""

    request: RequestIdField
    page: PageNumber


@message(0x001C, Purpose.TRACKER)
class State(Message, frozen=True):
    """Answer AskState. Version 0 with no pages: nothing was ever put."""

    request: RequestIdField
    version: Counter  # of the whole: ask anew if it changes between pages
    page: PageNumber
    pages: PageNumber
    content: StatePage
    copies: StateKeyCopies = ()  # with page 0: as the last RevokeDevice brought them


@message(0x001D, Purpose.TRACKER, critical=False)
class StateChanged(Message, frozen=True):
    """Tell the account's other devices that the state has a new version."""

    version: Counter  # the present one


@message(0x001E, Purpose.TRACKER)
class DeviceAdded(Message, frozen=True):
    """Tell the account's other devices that a device was added: it may be a thief."""

    device: DeviceIdField
    device_list: SignedDeviceList
    at: Millis


@message(0x001F, Purpose.TRACKER, critical=False)
class Announced(Message, frozen=True):
    """Words of whoever runs the tracker, to all that are online."""

    text: Sentence


@message(0x0020, Purpose.TRACKER)
class ChangePassword(Message, frozen=True):
    """Put another password in place of the one that was just proven on this link; answered by Done.

    Everything that hangs on the password is replaced at once, or nothing. The vault's counter is above the
    known one, else Refused(VAULT_ROLLBACK). Other links that proved the former password are ended.
    """

    request: RequestIdField
    salt: Salt  # fresh random bytes; the whole salt is derived from it (section 3)
    memory_kib: Annotated[int, Meta(ge=limits.KDF_MEMORY_KIB, le=limits.KDF_MEMORY_KIB_MOST)]
    passes: Annotated[int, Meta(ge=limits.KDF_PASSES, le=limits.KDF_PASSES_MOST)]
    lanes: Annotated[int, Meta(ge=limits.KDF_LANES, le=limits.KDF_LANES_MOST)]
    has_recovery_key: bool  # the new password opens nothing without it
    auth_key: AuthKeyField  # of the new password
    vault: Vault  # sealed by the new password
    vault_counter: Counter  # above the known one
    signature: (
        Signature  # former auth over (name, tracker key, handshake hash, new auth key, vault)
    )


@message(0x0021, Purpose.TRACKER)
class DeleteAccount(Message, frozen=True):
    """Remove the account whose password was just proven on this link, with all that is held of it; answered by Done.

    Friends and whoever was asked hear FriendRemoved, its devices' links are closed with ACCOUNT_DELETED, its
    name is free at once: pins are what keeps anybody from posing as it.
    """

    request: RequestIdField
    signature: Signature  # auth over (name, tracker key, handshake hash)


class StateEntry(Message, frozen=True):
    """One value of the account state in StateEntries; of two for one key the higher (clock, device) stands."""

    key: Annotated[str, Meta(min_length=1, max_length=limits.STATE_KEY_CHARS)]  # section 3
    value: Annotated[bytes, Meta(max_length=limits.STATE_VALUE_BYTES)]  # what the key says
    clock: Annotated[int, Meta(ge=1, le=2**53)]  # one more than that of the value it replaces
    device: DeviceIdField  # who set it


@message(0x006B, Purpose.PEER, critical=False)
class StateEntries(Message, frozen=True):
    """Give another device of the own account entries of the account state, as they change.

    The first one on a link has none and says the digest of all; who has another one answers with its whole
    state, in pages of at most 32 KiB. From somebody else it means nothing.
    """

    digest: Annotated[bytes, Meta(min_length=16, max_length=16)]  # of the whole state there
    entries: Annotated[
        tuple[StateEntry, ...], Meta(max_length=limits.STATE_ENTRIES)
    ]  # what is news


@message(0x006A, Purpose.PEER, critical=False)
class StateKey(Message, frozen=True):
    """Give another device of the own account the state key, as its link opens and when it is renewed.

    Who gets it takes it only if it is the one that the newest device list names and another one is known there.
    """

    state_key: Annotated[bytes, Meta(min_length=32, max_length=32)]  # secret

    def __repr__(self) -> str:
        """Say nothing of the key."""
        return "StateKey(...)"


@message(0x0028, Purpose.TRACKER)
class RevokeDevice(Message, frozen=True):
    """Take devices off the account whose password was just proven on this link; answered by Done.

    The list's counter is above the known one, else Refused(LIST_ROLLBACK); the vault's, which holds another
    state key, too, else Refused(VAULT_ROLLBACK). Devices that the list does not have standing lose their right
    to enter, their sessions and their mail at once; friends and own devices hear DevicesChanged.
    """

    request: RequestIdField
    device_list: SignedDeviceList  # names the hash of the state key
    vault: Vault  # sealed by the same password
    vault_counter: Counter
    copies: StateKeyCopies  # one for each device that stands and has a prekey
