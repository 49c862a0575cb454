"""Our own vectors: fixed keys and exact bytes, for our tests and for whoever writes another client."""
