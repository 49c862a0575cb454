"""How two devices come together: which addresses are dialled, at what pace, and what is left where none answers.

    whereabouts  where this machine is: what it listens on, its addresses (`places`), the router's port (`mapping`)
    publishing   telling friends where that is, sealed; `shown` decides who gets the key, and keeps who was told
    candidates   what a friend signed, less what could be used against others or us
    turns        when a friend's devices may be dialled next
    moved        noticing that an address of ours is gone, and the links with it
    punching     both sides dial each other at one moment that the tracker names
    relaying     the last rung: both come to the tracker, which joins them and can read nothing
    neighbourhood  the local network, tracker or none: `lan` announces and hears over `mdns`, `nearby` keeps what was
                 heard, `doorway` lets people who are no friends yet ask to be
    outward      every socket that goes out: which interface it stays on, and the tracker's proxy (`socks5`)
    doctor       what stands in the way, and on whose side

`peer.dialer` runs the ladder for talk, `peer.transfers.datadialer` for files.
"""
