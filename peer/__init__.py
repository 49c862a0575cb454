"""One person's side of Hobnob: the node that talks and transfers, and the faces that drive it.

Faces know `peer.api` and nothing behind it. `node` and what it names own asyncio; conversations,
contacts and transfers' policy are plain functions over a database connection that return effects.
"""
