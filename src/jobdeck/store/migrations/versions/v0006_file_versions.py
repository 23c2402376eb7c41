"""Project files can be replaced under their id: earlier contents are kept as versions; files are found by checksum."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("files", sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.add_column("files", sa.Column("last_version", sa.Integer(), server_default=sa.text("1"), nullable=False))
    op.create_index("ix_files_sha256", "files", ["project_id", "sha256"], unique=False)
    op.create_table(
        "file_versions",
        sa.Column("file_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("created_by", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", "version", name=op.f("pk_file_versions")),
    )


def downgrade() -> None:
    raise NotImplementedError("There is no way back to an earlier schema; restore a backup instead.")
