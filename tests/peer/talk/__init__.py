"""Tests of what people do with what was said."""
