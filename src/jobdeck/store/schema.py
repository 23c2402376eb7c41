"""The tables. Times are µs since 1970 UTC; JSON is kept as text, so that any integer and any character survives."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from jobdeck.core.life.bulk import BulkState
from jobdeck.core.life.states import State, StepState
from jobdeck.store.columns import (
    blobs,
    counted,
    flags,
    floats,
    index_where,
    integers,
    longs,
    one_of,
    refs,
    shorts,
    table,
    texts,
    times,
)
from jobdeck.store.schema_access import connections, installation, login_links, principals, sessions, tokens
from jobdeck.store.schema_base import metadata

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

projects = table(
    "projects",
    integers("id", key=True),
    texts("name", unique=True),
    texts("title"),
    floats("weight", default="1"),
    times("created_at"),
)


configurations = table(
    "configurations",
    integers("id", key=True),
    refs("project_id", "projects.id"),
    texts("name", "type", "params"),
    integers("version"),
    refs("created_by", "principals.id", null=True),
    times("created_at"),
    texts("secrets", null=True),
    UniqueConstraint("project_id", "name"),
)
"""`params` has masks where secrets are; `secrets` has these, sealed."""

# The tables that are written for every job have no foreign keys: each costs a look-up for each row. What refers to a
# job goes with it (store/jobs/removal.py); projects, people and workers are never deleted.

jobs = table(
    "jobs",
    counted(),
    texts("run_id"),
    integers("project_id"),
    texts("type", "category", "isolation", "state", "description"),
    texts("subject", null=True),
    texts("params", "tags", "claims"),
    shorts("priority"),
    longs("order_key"),
    longs("parent_id", null=True),
    flags("has_children", default="false"),
    texts("on_child_failure"),
    integers("configuration_id", "configuration_version", null=True),
    longs("copied_from", null=True),
    texts("dedupe_key", null=True),
    integers("created_by"),
    integers("token_id", null=True),
    times("created_at"),
    integers("attempt", "epoch"),
    flags("leased"),
    times("state_since", "queued_at"),
    texts("intent", "last_operation", null=True),
    times("not_before", "resume_at", null=True),
    flags("waits_for_children", default="false"),
    integers("dirty_since", "losses"),
    times("started_at", "ended_at", null=True),
    longs("queued_us", "running_us", "paused_us"),
    floats("fraction"),
    longs("done", default="0"),
    longs("total", null=True),
    texts("unit", default="''"),
    times("progress_at", null=True),
    integers("warnings"),
    texts("error_code", "error_message", "error_hint", "error_place", "error_traceback", null=True),
    texts("error_fingerprint", "cause", "reason", "result", "worker", "secrets", "code", "retry", null=True),
    one_of("state", State),
    index_where("ix_jobs_open", OPEN_JOBS, "state", "id"),
    index_where("ix_jobs_parent", "parent_id IS NOT NULL", "parent_id"),
    index_where("ix_jobs_fingerprint", "error_fingerprint IS NOT NULL", "error_fingerprint"),
    index_where("uq_jobs_dedupe", f"dedupe_key IS NOT NULL AND {OPEN_JOBS}", "dedupe_key", unique=True),
)

segments = table(
    "segments",
    integers("id", key=True, autoincrement=False),
    integers("version"),
    texts("about"),
)

segment_columns = table(
    "segment_columns",
    integers("segment_id", key=True, autoincrement=False),
    texts("name", key=True),
    blobs("data"),
)

loose_jobs = table(
    "loose_jobs",
    counted(),
    longs("job_id"),
    Index("ix_loose_jobs_job", "job_id"),
)

attempts = table(
    "attempts",
    longs("job_id", key=True),
    integers("attempt", key=True),
    texts("state"),
    texts("worker", null=True),
    times("started_at"),
    times("ended_at", null=True),
    texts("error_code", "error_message", null=True),
)

steps = table(
    "steps",
    longs("job_id", key=True),
    integers("attempt", "index", key=True),
    texts("name", "state"),
    floats("weight"),
    times("started_at", "ended_at", null=True),
    texts("error_code", "error_message", "error_hint", null=True),
    one_of("state", StepState),
)

tasks = table(
    "tasks",
    longs("job_id", key=True),
    integers("attempt", "step_index", "index", key=True),
    texts("key", "state"),
    texts("host", null=True),
    integers("attempts", "tries", "failures", default="0"),
    times("started_at", "ended_at", null=True),
    longs("done", default="0"),
    longs("total", null=True),
    texts("unit", null=True),
    longs("rows", "bytes", null=True),
    texts("part", "cursor", "result", "error_code", "error_message", "error_hint", "error_traceback", null=True),
    one_of("state", StepState),
)

events = table(
    "events",
    counted(),
    times("at"),
    texts("kind"),
    integers("project_id", null=True),
    longs("job_id", null=True),
    texts("actor", null=True),
    texts("data"),
    integers("principal_id", "token_id", null=True),
    Index("ix_events_job", "job_id", "id"),
    index_where("ix_events_history", HISTORY, "id"),
)

event_retention = table(
    "event_retention",
    integers("id", key=True, autoincrement=False),
    times("before"),
)
"""One row: events from before may go. Written by who removes them, in the same transaction (migration 0005)."""

bulks = table(
    "bulks",
    counted(),
    texts("operation"),
    shorts("priority", null=True),
    texts("reason", null=True),
    times("resume_at", null=True),
    texts("selection", "state"),
    refs("project_id", "projects.id", null=True),
    refs("principal_id", "principals.id"),
    integers("token_id"),
    texts("actor", "plan_hash"),
    times("created_at", "expires_at"),
    times("started_at", "ended_at", null=True),
    longs("total", "allowed", default="0"),
    texts("refused", default="'[]'"),
    longs("done", "skipped", "failed", default="0"),
    texts("account", default="'[]'"),
    longs("position", null=True),
    flags("with_children", default="false"),
    texts("children", default="'{}'"),
    longs("children_done", default="0"),
    one_of("state", BulkState),
    index_where("ix_bulks_running", "state = 'running'", "id"),
    Index("ix_bulks_principal", "principal_id", "id"),
)
"""Operations on selections of jobs. `position` is the last job that was treated. `children`: those of a delete that are
not in the selection and would go with it, by state."""

bulk_items = table(
    "bulk_items",
    longs("bulk_id", "job_id", key=True, autoincrement=False),
    texts("outcome", "reason", "text", null=True),
    flags("along", default="false"),
    sqlite_with_rowid=False,
)
"""The jobs of a selection; `along`: children that go with one of them, and are not treated by themselves. No foreign
keys: jobs may go, and a million rows are written while others wait."""

leases = table(
    "leases",
    longs("job_id", key=True, autoincrement=False),
    texts("worker_id"),
    integers("epoch"),
    texts("purpose"),
    texts("ask", null=True),
    texts("claims"),
    times("acquired_at", "expires_at"),
    Index("ix_leases_worker", "worker_id"),
)

workers = table(
    "workers",
    texts("id", key=True),
    texts("name", "host"),
    integers("pid"),
    texts("state"),
    integers("slots", "light_slots"),
    texts("types", "version"),
    times("started_at", "heartbeat_at"),
    texts("shortage", null=True),
)

leadership = table(
    "leadership",
    texts("name", key=True),
    texts("holder"),
    longs("epoch"),
    times("expires_at"),
)

limits = table(
    "limits",
    texts("resource", key=True),
    refs("project_id", "projects.id", null=True),
    integers("capacity"),
    texts("set_by", null=True),
    times("set_at"),
    CheckConstraint("capacity >= 0", name="capacity"),
)

paused_scopes = table(
    "paused_scopes",
    texts("scope", key=True),
    texts("by"),
    texts("reason", null=True),
    times("at"),
)

files = table(
    "files",
    counted(),
    refs("project_id", "projects.id"),
    texts("name"),
    longs("size"),
    texts("sha256"),
    texts("content_type", null=True),
    texts("tags"),
    refs("created_by", "principals.id"),
    times("created_at"),
    times("expires_at", null=True),
    integers("version", "last_version", default="1"),
    Index("ix_files_project", "project_id", "id"),
    Index("ix_files_sha256", "project_id", "sha256"),
)
"""`last_version`: the last number given to a version, whether or not its content came."""

file_versions = table(
    "file_versions",
    longs("file_id", key=True, autoincrement=False),
    integers("version", key=True, autoincrement=False),
    texts("name"),
    longs("size"),
    texts("sha256"),
    texts("content_type", null=True),
    integers("created_by"),
    times("created_at"),
)
"""All contents of files that were replaced, the present one too."""

storage_garbage = table(
    "storage_garbage",
    counted(),
    texts("prefix", "kind"),
    times("since", "due_at"),
    integers("tries"),
    texts("last_error", null=True),
    Index("ix_storage_garbage_due", "due_at", "id"),
)
"""Content that nothing refers to any more, until it is deleted from the object storage."""

lineage = table(
    "lineage",
    counted(),
    longs("job_id"),
    integers("attempt"),
    texts("direction", "object"),
    texts("version", null=True),
    longs("rows", "bytes", null=True),
    times("at"),
    texts("name", null=True),
    Index("ix_lineage_job", "job_id"),
    Index("ix_lineage_object", "object", "id"),
)

saved_views = table(
    "saved_views",
    integers("id", key=True),
    refs("project_id", "projects.id", null=True),
    refs("principal_id", "principals.id"),
    texts("name", "query"),
    texts("columns", "density", null=True),
    times("created_at", "updated_at"),
    index_where("uq_saved_views_own", "project_id IS NULL", "principal_id", "name", unique=True),
    index_where("uq_saved_views_shared", "project_id IS NOT NULL", "project_id", "name", unique=True),
)
"""Named queries of the page of jobs; without a project they are their owner's alone."""

failures = table(
    "failures",
    counted(),
    refs("job_id", "jobs.id", ondelete="CASCADE"),
    integers("attempt", "project_id"),
    texts("type", "fingerprint", "code", "message"),
    texts("hint", null=True),
    texts("place"),
    times("at"),
    times("left_at", null=True),
    Index("ix_failures_groups", "fingerprint", "at", "type", "project_id", "left_at"),
    Index("ix_failures_job", "job_id"),
    index_where("ix_failures_open", "left_at IS NULL", "type"),
)
"""Every time that a job failed; `left_at` is when it was failed no longer: resumed, restarted, or canceled."""

idempotency = table(
    "idempotency",
    integers("principal_id", key=True),
    texts("key", key=True),
    texts("request_hash", "job_ids"),
    times("created_at"),
)
