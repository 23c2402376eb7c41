"""The tables. Times are µs since 1970 UTC; JSON is kept as text, so that any integer and any character survives."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from jobdeck.core.life.bulk import BulkState
from jobdeck.core.life.states import State, StepState
from jobdeck.store.schema_access import connections, installation, login_links, principals, sessions, tokens
from jobdeck.store.schema_base import Id, metadata, one_of

__all__ = [
    "OPEN_JOBS",
    "attempts",
    "bulk_items",
    "bulks",
    "configurations",
    "connections",
    "event_retention",
    "events",
    "failures",
    "file_versions",
    "files",
    "idempotency",
    "installation",
    "jobs",
    "leadership",
    "leases",
    "limits",
    "lineage",
    "login_links",
    "loose_jobs",
    "metadata",
    "paused_scopes",
    "principals",
    "projects",
    "saved_views",
    "segment_columns",
    "segments",
    "sessions",
    "steps",
    "storage_garbage",
    "tasks",
    "tokens",
    "workers",
]

OPEN_JOBS = "state NOT IN ('succeeded', 'canceled', 'failed')"
"""Jobs that have not ended, in the words of the partial indexes: a query that says it otherwise cannot use them."""

HISTORY = "job_id IS NULL OR kind = 'deleted'"
"""Events that are not a job's, and those that tell of its end, in the words of the partial index."""

projects = Table(
    "projects", metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("weight", Float, nullable=False, server_default=text("1")),
    Column("created_at", BigInteger, nullable=False),
)  # fmt: skip


configurations = Table(
    "configurations", metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("params", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", ForeignKey("principals.id")),
    Column("created_at", BigInteger, nullable=False),
    Column("secrets", Text),
    UniqueConstraint("project_id", "name"),
)  # fmt: skip
"""`params` has masks where secrets are; `secrets` has these, sealed."""

# The tables that are written for every job have no foreign keys: each costs a look-up for each row. What refers to a
# job goes with it (store/jobs/removal.py); projects, people and workers are never deleted.

jobs = Table(
    "jobs", metadata,
    Column("id", Id, primary_key=True),
    Column("run_id", Text, nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("isolation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("subject", Text),
    Column("params", Text, nullable=False),
    Column("tags", Text, nullable=False),
    Column("claims", Text, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("order_key", BigInteger, nullable=False),
    Column("parent_id", BigInteger),
    Column("has_children", Boolean, nullable=False, server_default=text("false")),
    Column("on_child_failure", Text, nullable=False),
    Column("configuration_id", Integer),
    Column("configuration_version", Integer),
    Column("copied_from", BigInteger),
    Column("dedupe_key", Text),
    Column("created_by", Integer, nullable=False),
    Column("token_id", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("leased", Boolean, nullable=False),
    Column("state_since", BigInteger, nullable=False),
    Column("queued_at", BigInteger, nullable=False),
    Column("intent", Text),
    Column("last_operation", Text),
    Column("not_before", BigInteger),
    Column("resume_at", BigInteger),
    Column("waits_for_children", Boolean, nullable=False, server_default=text("false")),
    Column("dirty_since", Integer, nullable=False),
    Column("losses", Integer, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("queued_us", BigInteger, nullable=False),
    Column("running_us", BigInteger, nullable=False),
    Column("paused_us", BigInteger, nullable=False),
    Column("fraction", Float, nullable=False),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("total", BigInteger),
    Column("unit", Text, nullable=False, server_default=text("''")),
    Column("progress_at", BigInteger),
    Column("warnings", Integer, nullable=False),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_hint", Text),
    Column("error_place", Text),
    Column("error_traceback", Text),
    Column("error_fingerprint", Text),
    Column("cause", Text),
    Column("reason", Text),
    Column("result", Text),
    Column("worker", Text),
    Column("secrets", Text),
    Column("code", Text),
    Column("retry", Text),
    CheckConstraint(one_of("state", [s.value for s in State]), name="state"),
    Index("ix_jobs_open", "state", "id", sqlite_where=text(OPEN_JOBS),
          postgresql_where=text(OPEN_JOBS)),
    Index("ix_jobs_parent", "parent_id", sqlite_where=text("parent_id IS NOT NULL"),
          postgresql_where=text("parent_id IS NOT NULL")),
    Index("ix_jobs_fingerprint", "error_fingerprint", sqlite_where=text("error_fingerprint IS NOT NULL"),
          postgresql_where=text("error_fingerprint IS NOT NULL")),
    Index("uq_jobs_dedupe", "dedupe_key", unique=True,
          sqlite_where=text(f"dedupe_key IS NOT NULL AND {OPEN_JOBS}"),
          postgresql_where=text(f"dedupe_key IS NOT NULL AND {OPEN_JOBS}")),
    sqlite_autoincrement=True,
)  # fmt: skip

segments = Table(
    "segments", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", Integer, nullable=False),
    Column("about", Text, nullable=False),
)  # fmt: skip

segment_columns = Table(
    "segment_columns", metadata,
    Column("segment_id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)  # fmt: skip

loose_jobs = Table(
    "loose_jobs", metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", BigInteger, nullable=False),
    Index("ix_loose_jobs_job", "job_id"),
    sqlite_autoincrement=True,
)  # fmt: skip

attempts = Table(
    "attempts", metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("worker", Text),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("error_code", Text),
    Column("error_message", Text),
)  # fmt: skip

steps = Table(
    "steps", metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("weight", Float, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_hint", Text),
    CheckConstraint(one_of("state", [s.value for s in StepState]), name="state"),
)  # fmt: skip

tasks = Table(
    "tasks", metadata,
    Column("job_id", BigInteger, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("step_index", Integer, primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("host", Text),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("tries", Integer, nullable=False, server_default=text("0")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("total", BigInteger),
    Column("unit", Text),
    Column("rows", BigInteger),
    Column("bytes", BigInteger),
    Column("part", Text),
    Column("cursor", Text),
    Column("result", Text),
    Column("error_code", Text),
    Column("error_message", Text),
    Column("error_hint", Text),
    Column("error_traceback", Text),
    CheckConstraint(one_of("state", [s.value for s in StepState]), name="state"),
)  # fmt: skip

events = Table(
    "events", metadata,
    Column("id", Id, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("project_id", Integer),
    Column("job_id", BigInteger),
    Column("actor", Text),
    Column("data", Text, nullable=False),
    Column("principal_id", Integer),
    Column("token_id", Integer),
    Index("ix_events_job", "job_id", "id"),
    Index("ix_events_history", "id", sqlite_where=text(HISTORY), postgresql_where=text(HISTORY)),
    sqlite_autoincrement=True,
)  # fmt: skip

event_retention = Table(
    "event_retention", metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("before", BigInteger, nullable=False),
)  # fmt: skip
"""One row: events from before may go. Written by who removes them, in the same transaction (store/guards.py)."""

bulks = Table(
    "bulks", metadata,
    Column("id", Id, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("priority", SmallInteger),
    Column("reason", Text),
    Column("resume_at", BigInteger),
    Column("selection", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("project_id", ForeignKey("projects.id")),
    Column("principal_id", ForeignKey("principals.id"), nullable=False),
    Column("token_id", Integer, nullable=False),
    Column("actor", Text, nullable=False),
    Column("plan_hash", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Column("total", BigInteger, nullable=False, server_default=text("0")),
    Column("allowed", BigInteger, nullable=False, server_default=text("0")),
    Column("refused", Text, nullable=False, server_default=text("'[]'")),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("skipped", BigInteger, nullable=False, server_default=text("0")),
    Column("failed", BigInteger, nullable=False, server_default=text("0")),
    Column("account", Text, nullable=False, server_default=text("'[]'")),
    Column("position", BigInteger),
    Column("with_children", Boolean, nullable=False, server_default=text("false")),
    Column("children", Text, nullable=False, server_default=text("'{}'")),
    Column("children_done", BigInteger, nullable=False, server_default=text("0")),
    CheckConstraint(one_of("state", [s.value for s in BulkState]), name="state"),
    Index("ix_bulks_running", "id", sqlite_where=text("state = 'running'"),
          postgresql_where=text("state = 'running'")),
    Index("ix_bulks_principal", "principal_id", "id"),
    sqlite_autoincrement=True,
)  # fmt: skip
"""Operations on selections of jobs. `position` is the last job that was treated. `children`: those of a delete that are
not in the selection and would go with it, by state."""

bulk_items = Table(
    "bulk_items", metadata,
    Column("bulk_id", BigInteger, primary_key=True, autoincrement=False),
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("outcome", Text),
    Column("reason", Text),
    Column("text", Text),
    Column("along", Boolean, nullable=False, server_default=text("false")),
    sqlite_with_rowid=False,
)  # fmt: skip
"""The jobs of a selection; `along`: children that go with one of them, and are not treated by themselves. No foreign
keys: jobs may go, and a million rows are written while others wait."""

leases = Table(
    "leases", metadata,
    Column("job_id", BigInteger, primary_key=True, autoincrement=False),
    Column("worker_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("ask", Text),
    Column("claims", Text, nullable=False),
    Column("acquired_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("ix_leases_worker", "worker_id"),
)  # fmt: skip

workers = Table(
    "workers", metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("slots", Integer, nullable=False),
    Column("light_slots", Integer, nullable=False),
    Column("types", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("heartbeat_at", BigInteger, nullable=False),
    Column("shortage", Text),
)  # fmt: skip

leadership = Table(
    "leadership", metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)  # fmt: skip

limits = Table(
    "limits", metadata,
    Column("resource", Text, primary_key=True),
    Column("project_id", ForeignKey("projects.id")),
    Column("capacity", Integer, nullable=False),
    Column("set_by", Text),
    Column("set_at", BigInteger, nullable=False),
    CheckConstraint("capacity >= 0", name="capacity"),
)  # fmt: skip

paused_scopes = Table(
    "paused_scopes", metadata,
    Column("scope", Text, primary_key=True),
    Column("by", Text, nullable=False),
    Column("reason", Text),
    Column("at", BigInteger, nullable=False),
)  # fmt: skip

files = Table(
    "files", metadata,
    Column("id", Id, primary_key=True),
    Column("project_id", ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_type", Text),
    Column("tags", Text, nullable=False),
    Column("created_by", ForeignKey("principals.id"), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("last_version", Integer, nullable=False, server_default=text("1")),
    Index("ix_files_project", "project_id", "id"),
    Index("ix_files_sha256", "project_id", "sha256"),
    sqlite_autoincrement=True,
)  # fmt: skip
"""`last_version`: the last number given to a version, whether or not its content came."""

file_versions = Table(
    "file_versions", metadata,
    Column("file_id", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("content_type", Text),
    Column("created_by", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)  # fmt: skip
"""All contents of files that were replaced, the present one too."""

storage_garbage = Table(
    "storage_garbage", metadata,
    Column("id", Id, primary_key=True),
    Column("prefix", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("last_error", Text),
    Index("ix_storage_garbage_due", "due_at", "id"),
    sqlite_autoincrement=True,
)  # fmt: skip
"""Content that nothing refers to any more, until it is deleted from the object storage."""

lineage = Table(
    "lineage", metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("direction", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("version", Text),
    Column("rows", BigInteger),
    Column("bytes", BigInteger),
    Column("at", BigInteger, nullable=False),
    Column("name", Text),
    Index("ix_lineage_job", "job_id"),
    Index("ix_lineage_object", "object", "id"),
    sqlite_autoincrement=True,
)  # fmt: skip

saved_views = Table(
    "saved_views", metadata,
    Column("id", Integer, primary_key=True),
    Column("project_id", ForeignKey("projects.id")),
    Column("principal_id", ForeignKey("principals.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("columns", Text),
    Column("density", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Index("uq_saved_views_own", "principal_id", "name", unique=True, sqlite_where=text("project_id IS NULL"),
          postgresql_where=text("project_id IS NULL")),
    Index("uq_saved_views_shared", "project_id", "name", unique=True, sqlite_where=text("project_id IS NOT NULL"),
          postgresql_where=text("project_id IS NOT NULL")),
)  # fmt: skip
"""Named queries of the page of jobs; without a project they are their owner's alone."""

failures = Table(
    "failures", metadata,
    Column("id", Id, primary_key=True),
    Column("job_id", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("type", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("hint", Text),
    Column("place", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("left_at", BigInteger),
    Index("ix_failures_groups", "fingerprint", "at", "type", "project_id", "left_at"),
    Index("ix_failures_job", "job_id"),
    Index("ix_failures_open", "type", sqlite_where=text("left_at IS NULL"), postgresql_where=text("left_at IS NULL")),
    sqlite_autoincrement=True,
)  # fmt: skip
"""Every time that a job failed; `left_at` is when it was failed no longer: resumed, restarted, or canceled."""

idempotency = Table(
    "idempotency", metadata,
    Column("principal_id", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("job_ids", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)  # fmt: skip
