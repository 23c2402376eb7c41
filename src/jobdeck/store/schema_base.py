"""What all tables share: how constraints are called, and the type of keys."""

from __future__ import annotations

from sqlalchemy import BigInteger, Integer, MetaData

from jobdeck.core.modules import modules_in

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
metadata = MetaData(naming_convention=NAMING)

Id = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit key; on SQLite plain INTEGER, which alone makes it the table's row id."""


def every_table() -> MetaData:
    """All tables: those of `schema.py`, and those that stand in the file of their own noun. Loads every file of the
    store, so that none is missing; it is what a migrated database looks like."""
    for _ in modules_in("jobdeck.store", but="jobdeck.store.migrations"):
        pass
    return metadata
