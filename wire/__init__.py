"""The language of Hobnob: what may be said between programs, and in which order.

Pure: no socket, no clock, no disk, no dice, no logging. Bytes go in, events and bytes come out; time
and randomness are arguments (`machine`). The layers wrap each other and none reaches through another:

    frames      a byte stream cut at lengths
    channel     the handshake, and records sealed by its keys
    link        hello, keepalive, close: one open link to one verified device
    dialogue    requests and answers with the tracker
    log         conversations as replicated sets of signed events
    transfer    what to ask for, what to send, what is verified

`messages` is what is said, `codec` its bytes, `identity` who vouches for whom; `limits`, `codes`,
`errors` and `ids` are the one home of every bound, code, error and name.
"""
