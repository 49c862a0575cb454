"""Tests of wire.link."""
