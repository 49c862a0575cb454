"""What may be said on the wire: one file a topic, all registered by number in `registry`.

Importing this package registers every message; `wire.codec` is its only reader.
"""

from wire.messages import (
    accounts,
    conversation,
    friends,
    held,
    mailbox,
    presence,
    reach,
    session,
    transfer,
)
from wire.messages.registry import BY_NUMBER, CRITICAL, NUMBER_OF, Message, Purpose

__all__ = [
    "BY_NUMBER",
    "CRITICAL",
    "NUMBER_OF",
    "Message",
    "Purpose",
    "accounts",
    "conversation",
    "friends",
    "held",
    "mailbox",
    "presence",
    "reach",
    "session",
    "transfer",
]
