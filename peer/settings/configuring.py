"""What the commands about settings mean, with a node up and without: they need the store and the disk alone."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TypeAlias, get_args

from peer import api, hooks
from peer.config import read_config
from peer.errors import PeerError
from peer.locations import Locations
from peer.people import contacts
from peer.settings import preferences
from peer.settings.preferences import KEYS, Key
from peer.settings.quantities import OFF
from peer.store import own
from peer.store.database import Database
from peer.transfers.paths import check_folder
from wire.codes import Code

Connection = sqlite3.Connection

FOLDER = "downloads.folder"
HOOKS = "hooks."

ConfigCommand: TypeAlias = api.ListSettings | api.GetSetting | api.SetSetting | api.SetAcceptPolicy
COMMANDS: tuple[type[ConfigCommand], ...] = get_args(ConfigCommand)


async def carry_out(
    database: Database, locations: Locations, command: ConfigCommand
) -> list[api.Result]:
    """Carry out one of these commands; doing it again changes nothing.

    Raises PeerError with CONFIG_INVALID, NO_SUCH_FRIEND, BLOCKED, KEY_CHANGED, NOT_REGISTERED and what is
    wrong with a folder.
    """
    default = await asyncio.to_thread(_default_folder, locations)
    match command:
        case api.ListSettings():
            return list(database.read(_listed, default))
        case api.GetSetting(key=name, friend=friend):
            return [database.read(_shown, preferences.need_key(name), friend, default)]
        case api.SetSetting(key=name, value=text, friend=friend):
            key = preferences.need_key(name)
            if key.name.startswith(HOOKS) and text not in (preferences.DEFAULT, OFF):
                text = await asyncio.to_thread(hooks.resolved, text)
            one = text if text == preferences.DEFAULT else preferences.read_value(key, text)
            if key.name == FOLDER and one != preferences.DEFAULT:
                await asyncio.to_thread(check_folder, Path(one), locations.home)
            return [await database.write(_put, key, one, friend, default)]
        case api.SetAcceptPolicy():
            return [await database.write(_put_policy, command)]


def downloads(connection: Connection) -> Path | None:
    """Give the folder that was set for what is received, or None."""
    chosen = preferences.value(connection, FOLDER)
    return None if chosen is None else Path(chosen)


def downloads_folder(locations: Locations, chosen: Path | None) -> Path:
    """Give the folder that received files go to; chosen: as `downloads` gives it. Raises PeerError."""
    return chosen or locations.downloads(read_config(locations).downloads_folder)


def folder_unasked(locations: Locations, chosen: Path | None) -> Path | PeerError:
    """Give the folder that goes to what nobody was asked about, or why nothing can; blocks.

    A folder that is away or full is given all the same: what goes there waits.
    """
    try:
        folder = downloads_folder(locations, chosen)
    except PeerError as error:
        return error
    try:
        check_folder(folder, locations.home)
    except PeerError as error:
        return folder if error.code in (Code.FOLDER_GONE, Code.NO_SPACE) else error
    return folder


# --- inside


def _default_folder(locations: Locations) -> str:
    """Give what holds where `config set` said nothing; a configuration that is wrong says so elsewhere."""
    try:
        return str(downloads_folder(locations, None))
    except PeerError:
        return str(locations.downloads(None))


def _listed(connection: Connection, folder: str) -> list[api.Setting]:
    """List every setting: what holds for all, then what was set for single friends."""
    own.need_account(connection)
    listed = [_setting(connection, key, None, folder) for key in KEYS.values()]
    for key in KEYS.values():
        for friend, text in preferences.of_friends(connection, key):
            listed.append(api.Setting(key.name, text, _default(key, folder), key.help, friend))
    return listed


def _shown(connection: Connection, key: Key, friend: str | None, folder: str) -> api.Setting:
    own.need_account(connection)
    if friend is not None:
        preferences.need_per_friend(key)
    person = None if friend is None else contacts.find_partner(connection, friend)
    return _setting(connection, key, person, folder)


def _setting(
    connection: Connection, key: Key, friend: contacts.Contact | None, folder: str
) -> api.Setting:
    default = _default(key, folder)
    text = preferences.value(connection, key.name, friend) or default
    return api.Setting(key.name, text, default, key.help, None if friend is None else friend.name)


def _default(key: Key, folder: str) -> str:
    return folder if key.name == FOLDER else key.default


def _put(
    connection: Connection, key: Key, text: str, friend: str | None, folder: str
) -> api.Setting:
    preferences.put(connection, key, text, friend)
    return _setting(
        connection,
        key,
        None if friend is None else contacts.find_partner(connection, friend),
        folder,
    )


def _put_policy(connection: Connection, command: api.SetAcceptPolicy) -> api.AcceptPolicy:
    """Set the three keys of the accept policy as one: what is not named has no limit."""
    if command.policy != "auto" and (command.max_size or command.types):
        raise PeerError(
            Code.CONFIG_INVALID,
            f"--max-size and --types bound auto, not {command.policy}",
            remedy="leave them out, or say auto",
        )
    put: dict[str, str] = {}
    for name, text in (
        ("accept.policy", command.policy),
        ("accept.max-size", command.max_size or OFF),
        ("accept.types", command.types or OFF),
    ):
        put[name] = preferences.read_value(KEYS[name], text)
        preferences.put(connection, KEYS[name], put[name], command.friend)
    return api.AcceptPolicy(
        command.friend, put["accept.policy"], put["accept.max-size"], put["accept.types"]
    )
