"""What a node brings to a link with another device, by which side begins."""

from __future__ import annotations

from peer.people.roster import Target
from wire.identity import DeviceKeys
from wire.link import LinkConfig
from wire.messages import Purpose
from wire.messages.session import Hello


def calling(keys: DeviceKeys, target: Target, hello: Hello, purpose: Purpose) -> LinkConfig:
    """Give what a link is that we begin. hello: our first record to the target's identity."""
    return LinkConfig(
        purpose=purpose,
        static_private=keys.link_private,
        responder=target.identity,
        hello=hello,
        expected_static=target.link_key,
        expected_identity=target.identity,
        known_counter=target.known_counter,
        hands_over=purpose is Purpose.DATA,
    )


def answering(keys: DeviceKeys, purpose: Purpose) -> LinkConfig:
    """Give what a link is that the other side begins."""
    return LinkConfig(
        purpose=purpose,
        static_private=keys.link_private,
        responder=keys.identity,
        hands_over=purpose is Purpose.DATA,
    )
