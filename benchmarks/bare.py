"""The bare database: the writes that a recorded noop job needs, by hand, a batch of jobs in each transaction."""

from __future__ import annotations

import time

import psycopg

BATCH = 500
_TABLES = """
CREATE TABLE jobs (id bigint PRIMARY KEY, state text NOT NULL, epoch int NOT NULL, started_at bigint, ended_at bigint);
CREATE INDEX ON jobs (state, id);
CREATE TABLE leases (job_id bigint PRIMARY KEY, epoch int NOT NULL, claims text NOT NULL, expires_at bigint NOT NULL);
CREATE TABLE attempts (job_id bigint, attempt int, state text NOT NULL, ended_at bigint, PRIMARY KEY (job_id, attempt));
CREATE TABLE events (id bigserial PRIMARY KEY, job_id bigint, kind text NOT NULL, data text NOT NULL);
"""
_START = (
    "UPDATE jobs SET state = 'running', epoch = 1, started_at = 1 WHERE id = ANY(%(ids)s)",
    'INSERT INTO leases SELECT id, 1, \'[["project:default",1,"s"]]\', 2 FROM unnest(%(ids)s::bigint[]) AS id',
    "INSERT INTO attempts SELECT id, 1, 'running', NULL FROM unnest(%(ids)s::bigint[]) AS id",
    "INSERT INTO events (job_id, kind, data) SELECT id, 'started', '{}' FROM unnest(%(ids)s::bigint[]) AS id",
)
_END = (
    "UPDATE jobs SET state = 'succeeded', ended_at = 3 WHERE id = ANY(%(ids)s)",
    "DELETE FROM leases WHERE job_id = ANY(%(ids)s)",
    "UPDATE attempts SET state = 'succeeded', ended_at = 3 WHERE job_id = ANY(%(ids)s)",
    "INSERT INTO events (job_id, kind, data) SELECT id, 'succeeded', '{}' FROM unnest(%(ids)s::bigint[]) AS id",
)


def drain_bare(url: str, jobs: int) -> float:
    """Jobs a second: started and ended, with one commit for each of the two per batch."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES)
        connection.execute(
            "INSERT INTO jobs SELECT i, 'pending', 0, NULL, NULL FROM generate_series(1, %s) AS i", [jobs]
        )
        began = time.monotonic()
        for first in range(1, jobs + 1, BATCH):
            ids = list(range(first, min(first + BATCH, jobs + 1)))
            for statements in (_START, _END):
                with connection.transaction():
                    for statement in statements:
                        connection.execute(statement, {"ids": ids})
        return jobs / (time.monotonic() - began)
