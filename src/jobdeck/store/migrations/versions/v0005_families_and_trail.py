"""Children that go along are named before they do; events are kept by the database itself, and found without jobs'."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_HISTORY = sa.text("job_id IS NULL OR kind = 'deleted'")
_TOO_YOUNG = "NOT EXISTS (SELECT 1 FROM event_retention WHERE before > OLD.at)"
_NOT_WITH_ITS_JOB = (
    "(OLD.job_id IS NULL OR OLD.kind = 'deleted' OR EXISTS (SELECT 1 FROM jobs WHERE jobs.id = OLD.job_id))"
)
_FIXED = "an event never changes"
_KEPT = "events are kept until their retention is over"

_SQLITE = [
    f"""CREATE TRIGGER events_fixed BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, '{_FIXED}'); END""",
    f"""CREATE TRIGGER events_kept BEFORE DELETE ON events WHEN {_TOO_YOUNG} AND {_NOT_WITH_ITS_JOB}
        BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END""",
]
_POSTGRESQL = [
    f"""CREATE FUNCTION events_refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION '{_FIXED}' USING ERRCODE = 'check_violation'; END $$""",
    """CREATE TRIGGER events_fixed BEFORE UPDATE ON events FOR EACH ROW
        EXECUTE FUNCTION events_refuse_change()""",
    f"""CREATE FUNCTION events_refuse_loss() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN
            IF NOT ({_TOO_YOUNG} AND {_NOT_WITH_ITS_JOB}) THEN RETURN OLD; END IF;
            RAISE EXCEPTION '{_KEPT}' USING ERRCODE = 'check_violation';
        END $$""",
    """CREATE TRIGGER events_kept BEFORE DELETE ON events FOR EACH ROW
        EXECUTE FUNCTION events_refuse_loss()""",
]


def upgrade() -> None:
    op.add_column("bulks", sa.Column("with_children", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("bulks", sa.Column("children", sa.Text(), server_default=sa.text("'{}'"), nullable=False))
    op.add_column("bulks", sa.Column("children_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("bulk_items", sa.Column("along", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix_events_history", "events", ["id"], sqlite_where=_HISTORY, postgresql_where=_HISTORY)
    op.create_table(
        "event_retention",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("before", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event_retention")),
    )
    for statement in _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRESQL:
        op.execute(sa.text(statement))


def downgrade() -> None:
    raise NotImplementedError("There is no way back; restore a backup.")
