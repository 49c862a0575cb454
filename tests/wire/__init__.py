"""Machines and values only: no socket, no clock, no disk."""
