"""What may be asked about this home and the node that runs for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from peer.api.command import Command, Need


@dataclass(frozen=True, slots=True)
class WhoAmI(Command):
    """Gives one Account."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class GetStatus(Command):
    """Gives one Status."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class WatchEvents(Command):
    """Gives every Event from now on until the caller leaves."""

    need: ClassVar[Need] = Need.FULL


@dataclass(frozen=True, slots=True)
class Diagnose(Command):
    """Look at everything that decides who can reach whom. Gives a Check each."""

    need: ClassVar[Need] = Need.FULL


@dataclass(frozen=True, slots=True)
class GiveWay(Command):
    """Make room for another node: one that a verb runs ends soon. Gives Nothing.

    stays: the other is no verb's; without it only a BRIEF node gives way, to a FULL one. ALREADY_RUNNING
    from a node that does not. What verbs had under way they ask the next node for.
    """

    stays: bool = True
