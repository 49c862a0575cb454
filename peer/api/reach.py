"""What a face is told of how friends and the tracker are reached."""

from __future__ import annotations

from typing import ClassVar

from peer.api.command import Command, Need
from peer.api.results import Result, Transfer


class LinkStatus(Result, frozen=True):
    """One friend's link in Status."""

    friend: str
    device: str | None
    path: str  # lan, direct, mapped, reverse, punched, relayed, none
    verified: bool
    rtt_ms: float | None
    since: str | None
    why_not_better: str | None
    files_link: bool = False  # whether one for files stands beside it now


class Check(Result, frozen=True):
    """One thing that `doctor` looked at; remedy: empty where nothing is wrong."""

    check: str
    ok: bool
    detail: str
    remedy: str


class TrackerStatus(Result, frozen=True):
    """The tracker link in Status."""

    state: str  # online, connecting, offline, refused
    address: str | None
    why: str | None = None


class FriendDialled(Result, frozen=True):
    """A friend's device that answered where a person said that it is."""

    friend: str
    device: str
    path: str  # as in LinkStatus


class Status(Result, frozen=True):
    """The tracker link, every friend's link, every transfer that has not ended."""

    account: str | None
    node: str  # up, down
    pid: int | None
    listen: list[str]
    tracker: TrackerStatus
    links: list[LinkStatus]
    transfers: list[Transfer]
    waiting: list[str]  # what waits for the tracker, in words
    alarms: list[dict[str, str]]  # {"code", "message", "remedy"}: what a person has to decide
    unread: int = 0  # lines that were not read on any own device, of all friends


class ListShownTo(Command, frozen=True):
    """Gives a ShownTo each, the newest first."""

    need: ClassVar[Need] = Need.STORE


class ShownTo(Result, frozen=True):
    """A device that was told where this machine can be dialled. is_current: as it is now, not only as it once was."""

    friend: str
    device: str
    name: str
    at: str
    is_current: bool
