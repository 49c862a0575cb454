"""Conversations as logs: chains of signed events, taken in, shown in order, signed for, synced.

    membership   which conversations there are, and who is in them
    chains       one device's run of numbers in one conversation, as far as it is here
    forks        no number is used twice by us, and no lie about it stays hidden
    receiving    what is taken in, what waits, what is refused
    showing      after what its author had seen, or after two seconds with a gap
    receipts     what is stored here, signed; what is delivered by others' signatures
    sessions     what the other end of one link lacks, and in which order it is sent
    syncing      what two linked devices say to each other about their logs
    sharing      history that a friend's new device may have
    bodies       dropping what was said while its header stays
    retention    how long that is kept
    notices      what a person has to know beside what was said

Plain functions over a database connection and `now` that return effects; `peer.conversations` is their front.
"""
