"""Commands that decide something: done once, whatever becomes of the answer on its way to whoever asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from peer import api, asks
from peer.effects import Effect
from peer.store import done
from peer.times import wall


def once(
    connection: sqlite3.Connection,
    request_id: str,
    fn: Callable[..., tuple[api.Result, list[Effect]]],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> tuple[api.Result, list[Effect]]:
    """Run a function that decides, and keep what it asks the tracker, and its result, with it.

    request_id: of the command, or empty; what was done under it before is given again, not done.
    """
    if request_id and (before := done.find(connection, request_id)) is not None:
        return before, []
    result, effects = fn(connection, *args, **kwargs)
    asks.keep(connection, effects)
    if request_id:
        done.note(connection, request_id, result, wall())
    return result, effects
