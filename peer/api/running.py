"""What may be asked about this home and the node that runs for it."""

from __future__ import annotations

from typing import ClassVar

from peer.api.command import Command, Need


class WhoAmI(Command, frozen=True):
    """Gives one Account."""

    need: ClassVar[Need] = Need.STORE


class GetStatus(Command, frozen=True):
    """Gives one Status."""

    need: ClassVar[Need] = Need.STORE


class WatchEvents(Command, frozen=True):
    """Gives every Event from now on until the caller leaves."""

    need: ClassVar[Need] = Need.FULL


class Diagnose(Command, frozen=True):
    """Look at everything that decides who can reach whom. Gives a Check each."""

    need: ClassVar[Need] = Need.FULL


class GiveWay(Command, frozen=True):
    """Make room for another node: one that a verb runs ends soon. Gives Nothing.

    stays: the other is no verb's; without it only a BRIEF node gives way, to a FULL one. ALREADY_RUNNING
    from a node that does not. What verbs had under way they ask the next node for.
    """

    stays: bool = True
