"""The schema of the peer's database: one SQL file a step, never changed once released."""
