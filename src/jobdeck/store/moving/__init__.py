"""The whole control database, from SQLite to PostgreSQL, and the proof that all of it arrived."""
