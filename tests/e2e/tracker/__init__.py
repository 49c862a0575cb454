"""The tracker at its port: a real process and peers that are a link and an asker each."""
