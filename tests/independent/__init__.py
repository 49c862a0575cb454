"""A second client, written from wire/PROTOCOL.md alone: the proof that a stranger can.

It imports nothing of this project, which `tests/house/test_independent.py` checks: `struct`, the standard
library, `cryptography` and `blake3`, its own MessagePack and its own Noise. What it lacks is what a client needs
beyond the wire: a database, a face. It blocks on one socket at a time.

    msgpack     the few types of MessagePack that the protocol has
    noise       the handshake and the records
    values      signed values, passwords, vaults, names that people compare
    link        one sealed connection: preamble, Hello, messages, raw records
    account     a person with a device at a tracker, and the two kinds of session there
    talk        a conversation: events, receipts, digests and vectors
    mail        items for devices that are away
    postbox     mail at a tracker: left, and collected
    reach       the relay, and links that both sides open
    files       manifests, digests, fetching and serving
    sources     one offer from several sources, and lent to others
    message_numbers  the numbers of the messages, as the document's table has them

Its hostile twin, the peer of `tests/e2e/test_hostile_*.py`, is this one with a few bytes put otherwise.
"""
