"""What people call an object that a job touched is kept beside its reference."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("lineage", sa.Column("name", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("There is no way back; restore the database from a copy.")
