"""This account and this device of it: made, proven, the same on all machines, and ended.

    account          the commands about the account, with a node and without
    register         making an account, making this machine a device of one, signing off
    credentials      what the password does: proving it, changing it
    devices          this account's machines: listing them, taking one off
    deletion, held   the end of an account; what the tracker holds of it
    account_state    what people and settings are as entries that all own devices share
    state_exchange   putting those to the tracker, and fetching what other devices put
    alarms           what a person has to decide before anything goes on
    porting          a whole profile in one sealed file, out and in
    archive          the bytes of that file

What needs the password opens the vault in memory, for that one act.
"""
