"""The token tables of the published vectors, written as in the Noise text, sections 7 and 18.1.

A line is: name, pre-messages (`i` the initiator's static key is known, `r` the responder's, `-`
none), and the messages, which `/` separates. The psk modifiers are applied as in section 9.4.
"""

from __future__ import annotations

from wire.channel.handshake import Pattern, Token

_TABLE = """
N     r    e es
K     ir   e es ss
X     r    e es s ss
NN    -    e        / e ee
NK    r    e es     / e ee
NX    -    e        / e ee s es
KN    i    e        / e ee se
KK    ir   e es ss  / e ee se
KX    i    e        / e ee se s es
XN    -    e        / e ee        / s se
XK    r    e es     / e ee        / s se
XX    -    e        / e ee s es   / s se
IN    -    e s      / e ee se
IK    r    e es s ss / e ee se
IX    -    e s      / e ee se s es
NK1   r    e        / e ee es
NX1   -    e        / e ee s      / es
X1N   -    e        / e ee        / s      / se
X1K   r    e es     / e ee        / s      / se
XK1   r    e        / e ee es     / s se
X1K1  r    e        / e ee es     / s      / se
X1X   -    e        / e ee s es   / s      / se
XX1   -    e        / e ee s      / es s se
X1X1  -    e        / e ee s      / es s   / se
K1N   i    e        / e ee        / se
K1K   ir   e es     / e ee        / se
KK1   ir   e        / e ee se es
K1K1  ir   e        / e ee es     / se
K1X   i    e        / e ee s es   / se
KX1   i    e        / e ee se s   / es
K1X1  i    e        / e ee s      / se es
I1N   -    e s      / e ee        / se
I1K   r    e es s   / e ee        / se
IK1   r    e s      / e ee se es
I1K1  r    e s      / e ee es     / se
I1X   -    e s      / e ee s es   / se
IX1   -    e s      / e ee se s   / es
I1X1  -    e s      / e ee s      / se es
"""


def _read(line: str) -> Pattern:
    name, known, messages = line.split(maxsplit=2)
    return Pattern(
        name,
        "i" in known,
        "r" in known,
        tuple(tuple(Token(word) for word in part.split()) for part in messages.split("/")),
    )


_PLAIN = {pattern.name: pattern for pattern in map(_read, _TABLE.strip().splitlines())}


def pattern(name: str) -> Pattern:
    """Give the table of a pattern by its full name: `XX`, `XXpsk3`, `NNpsk0`."""
    plain_name, _, place = name.partition("psk")
    plain = _PLAIN[plain_name]
    if not place:
        return plain
    messages = [list(tokens) for tokens in plain.messages]
    if place == "0":
        messages[0].insert(0, Token.PSK)
    else:
        messages[int(place) - 1].append(Token.PSK)
    return Pattern(name, plain.initiator_known, plain.responder_known, tuple(map(tuple, messages)))
