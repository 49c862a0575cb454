"""Requests and answers on a tracker link: every request gets exactly one answer."""

from wire.dialogue.answerer import Answerer
from wire.dialogue.asker import Answered, Asker, AskerEvent, Denied, Pushed
from wire.dialogue.rules import LEGAL, REQUESTS, Rule, SessionState

__all__ = [
    "LEGAL",
    "REQUESTS",
    "Answered",
    "Answerer",
    "Asker",
    "AskerEvent",
    "Denied",
    "Pushed",
    "Rule",
    "SessionState",
]
