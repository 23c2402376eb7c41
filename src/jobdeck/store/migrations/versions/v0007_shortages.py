"""What a worker is short of is kept beside its sign of life; the failed jobs of each type are counted from an index."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("workers", sa.Column("shortage", sa.Text(), nullable=True))
    only = sa.text("left_at IS NULL")
    op.create_index("ix_failures_open", "failures", ["type"], sqlite_where=only, postgresql_where=only)


def downgrade() -> None:
    raise NotImplementedError("There is no way back; restore the database from a copy.")
