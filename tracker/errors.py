"""What can go wrong at a tracker, as one sentence for a person: what happened; what to do next.

The sentences themselves stand with the codes in `wire.codes`, their one home; an error adds the detail.
"""

from __future__ import annotations

from wire.codes import Code


class TrackerError(Exception):
    """Something did not happen at the tracker; `code` says what and carries the remedy.

    detail: what exactly, in words, for instance the path or the port concerned; replaces the code's
    general sentence. remedy: replaces the code's general remedy where a better one is known.
    retry_after_s: whole seconds after which the same may work; 0 where waiting does not help.
    """

    def __init__(
        self, code: Code, detail: str = "", *, remedy: str = "", retry_after_s: int = 0
    ) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.message = detail or code.what
        self.remedy = remedy or code.remedy
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return f"{self.code.value}: {self.message}; {self.remedy}"
