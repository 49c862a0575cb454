"""What all commands share: what has to run so that one can be carried out."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar


class Need(enum.Enum):
    """What has to run so that a command can be carried out."""

    STORE = "store"
    BRIEF = "brief"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Command:
    """Something a face asks for; the subclasses are the closed list."""

    need: ClassVar[Need] = Need.BRIEF
