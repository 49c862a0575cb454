"""The rows of the table of verbs about this account's machines."""

from __future__ import annotations

from tests.e2e.verb_calls import (
    NOBODY,
    SOME,
    TO_NOBODY,
    WRONG,
    Call,
    Row,
    call,
    member,
    with_friend,
)
from tests.e2e.verb_world import Scene
from tests.harness.actors import Peer


def spare(scene: Scene, who: Peer) -> tuple[str, ...]:
    """Make another machine of whoever calls, and name it."""
    other = scene.fresh()
    other.one("login", who.name, "--tracker", scene.tracker, "--device", "spare", "--unsealed")
    return ("spare",)


DEVICES = (
    Row(
        "history share",
        "",
        with_friend(),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
    Row(
        "devices",
        "device name this added last_seen logged_out revoked",
        call(),
        refused=NOBODY,
        up_refused=WRONG,
        lines=SOME,
    ),
    Row(
        "device revoke",
        "device name",
        Call(spare, who=member),
        refused=call(TO_NOBODY, code="no-such-device"),
        away=call(TO_NOBODY, code="no-such-device"),
    ),
)
