"""What the scheduler asks and writes: who leads, what waits and where, families, and what is due."""
