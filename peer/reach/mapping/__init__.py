"""A port of the router that leads to this machine, for as long as a node runs.

    natpmp, pcp   two small binary protocols: requests to bytes, answers to values; pure
    gateway       which router the system sends to
    asking        one question to the router over UDP, asked again until it answers
    igd           the third protocol, UPnP, by a library of C: a program of its own, run in a process of its own
    upnp          starts that program, bounds it, and reads what it found
    firewall      the same protocol asked for something else: a hole in a firewall of IPv6
    keeper        which of the three serves, how long a lease lasts, and what becomes of it at the end

A router is not believed: what it grants counts only if the tracker sees us at the address it names, and an answer
without sense is an error with a name.
"""
