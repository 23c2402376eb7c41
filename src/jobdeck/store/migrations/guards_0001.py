"""The guards of the first schema, as they were then."""

from __future__ import annotations

_FINAL = "OLD.state IN ('succeeded', 'canceled')"
_ENDED = "OLD.state IN ('succeeded', 'canceled', 'failed')"
_SEALED = (
    "state", "priority", "started_at", "ended_at", "running_us", "error_code", "error_fingerprint", "project_id",
    "type", "category", "subject", "description", "params", "tags", "parent_id", "run_id", "configuration_id",
    "created_by", "token_id", "created_at",
)  # fmt: skip
"""The columns that segments hold."""

_OF_SEALED = ", ".join(_SEALED)
_BEFORE, _AFTER = (", ".join(f"{row}.{column}" for column in _SEALED) for row in ("OLD", "NEW"))
_NOTE = "INSERT INTO loose_jobs (job_id) VALUES (OLD.id);"

SQLITE = [
    f"""CREATE TRIGGER jobs_final_state BEFORE UPDATE OF state, attempt, result ON jobs
        WHEN {_FINAL} AND (NEW.state IS NOT OLD.state OR NEW.attempt IS NOT OLD.attempt OR NEW.result IS NOT OLD.result)
        BEGIN SELECT RAISE(ABORT, 'final state of a job never changes'); END""",
    f"""CREATE TRIGGER jobs_loosened AFTER UPDATE OF {_OF_SEALED} ON jobs
        WHEN {_ENDED} AND ({_BEFORE}) IS NOT ({_AFTER})
        BEGIN {_NOTE} END""",
    f"""CREATE TRIGGER jobs_gone AFTER DELETE ON jobs WHEN {_ENDED}
        BEGIN {_NOTE} END""",
    """CREATE VIEW claims_held AS
        SELECT l.job_id, l.epoch, l.worker_id, json_extract(c.value, '$[0]') AS resource,
               json_extract(c.value, '$[1]') AS units, json_extract(c.value, '$[2]') AS mode
        FROM leases l, json_each(l.claims) c""",
]

POSTGRESQL = [
    """CREATE FUNCTION jobs_refuse_final_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'final state of a job never changes' USING ERRCODE = 'check_violation'; END $$""",
    f"""CREATE TRIGGER jobs_final_state BEFORE UPDATE OF state, attempt, result ON jobs FOR EACH ROW
        WHEN ({_FINAL} AND (NEW.state IS DISTINCT FROM OLD.state OR NEW.attempt IS DISTINCT FROM OLD.attempt
              OR NEW.result IS DISTINCT FROM OLD.result))
        EXECUTE FUNCTION jobs_refuse_final_change()""",
    f"""CREATE FUNCTION jobs_note_loose() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN {_NOTE} RETURN NULL; END $$""",
    f"""CREATE TRIGGER jobs_loosened AFTER UPDATE OF {_OF_SEALED} ON jobs FOR EACH ROW
        WHEN ({_ENDED} AND ({_BEFORE}) IS DISTINCT FROM ({_AFTER}))
        EXECUTE FUNCTION jobs_note_loose()""",
    f"""CREATE TRIGGER jobs_gone AFTER DELETE ON jobs FOR EACH ROW WHEN ({_ENDED})
        EXECUTE FUNCTION jobs_note_loose()""",
    "ALTER TABLE segment_columns ALTER COLUMN data SET STORAGE EXTERNAL",
    """CREATE VIEW claims_held AS
        SELECT l.job_id, l.epoch, l.worker_id, c.value ->> 0 AS resource,
               (c.value ->> 1)::int AS units, c.value ->> 2 AS mode
        FROM leases l, jsonb_array_elements(l.claims::jsonb) c""",
]


def statements(dialect: str) -> list[str]:
    """The guards of `sqlite` or `postgresql`, to be run once after the tables are made."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
