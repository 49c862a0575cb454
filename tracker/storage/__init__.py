"""What the tracker remembers: questions (`port`), their answers in SQLite, and the thread that asks.

    services ──ask──> port.Store <──is── sqlite.SqliteStore ──> schema/0001_*.sql ... by migrate
    session ──submit──> writer.Writer ──runs each piece of work in a savepoint, one COMMIT a batch

The services know the port only. A piece of work is a synchronous function over a `Store`; its result
reaches the loop after the COMMIT that made it durable, in the order in which the work was submitted.
"""
