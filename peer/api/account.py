"""Commands about the account itself: making it, opening it, its password, what is held of it, its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from peer.api.command import Command


@dataclass(frozen=True, slots=True)
class Register(Command):
    """Make an account; without a tracker a local one. Gives one AccountMade."""

    name: str
    password: str = field(repr=False)
    tracker: str | None = None
    invite: str | None = None
    recovery_key: str | None = field(default=None, repr=False)  # hex, 16 bytes
    unsealed: bool = False
    device_name: str | None = None


@dataclass(frozen=True, slots=True)
class LogIn(Command):
    """Make this machine a device of an account that exists. Gives one AccountMade."""

    name: str
    password: str = field(repr=False)
    tracker: str
    device_name: str | None = None
    recovery_key: str | None = field(default=None, repr=False)
    unsealed: bool = False


@dataclass(frozen=True, slots=True)
class LogOut(Command):
    """Sign this device off at the tracker; `forget` wipes the home. Gives one Nothing."""

    forget: bool = False


@dataclass(frozen=True, slots=True)
class ChangePassword(Command):
    """Put another password in place of the present one. Gives one Nothing."""

    password: str = field(repr=False)
    new_password: str = field(repr=False)
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ListDevices(Command):
    """Gives a Device each."""


@dataclass(frozen=True, slots=True)
class RevokeDevice(Command):
    """Take a device off the account's list for good. Gives one DeviceRevoked.

    device: its name, or the beginning of its id.
    """

    device: str
    password: str = field(repr=False)
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ExportProfile(Command):
    """Write the whole profile into a file that is not there yet, sealed by a password. Gives one Exported.

    file: absolute. password: the one that the key file is sealed by, if it is.
    """

    file: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ImportProfile(Command):
    """Make a home that has nothing yet from an exported file, as another device. Gives one AccountMade.

    file: absolute. account_password: where it is another one than the file's by now.
    """

    file: str
    password: str = field(repr=False)
    account_password: str | None = field(default=None, repr=False)
    device_name: str | None = None
    recovery_key: str | None = field(default=None, repr=False)
    unsealed: bool = False


@dataclass(frozen=True, slots=True)
class ShareHistory(Command):
    """Let the devices that a friend has now have the whole conversation. Gives one Nothing."""

    name: str


@dataclass(frozen=True, slots=True)
class DeleteAccount(Command):
    """Remove the account from its tracker; the home keeps its history. Gives one Nothing.

    name: of the account, as a person typed it.
    """

    name: str
    password: str = field(repr=False)
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SaveAccount(Command):
    """Write all that the tracker holds of the account into a file as JSON. Gives one AccountSaved.

    file: absolute. replace: also where something stands there.
    """

    file: str
    replace: bool = False
