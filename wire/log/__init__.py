"""Conversations as replicated logs: signed events, vectors of what is here, sync of what is not."""
