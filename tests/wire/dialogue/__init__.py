"""Tests of wire.dialogue."""
