"""Which command is to run when something happens; the running of it is `peer.hooks`."""

from __future__ import annotations

from peer.settings import preferences
from peer.settings.quantities import OFF
from peer.store.database import Database
from peer.talk import mutes
from peer.times import wall


def command(database: Database, kind: str, friend: str) -> str | None:
    """Give the command for what a friend did, OFF if the friend is muted; None where none was set."""
    found = database.read(preferences.value, f"hooks.{kind}")
    return OFF if found and database.read(mutes.is_muted, friend, wall()) else found
