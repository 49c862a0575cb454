"""The tracker: who has an account, who is whose friend, who is online and where; and no more than that.

    session ──requests──> dispatch ──work──> accounts passwords friends directory held (functions over storage.port)
       ^                     │                        │ answers and effects, after the commit
       └──records── server <─┴── presence (who is here, in memory) <──┘

The services are plain synchronous functions over a store and `now`; what they want done they return
as effects. Only `session`, `server` and `control` know asyncio. The tracker is never an authority on
keys, membership or delivery: it keeps and hands out signed values and checks them for its own hygiene;
whoever receives them verifies.
"""
