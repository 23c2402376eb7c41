"""Jobs as the API shows them, and the requests about them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints

from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import DEFAULT_PRIORITY, HIGHEST_PRIORITY, LOWEST_PRIORITY
from jobdeck.core.refs import with_id
from jobdeck.core.values import MAX_TAG, MAX_TAGS
from jobdeck.wire.base import Id, Instant, Name, Request, Response, Text, storable

MAX_BATCH = 10_000
"""Jobs of one batch, at most."""

Priority = Annotated[int, Field(ge=LOWEST_PRIORITY, le=HIGHEST_PRIORITY)]
Tag = Annotated[
    str, StringConstraints(min_length=1, max_length=MAX_TAG, strip_whitespace=True), AfterValidator(storable)
]
OnChildFailure = Literal["fail", "warn", "ignore"]


class ErrorView(Response):
    """Why a job, step or task failed."""

    code: str
    message: str
    hint: str | None = None
    fingerprint: str | None = Field(
        default=None, description="Equal for failures of the same kind, whatever their numbers and names."
    )
    traceback: str | None = Field(default=None, description="Only for those who may see it.")


class ActionView(Response):
    """Whether the one who asks can do this to the job now, and why not."""

    allowed: bool
    why: str | None = None
    children: dict[str, int] | None = Field(
        default=None, description="Of `delete` of a single job: children, and theirs, that would go with it, by state."
    )


class ProgressView(Response):
    """Units done of units planned; `rate` in units per second, `eta` the estimated end."""

    fraction: float = Field(default=0.0, description="0 to 1; never goes back, 1 only when the job succeeded.")
    done: int = 0
    total: int | None = None
    unit: str = ""
    rate: float | None = None
    eta: Instant | None = None


class WaitReason(Response):
    """One thing a pending job waits for."""

    reason: str = Field(description="`not_before`, `paused_scope`, `dependency`, `claim`, `no_worker` or `turn`.")
    text: str = Field(description="In words; of a `turn` also its number in the queue of its project.")
    resource: str | None = None
    capacity: int | None = None
    holders: list[int] = Field(default_factory=list, description="Ids of the jobs that hold what it needs.")
    until: Instant | None = None
    number: int | None = Field(
        default=None,
        description="Its place, from 1: among the jobs of its project that need `resource`; of a `turn`, in its queue.",
    )


class RetryView(Response):
    """Between two tries: which task failed, and which try of how many comes, counted from 1, at what time."""

    step: str
    task: int = Field(description="Its index in the step.")
    key: str
    number: int
    of: int
    at: Instant | None = None


class TouchedObject(Response):
    """An object or file that a job read or wrote."""

    object: str
    name: str | None = Field(default=None, description="Of a project file: the name that it was uploaded under.")
    version: str | None = None
    rows: int | None = None
    bytes: int | None = None

    @property
    def shown(self) -> str:
        """What people see: the name with the reference, where there is one."""
        return self.object if self.name is None else with_id(self.name, self.object)


class Job(Response):
    """A job, as everyone sees it."""

    id: int
    run_id: str = Field(default="", description="The parent's run id, a dot, and the id; just the id at the top.")
    project: str
    type: str
    category: str = ""
    state: State
    description: str = ""
    subject: str | None = Field(default=None, description="What it works on.")
    params: dict[str, Any] = Field(default_factory=dict)
    priority: int = DEFAULT_PRIORITY
    tags: list[str] = Field(default_factory=list)
    parent: int | None = None
    configuration: int | None = None
    attempt: int = 1
    progress: ProgressView = Field(default_factory=ProgressView)
    wait: list[WaitReason] = Field(
        default_factory=list, description="Why it waits, most fundamental first; not empty while it is pending."
    )
    error: ErrorView | None = None
    retry: RetryView | None = Field(
        default=None, description="While it waits for its next try; `error` says what failed."
    )
    warnings: int = 0
    leftovers: str | None = Field(
        default=None, description="Of a canceled job: what it half made and what could not be removed. Not in lists."
    )
    cause: str | None = Field(default=None, description="By whom or what it was paused or canceled.")
    reason: str | None = Field(default=None, description="What the one who paused or canceled it gave as the reason.")
    copied_from: int | None = Field(default=None, description="The job that it runs again.")
    created_by: str | None = None
    created_at: Instant
    started_at: Instant | None = None
    ended_at: Instant | None = None
    queued_seconds: float = 0.0
    running_seconds: float = 0.0
    paused_seconds: float = 0.0
    credits: float = Field(
        default=0.0, description="By its type: for each hour that it ran, and each 10⁹ bytes that it moved."
    )
    inputs: list[TouchedObject] = Field(default_factory=list)
    outputs: list[TouchedObject] = Field(default_factory=list)
    result: Any = None
    worker: str | None = None
    actions: dict[str, ActionView] = Field(
        default_factory=dict, description="`cancel`, `pause`, `resume`, `restart`, `delete`."
    )
    omitted: list[str] = Field(
        default_factory=list, description="In lists: `params` or `result` where they are too long to be shown there."
    )


class Deleted(Response):
    """The answer to a delete that may take children along."""

    id: int
    children: dict[str, int] = Field(
        default_factory=dict, description="Children, and theirs, that were deleted with it, by state."
    )


class Attempt(Response):
    """One run of a job from its first step; a restart begins the next."""

    attempt: int
    state: State
    started_at: Instant | None = None
    ended_at: Instant | None = None
    cause: str | None = None
    error: ErrorView | None = None
    worker: str | None = None


class Lineage(Response):
    """What a job read and wrote, and the jobs that came before and after it through those objects."""

    inputs: list[TouchedObject] = Field(default_factory=list)
    outputs: list[TouchedObject] = Field(default_factory=list)
    upstream: list[int] = Field(default_factory=list, description="Ids of the jobs that wrote what it read.")
    downstream: list[int] = Field(default_factory=list, description="Ids of the jobs that read what it wrote.")


class SubmitRequest(Request):
    """A job to be done."""

    type: Name
    params: dict[str, Any] = Field(default_factory=dict, description="As the type's JSON schema says.")
    priority: Priority = Field(default=DEFAULT_PRIORITY, description="0 to 9; higher goes first.")
    not_before: Instant | None = None
    tags: list[Tag] = Field(default_factory=list, max_length=MAX_TAGS)
    configuration: Id | None = None
    parent: Id | None = None
    deduplicate: bool = Field(
        default=False,
        description="Answer with an unfinished job of the same type and parameters where there is one.",
    )
    on_child_failure: OnChildFailure = Field(
        default="fail", description="What becomes of this job when one of its children ends without success."
    )
    description: Text | None = None


class BatchRequest(Request):
    """Several jobs at once: all are accepted or none."""

    jobs: list[SubmitRequest] = Field(min_length=1, max_length=MAX_BATCH)


class RunAgainRequest(Request):
    """What is to be different from the job that is run again; the rest is taken over."""

    params: dict[str, Any] | None = Field(
        default=None, description="Put over the old ones, name by name. A masked secret means the old one."
    )
    replace: bool = Field(
        default=False, description="`params` are all there are: what they leave out is not taken over from the old job."
    )
    priority: Priority | None = None
    tags: list[Tag] | None = Field(default=None, max_length=MAX_TAGS)
    description: Text | None = None


class OperationRequest(Request):
    """The body of `cancel` and `resume`."""

    reason: Text | None = None


class PauseRequest(OperationRequest):
    """The body of `pause`."""

    resume_at: Instant | None = Field(default=None, description="When it is to resume by itself.")


class RestartRequest(OperationRequest):
    """The body of `restart`."""


class ChangeRequest(Request):
    """What can be changed of a job that waits."""

    priority: Priority
