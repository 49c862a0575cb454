"""Real programs on networks of their own: slow lines, cut cables."""
