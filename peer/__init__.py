"""One person's side of Hobnob: the node that talks and transfers, and the faces that drive it.

    cli  control        faces and the socket by which they find a running node
      api  door         commands in, results and events out; who carries them out where no node is up
    node  commands      a running node, and what each command means on it
    linking  uplink     the links with friends' devices, and the one to the tracker
    reach               how two devices come together where it is not simply dialled
    accounts  people    this account and its machines; everybody else
    conversations  log  what is said, as signed logs that are synced
    talk  history  mail what people do with it, how they see it, how it travels sealed
    transfers           files: offered, fetched, verified, lent to others
    settings  store     what a person may set; one database, one writer

Faces know `peer.api` and nothing behind it. `node` and what it names own asyncio; conversations,
contacts and transfers' policy are plain functions over a database connection that return effects.
"""
