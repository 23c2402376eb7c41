"""A job type's own hooks, asked in the process that may be killed for it; answers travel back as JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError

from jobdeck.core.claims import Claim
from jobdeck.core.errors import ErrorKind, InvalidInput, JobdeckError
from jobdeck.core.hooks.answers import Accepted, accepted, checked_plan, parts_of
from jobdeck.core.jobtype import JobType, StepSpec
from jobdeck.core.registry import read_params
from jobdeck.core.retry import RetryPolicy
from jobdeck.core.tasks import ACCEPT, TaskRequest
from jobdeck.core.values import Json, bounded, clip

MAX_FACTS = 64 * 1024
INVALID_PARAMS = "invalid_params"
_BY_PARAMETERS = "parameters"


class HookRefusal(InvalidInput):
    """What a type's hook raised to refuse a job, with its own code and kind."""

    def __init__(self, code: str, kind: ErrorKind, message: str, **facts: Any) -> None:
        super().__init__(message, **facts)
        self.__dict__.update(code=code, kind=kind)


def looked_at(job_type: type[JobType], request: TaskRequest) -> Json:
    """For each job that is wanted what the type says of it, or which of them it refuses and why."""
    answers: list[Json] = []
    wanted: Any = request.part
    for index, one in enumerate(wanted):
        try:
            params = read_params(job_type, one["params"])
            if request.method == ACCEPT:
                answers.append(_dumped(accepted(job_type(params), request.environment, one.get("description"))))
        except ValidationError as error:
            return {"index": index, "refused": {"code": INVALID_PARAMS, "errors": _faults(error)}}
        except JobdeckError as error:
            return {"index": index, "refused": _refused(error)}
        except MemoryError:
            raise
        except BaseException as error:  # noqa: BLE001  (it says of which job it is)
            return {"index": index, "broke": _told(error)}
    return {"answers": answers}


def _faults(error: ValidationError) -> Json:
    """Each fault without the value, which may be a secret; the text of a validator may be anything."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"loc": [_place(part) for part in one["loc"]], "msg": clip(one["msg"], 1000)} for one in found[:100]]


def _place(part: int | str) -> int | str:
    return part if isinstance(part, int) else clip(str(part), 200)


def _told(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001  (the type's code may raise from `__str__`, too)
        text = "(its text cannot be shown)"
    return clip(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _refused(error: JobdeckError) -> Json:
    said: dict[str, Json] = {"code": clip(str(error.code), 100), "kind": error.kind}
    said["message"] = clip(str(error.message))
    said["field"] = None if error.field is None else clip(str(error.field), 1000)
    said["hint"] = None if error.hint is None else clip(str(error.hint))
    try:
        said["facts"] = bounded(dict(error.facts), MAX_FACTS, "facts")  # type: ignore[arg-type]
    except (JobdeckError, TypeError, ValueError, RecursionError):
        said["facts"] = {}
    return said


def refusal_of(said: dict[str, Any]) -> HookRefusal:
    """What `_refused` told, as an error again."""
    facts = {k: v for k, v in said["facts"].items() if k not in ("message", "field", "hint", "code", "kind")}
    return HookRefusal(said["code"], said["kind"], said["message"], field=said["field"], hint=said["hint"], **facts)


def _dumped(one: Accepted) -> Json:
    claims: list[Json] = [list(claim.to_json()) for claim in one.claims]
    return {"claims": claims, "subject": one.subject, "description": one.description}


def accepted_from(value: dict[str, Any]) -> Accepted:
    """What a process answered, as the value that it was there."""
    return Accepted(tuple(map(Claim.from_json, value["claims"])), value["subject"], value["description"])


def planned(job: JobType) -> Json:
    """The steps that the type plans, checked."""
    plan: list[Json] = []
    for spec in checked_plan(type(job), job.plan()):
        retry = spec.retry
        each = {"by": _BY_PARAMETERS} if callable(spec.each) else spec.each
        policy: list[Json] = [retry.attempts, retry.backoff, retry.factor, retry.longest]
        row: list[Json] = [spec.name, spec.method, each, policy, spec.timeout, spec.weight, spec.parallel]  # type: ignore[list-item]
        plan.append(row)
    return plan


def planned_from(value: Any) -> list[StepSpec]:
    """What `planned` answered; a step that a function splits gets one that says so and is not to be called."""
    return [
        StepSpec(name, method, split_elsewhere if isinstance(each, dict) else each, RetryPolicy(*policy), *rest)
        for name, method, each, policy, *rest in value
    ]


def split_elsewhere(_params: BaseModel) -> list[Any]:
    """Stands for a function of the type's that only a process of its own calls."""
    raise RuntimeError("this step is split in a process of its own")


def split(job: JobType, index: Any) -> Json:
    """The parts of the step in this place, as texts of JSON."""
    spec = checked_plan(type(job), job.plan())[index]
    if not callable(spec.each):
        raise TypeError(f"step '{spec.name}' is not split by its parameters")
    return list[Json](parts_of(type(job).type_name(), spec, job.params))
