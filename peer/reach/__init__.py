"""How two devices come together: which addresses are dialled, at what pace, and what is left where none answers.

    candidates   what a friend signed, less what could be used against others or us
    turns        when a friend's devices may be dialled next
    moved        noticing that an address of ours is gone, and the links with it
    relaying     the last rung: both come to the tracker, which joins them and can read nothing

`peer.dialer` runs the ladder for talk, `peer.transfers.datadialer` for files.
"""
