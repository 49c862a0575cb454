"""The command line: its words, its numbers, what it shows, how it ends."""
