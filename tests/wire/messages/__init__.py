"""Tests of wire.messages."""
