"""Who people are to us: friends, requests, pins, their devices, and what their words lead to.

    contacts      pins, and who may link with us
    befriending   what a person does: ask, answer, part, block
    overtures     what others do: they ask, answer, part; each word is verified
    roster        the friend list, and what a tracker says about friends
    keychange     the alarm when somebody shows another identity under a known name
    reissuing     what waited for a friend whose key changed, said anew
    verifying     safety numbers
    standing      what follows when an account's device list changes
    ownlist       who knows a newer list of our own devices than we do
    directory     the devices of friends whom another of our devices made
    keeping       what only keeps something about a friend: mutes, drafts
    people        the commands about people on a running node

Plain functions over a database connection that return effects; only `people` and `directory` wait for anything.
"""
