"""What waits sealed at the tracker for who is away: left there, fetched, opened once.

    postbox         what goes by mail, to whom, and what becomes of it
    enclosed        what letters hold beside events, and what of it is owed
    prekeys         keys that others seal to: made, published, erased when used
    lost            what was left and is not there any more: asked about, left again
    posted          what lies there, told to the other devices of the account
    restored        what is told once this device is known to be put back from a backup
    mailing         what comes: opened, believed as far as it verifies, stored, its key erased
    mail_exchange   the talk with the tracker about all that

Which road a message takes is decided for each device of the other side (design, section 6).
"""
