"""Numbers from outside in queries."""

from __future__ import annotations

from sqlalchemy import BigInteger, ColumnElement, literal


def wide(value: int) -> ColumnElement[int]:
    """A number that a client sent, to be compared with a 32-bit column, where PostgreSQL refuses larger ones."""
    return literal(value, BigInteger())
