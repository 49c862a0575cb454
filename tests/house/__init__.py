"""Tests about the code itself: what must not be imported, forgotten, leaked or grown."""
