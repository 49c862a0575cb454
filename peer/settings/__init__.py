"""What a person may set, how it is written, and what it means at this minute.

    preferences   the closed table of keys, and what holds for whom
    quantities    sizes, rates and hours, and their one spelling
    configuring   the commands about settings
    bandwidth     what bandwidth holds for whom at which minute

Keys under `here/` stay on this machine, all others travel with the account.
"""
