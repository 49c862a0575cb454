"""Commands about the account itself: making it, opening it, its password, what is held of it, its end."""

from __future__ import annotations

from peer.api.command import Command, Confidential


class Register(Confidential, frozen=True):
    """Make an account; without a tracker a local one. Gives one AccountMade."""

    name: str
    password: str
    tracker: str | None = None
    invite: str | None = None
    recovery_key: str | None = None  # hex, 16 bytes
    unsealed: bool = False
    device_name: str | None = None


class LogIn(Confidential, frozen=True):
    """Make this machine a device of an account that exists. Gives one AccountMade."""

    name: str
    password: str
    tracker: str
    device_name: str | None = None
    recovery_key: str | None = None
    unsealed: bool = False


class LogOut(Command, frozen=True):
    """Sign this device off at the tracker; `forget` wipes the home. Gives one Nothing."""

    forget: bool = False


class ChangePassword(Confidential, frozen=True):
    """Put another password in place of the present one. Gives one Nothing."""

    password: str
    new_password: str
    recovery_key: str | None = None


class ListDevices(Command, frozen=True):
    """Gives a Device each."""


class RevokeDevice(Confidential, frozen=True):
    """Take a device off the account's list for good. Gives one DeviceRevoked.

    device: its name, or the beginning of its id.
    """

    device: str
    password: str
    recovery_key: str | None = None


class ExportProfile(Confidential, frozen=True):
    """Write the whole profile into a file that is not there yet, sealed by a password. Gives one Exported.

    file: absolute. password: the one that the key file is sealed by, if it is.
    """

    file: str
    password: str


class ImportProfile(Confidential, frozen=True):
    """Make a home that has nothing yet from an exported file, as another device. Gives one AccountMade.

    file: absolute. account_password: where it is another one than the file's by now.
    """

    file: str
    password: str
    account_password: str | None = None
    device_name: str | None = None
    recovery_key: str | None = None
    unsealed: bool = False


class ShareHistory(Command, frozen=True):
    """Let the devices that a friend has now have the whole conversation. Gives one Nothing."""

    name: str


class DeleteAccount(Confidential, frozen=True):
    """Remove the account from its tracker; the home keeps its history. Gives one Nothing.

    name: of the account, as a person typed it.
    """

    name: str
    password: str
    recovery_key: str | None = None


class SaveAccount(Command, frozen=True):
    """Write all that the tracker holds of the account into a file as JSON. Gives one AccountSaved.

    file: absolute. replace: also where something stands there.
    """

    file: str
    replace: bool = False
