"""What all commands share: what has to run so that one can be carried out."""

from __future__ import annotations

import enum
from typing import ClassVar

from msgspec import Struct


class Need(enum.Enum):
    """What has to run so that a command can be carried out."""

    STORE = "store"
    BRIEF = "brief"
    FULL = "full"


class Command(Struct, frozen=True):
    """Something a face asks for; the subclasses are the closed list."""

    need: ClassVar[Need] = Need.BRIEF


class Confidential(Command, frozen=True):
    """A command with a secret among its fields: none of them stands in its `repr`."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"
