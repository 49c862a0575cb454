"""The sealed account state: put by compare-and-swap in pages that are applied at the last, read in pages.

What lives here: the pages of one session that are not applied yet (`Staging`, bounded for each session
and for all together), and the two services. The tracker cannot open what it keeps here.
"""

from __future__ import annotations

from msgspec import Struct, field

from tracker.accounts import owned
from tracker.effects import Caller, Outcome, Tell
from tracker.errors import TrackerError
from tracker.revoking import copies_of
from tracker.storage.port import AccountId, Store
from wire import limits
from wire.codes import Code
from wire.messages.accounts import AskState, PutState, State, StateChanged, StatePut

STATE_PAGES = limits.ACCOUNT_STATE_BYTES // limits.PAGE_BYTES


class StagingSpace(Struct):
    """How many bytes of unapplied pages there are, of all sessions together."""

    limit_bytes: int = limits.STAGED_STATE_BYTES
    used_bytes: int = 0


class Staging(Struct):
    """The pages that one session has put so far; a first page begins anew."""

    space: StagingSpace
    _pages: list[bytes] = field(default_factory=list)
    _base_version: int = 0
    _expected: int = 0

    def take(self, message: PutState) -> bytes | None:
        """Take the next page; gives the whole content at the last one, None before it.

        Raises TrackerError with TOO_MANY_PAGES, NOT_NOW for a page out of turn, TOO_MANY_REQUESTS when the
        space of all sessions is used up; what was staged is then gone.
        """
        if message.page == 0:
            self.clear()
            self._base_version, self._expected = message.base_version, message.pages
        if not 1 <= message.pages <= STATE_PAGES:
            raise self._refusal(Code.TOO_MANY_PAGES, f"a state has 1 to {STATE_PAGES} pages")
        if (message.page, message.pages, message.base_version) != (
            len(self._pages),
            self._expected,
            self._base_version,
        ):
            raise self._refusal(Code.NOT_NOW, "a page of the state came out of turn")
        if self.space.used_bytes + len(message.content) > self.space.limit_bytes:
            raise self._refusal(Code.TOO_MANY_REQUESTS, "too much account state is on its way")
        self.space.used_bytes += len(message.content)
        self._pages.append(message.content)
        if len(self._pages) < self._expected:
            return None
        content = b"".join(self._pages)
        self.clear()
        return content

    def clear(self) -> None:
        """Forget what was staged and give its space back."""
        self.space.used_bytes -= sum(map(len, self._pages))
        self._pages.clear()
        self._expected = 0

    def _refusal(self, code: Code, detail: str) -> TrackerError:
        self.clear()
        return TrackerError(code, detail)


def put_state(store: Store, caller: Caller, message: PutState, content: bytes) -> Outcome:
    """Replace the state if `base_version` is the present one; raises STATE_CONFLICT if it is not.

    message: the last page, whose request is answered. content: all pages.
    """
    owned(store, caller.account)
    present = store.state_version(caller.account)
    if present != message.base_version:
        raise TrackerError(
            Code.STATE_CONFLICT, f"version {present} is the present one, not {message.base_version}"
        )
    store.put_state(caller.account, present + 1, content)
    changed = Tell(caller.account, StateChanged(present + 1), except_device=caller.device)
    return Outcome(StatePut(message.request, present + 1), (changed,))


def ask_state(store: Store, account: AccountId, message: AskState) -> Outcome:
    """Give one page of the state; an empty one beyond its end. With the first go the copies of the state key."""
    piece = store.state_slice(account, message.page * limits.PAGE_BYTES, limits.PAGE_BYTES)
    pages = -(-piece.size_bytes // limits.PAGE_BYTES)
    copies = copies_of(store, account) if message.page == 0 else ()
    return Outcome(
        State(message.request, piece.version, message.page, pages, piece.content, copies)
    )
