"""What the database itself refuses or derives: final states never change; held claims are a view of live leases."""

from __future__ import annotations

_FINAL = "OLD.state IN ('succeeded', 'canceled')"

SQLITE = [
    f"""CREATE TRIGGER jobs_final_state BEFORE UPDATE OF state, attempt, result ON jobs
        WHEN {_FINAL} AND (NEW.state IS NOT OLD.state OR NEW.attempt IS NOT OLD.attempt OR NEW.result IS NOT OLD.result)
        BEGIN SELECT RAISE(ABORT, 'final state of a job never changes'); END""",
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
    """CREATE VIEW claims_held AS
        SELECT l.job_id, l.epoch, l.worker_id, c.value ->> 0 AS resource,
               (c.value ->> 1)::int AS units, c.value ->> 2 AS mode
        FROM leases l, jsonb_array_elements(l.claims::jsonb) c""",
]


def statements(dialect: str) -> list[str]:
    """The guards of `sqlite` or `postgresql`, to be run once after the tables are made."""
    return SQLITE if dialect == "sqlite" else POSTGRESQL
