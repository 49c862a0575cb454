"""The command line: one face of a peer among others.

    main         finds the verb and calls it; imports next to nothing, because start-up time is felt
    commands/    one file a verb: its options, what it asks the door for, what it prints
    arguments    options anywhere between arguments, `--`, errors that name the nearest word
    ask          carries a request to the running node, or runs one in this process
    render       results as lines for people; makes harmless what came from others
    passwords    where a password may come from
    quantities   DURATION, counts, HOST:PORT
    exit_codes   owns stderr, the signals and the exit code; the only place that catches everything

A verb's module knows `peer.api` by the names of its commands and the JSON fields of its results, never
the node behind it. On the way of `hobnob --help` and of `hobnob status` with a node up nothing heavy is
imported: no asyncio, cryptography, msgspec, dataclasses.
"""
