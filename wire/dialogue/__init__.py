"""Requests and answers on a tracker link: every request gets exactly one answer."""

from wire.dialogue.answerer import LEGAL, Answerer, SessionState
from wire.dialogue.asker import Answered, Asker, AskerEvent, Denied, Pushed

__all__ = [
    "LEGAL",
    "Answered",
    "Answerer",
    "Asker",
    "AskerEvent",
    "Denied",
    "Pushed",
    "SessionState",
]
