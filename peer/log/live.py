"""What was stored a moment ago, and leaves without a look into the database: nearly all talk of nearly all links.

Only where the other end lacks nothing else: a session that is behind, or may be, is brought up to date by `syncing`,
which never sends again what left from here.
"""

from __future__ import annotations

from peer.effects import PushEvents, SignedReceipt, WrittenEvent
from peer.log.sessions import BATCH_BYTES, ROWS_AT_ONCE, Progress, Session
from wire import limits
from wire.messages import Message
from wire.messages.conversation import Events, Receipt

BRIEF_EVENTS = 8
"""Most events of a batch that is stored without a thread: about 3 ms."""


def is_brief(message: Message) -> bool:
    """Say whether a message brings no more than live talk does, and so is quickly stored."""
    return isinstance(message, Events) and len(message.events) <= BRIEF_EVENTS


def follow(session: Session, push: PushEvents) -> bool:
    """Have what was stored leave with the next `take`; False: the session has to be brought up to date instead."""
    progress = session.level.get(push.conversation)
    if progress is None or push.conversation in session.behind or progress.at is not None:
        return False
    if progress.followed >= ROWS_AT_ONCE:  # what `syncing` has to look over then
        return False
    is_next = False
    if isinstance(push.news, WrittenEvent):
        is_next = _follow_event(session, progress, push, push.news)
    elif push.news is not None:
        is_next = _follow_receipt(session, progress, push, push.news)
    progress.followed += is_next
    return is_next


def _follow_event(
    session: Session, progress: Progress, push: PushEvents, written: WrittenEvent
) -> bool:
    key = (written.device, written.epoch)
    is_known = written.device in session.introduced and key in progress.starts
    if not is_known or key in progress.floors or written.seq < progress.starts[key]:
        return False
    if progress.has.get(key, 0) != written.seq - 1:
        return False
    waiting = session.written.setdefault(push.conversation, [])
    size = session.written_bytes + len(written.sealed.header) + len(written.sealed.body or b"")
    if waiting and (len(waiting) == limits.EVENTS_PER_BATCH or size > BATCH_BYTES):
        return False
    session.written_bytes = size
    progress.has[key] = written.seq
    waiting.append(written.sealed)
    return True


def _follow_receipt(
    session: Session, progress: Progress, push: PushEvents, receipt: SignedReceipt
) -> bool:
    if session.device != receipt.brought_by or not progress.tips.keys().isdisjoint(receipt.chains):
        return False
    session.receipts[push.conversation, receipt.device] = receipt.signed
    session.signed[push.conversation] = receipt.signed
    return True


def take(session: Session) -> list[Message]:
    """Give what is to leave now, and forget it."""
    said: list[Message] = [
        Events(conversation, tuple(events))
        for conversation, events in session.written.items()
        if events
    ]
    said += [Receipt(signed) for signed in session.signed.values()]
    session.written.clear()
    session.written_bytes = 0
    session.signed.clear()
    return said
