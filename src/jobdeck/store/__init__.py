"""The only place that speaks SQL: one file per noun, the same text for SQLite and PostgreSQL; how in `sql`."""
