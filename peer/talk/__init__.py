"""What people do with what was said: answer, edit, delete, react, pin, pass on, see, mute, draft.

    about      what later events say of an earlier one, and who of them wins: the one home of that rule
    acts       the commands that write such events
    lines      what a line of a conversation shows of all that
    seen       how far people saw a conversation: read marks here, told to friends, and of other own devices
    mutes, drafts, mentions      small things of the account and of a text

Plain functions over the database, like their neighbours `peer.conversations` and `peer.history.history`. Nothing is worked out
when such an event comes but what cannot wait: a deleted body goes at once. Everything else is asked when a line is
shown, so that late, doubled and swapped events cannot leave anything behind.
"""
