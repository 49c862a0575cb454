"""What can go wrong at a peer, as one sentence for a person: what happened; what to do next.

The sentences themselves stand with the codes in `wire.codes`, their one home; an error adds the detail.
"""

from __future__ import annotations

from wire.codes import Code


class PeerError(Exception):
    """Something a person asked for did not happen; `code` says what and carries the remedy.

    detail: what exactly, in words, for instance the path or the name concerned; replaces the code's
    general sentence. remedy: replaces the code's general remedy where a better one is known.
    """

    def __init__(self, code: Code, detail: str = "", *, remedy: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail
        self.message = detail or code.what
        self.remedy = remedy or code.remedy

    def __str__(self) -> str:
        return f"{self.code.value}: {self.message}; {self.remedy}"
