"""The rows of the table of verbs about this account's machines."""

from __future__ import annotations

from tests.e2e.verb_calls import (
    ACCOUNT,
    GONE,
    NOBODY,
    RUNNING,
    SOME,
    TO_NOBODY,
    WRONG,
    Call,
    Row,
    call,
    fresh,
    member,
    person,
    saving,
    with_friend,
)
from tests.e2e.verb_world import Scene
from tests.harness.actors import Peer


def spare(scene: Scene, who: Peer) -> tuple[str, ...]:
    """Make another machine of whoever calls, and name it."""
    other = scene.fresh()
    other.one("login", who.name, "--tracker", scene.tracker, "--device", "spare", "--unsealed")
    return ("spare",)


def carried(scene: Scene, who: Peer) -> tuple[str, ...]:
    """Export the person's profile, and name the file."""
    file = scene.folder / f"for-{who.name}.profile"
    if not file.exists():
        scene.person.one("export", str(file))
    return (str(file), "--unsealed")


DEVICES = (
    Row(
        "export",
        "file bytes",
        saving(".profile"),
        refused=saving("", "file-exists"),  # the home itself
    ),
    Row(
        "import",
        ACCOUNT,
        Call(carried, who=fresh),
        refused=call("/no/such/file", code="no-such-file", who=fresh),
        away=Call(carried, GONE, fresh),
        up_fine=Call(carried, RUNNING, person),
        up_refused=call(code="usage"),
        up_away=Call(carried, RUNNING, person),
    ),
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
