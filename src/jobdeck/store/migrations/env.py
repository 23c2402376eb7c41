"""What Alembic runs: the migrations on the connection it was handed."""

from __future__ import annotations

from alembic import context

from jobdeck.store.schema_base import every_table

connection = context.config.attributes["connection"]
tables = every_table()
context.configure(connection=connection, target_metadata=tables, render_as_batch=connection.dialect.name == "sqlite")
with context.begin_transaction():
    context.run_migrations()
