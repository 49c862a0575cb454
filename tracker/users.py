"""The list of accounts for whoever runs the tracker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tracker.control import Reply
from tracker.storage.port import UserRow
from wire.ids import AccountName
from wire.machine import UnixMillis

if TYPE_CHECKING:
    from tracker.hub import Hub

PAGE = 200  # accounts read in one piece of work, so that a long list holds nobody up


def list_users(hub: Hub, reply: Reply, *, is_online_only: bool) -> None:
    """Send every account as one item, in pages, so that sessions are served in between."""

    def ask_page(after: AccountName | None) -> None:
        hub.submit(lambda store: store.users(after, PAGE), got_page, reply.fail)

    def got_page(rows: list[UserRow]) -> None:
        for row in rows:
            sessions = hub.roster.sessions_of(row.id)
            if sessions or not is_online_only:
                reply.item(_item(hub, row, sessions))
        if len(rows) == PAGE:
            ask_page(rows[-1].name)
        else:
            reply.end()

    ask_page(None)


def _item(hub: Hub, row: UserRow, sessions: int) -> dict[str, object]:
    """Give one account as the contract has it; presence is what friends see."""
    return {
        "name": row.name,
        "role": row.role.value,
        "presence": hub.roster.show_of(row.id).name.lower(),
        "devices": row.devices,
        "sessions": sessions,
        "registered": _rfc3339(row.registered),
        "last_seen": _rfc3339(row.last_seen),
    }


def _rfc3339(at: UnixMillis) -> str | None:
    if not at:
        return None
    return (
        datetime.fromtimestamp(at / 1000, UTC)
        .isoformat(timespec="milliseconds")
        .replace("+00:00", "Z")
    )
