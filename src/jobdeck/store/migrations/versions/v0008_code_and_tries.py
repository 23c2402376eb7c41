"""A job knows the code that its attempt began with, and between two tries what failed and which try comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("code", sa.Text(), nullable=True))
    op.add_column("jobs", sa.Column("retry", sa.Text(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("There is no way back; restore a backup.")
