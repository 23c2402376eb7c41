"""The filters of lists and counts of jobs, of selections of many jobs, and of saved views, in the order of pages.

A column that a filter looks at is kept in segments by itself; CONTRIBUTING.md says how a filter is added."""

from __future__ import annotations

from jobdeck.core.filters.rules import (
    Below,
    Between,
    CodeOrFingerprint,
    Filter,
    HasWords,
    Holds,
    IsMissing,
    Named,
    OneOf,
    Parameter,
    moments,
    several,
    single,
)
from jobdeck.core.life.states import State

FILTERS: tuple[Filter, ...] = (
    several("state", "State", OneOf("state"), "state", "many", f"{', '.join(State)}."),
    several("type", "Type", OneOf("type"), "word", "many", "Job type.", other="Another type"),
    several("category", "Category", OneOf("category"), "word", "many", "Category of the job type.",
            other="Another category"),
    several("project", "Project", OneOf("project_id"), "word", "many", "Names of projects."),
    single("subject", "Subject", OneOf("subject"), "word", "text", "The object it works on.",
           "What the job works on, as the list shows it."),
    single("created_by", "Created by", Named("created_by"), "word", "text", "Who submitted it.",
           "The name of a token or a person."),
    single("token", "Token", OneOf("token_id"), "number", "one", "Id of the access token that submitted it.",
           "The number of the access token it was submitted with."),
    single("configuration", "Configuration", OneOf("configuration_id"), "number", "one", "Id of a configuration.",
           "The number of the configuration it was made from."),
    single("parent", "Parent", OneOf("parent_id"), "number", "one", "Id of the parent job.",
           "The id of the job whose children are wanted."),
    single("run_id", "Run id", Below(), "run_id", "text", "A run id, and all that run below it.",
           "A run id such as 12 or 12.40, and all that runs below it."),
    several("priority", "Priority", OneOf("priority"), "priority", "many", "0 to 9."),
    single("error", "Error", CodeOrFingerprint(), "word", "text", "An error code or a fingerprint.",
           "An error code, or the fingerprint of a kind of failure."),
    several("tag", "Tag", Holds("tags"), "word", "text", "Tag."),
    several("worker", "Worker", OneOf("worker"), "word", "text", "Name or id of the worker that had it last.",
            "The worker that had the job last, by its name or id."),
    several("host", "Host", OneOf("worker"), "word", "text", "Host of the worker that had it last.",
            "The host of that worker."),
    single("q", "Search", HasWords(), "search", None,
           "Words that are all found in the description, subject, type, command line, error, tags, creator, "
           'parameters, or what was read and written; "…" for several words as they stand; or an id or the beginning '
           "of a run id."),
    moments("created", "Created", "created_at", ("since", "until"), "Created"),
    moments("started", "Started", "started_at", ("started_since", "started_until"), "Started"),
    moments("ended", "Ended", "ended_at", ("ended_since", "ended_until"), "Ended"),
    Filter("duration", "Duration", Between("duration"), (
        Parameter("min_duration", "length", "Ran for at least: 500ms, 90s, 5m, 2h, 1d."),
        Parameter("max_duration", "length", "Ran for less than this."),
    ), "length", "For example 500ms, 90s, 5m, 2h."),
    single("top_level", "Top level only", IsMissing("parent_id"), "flag", "flag", "Only jobs without a parent.",
           "Leaves out the children of other jobs."),
)  # fmt: skip
PARAMETERS: tuple[Parameter, ...] = tuple(
    sorted((parameter for f in FILTERS for parameter in f.parameters), key=lambda p: p.name != "project")
)
"""All of them, the project first: so it stands in addresses."""
BY_KEY = {f.key: f for f in FILTERS}
