"""Transfers as pure machines: what may be asked next, what is verified, what is still missing."""
