"""The tree of errors of the wire, and whose fault each one is.

    WireError
    ├── LocalProtocolError    we misused a machine or built a message out of bounds: a bug of ours
    └── RemoteProtocolError   the other side broke the protocol: the machine fails itself with `code`

`tracker.errors.TrackerError` and `peer.errors.PeerError` are the other two roots; all three carry a
`Code` and facts as attributes, and `__str__` makes one sentence of them that no code parses.
"""

from __future__ import annotations

from wire.codes import Code


class WireError(Exception):
    """Something about the protocol went wrong; `code` says what."""

    def __init__(self, code: Code, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code.value}: {self.detail}" if self.detail else self.code.value


class LocalProtocolError(WireError):
    """We asked a machine for what is not legal now, or built a message beyond its bounds."""

    def __init__(self, detail: str, code: Code = Code.LOCAL_PROTOCOL_ERROR) -> None:
        super().__init__(code, detail)


class RemoteProtocolError(WireError):
    """The other side sent what the protocol does not allow, or what does not verify."""
