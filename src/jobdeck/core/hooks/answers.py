"""What a job type's own code answers, checked: whatever it gives becomes a value of ours or an error that names it."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from pydantic_core import PydanticSerializationError, to_jsonable_python

from jobdeck.core.claims import Claim, Mode
from jobdeck.core.environment import Environment
from jobdeck.core.errors import TaskFailure, TooLarge
from jobdeck.core.jobtype import JobType, StepSpec
from jobdeck.core.retry import RetryPolicy
from jobdeck.core.values import MAX_RESULT, Json, bounded_text, clip

MAX_CLAIMS = 1000
MAX_UNITS = 1_000_000_000
MAX_RESOURCE = 2000
MAX_TEXT = 64 * 1024
"""Characters that a description may have before it is cut; more is a mistake and no description."""
MAX_STEPS = 10_000
MAX_STEP_NAME = 200
MAX_TASKS = 10_000
MAX_PART = MAX_RESULT
MAX_PARTS = 16 * 1024 * 1024
"""Bytes of JSON that all parts of one step may have together."""
_UNFIT = re.compile("[\0\ud800-\udfff]")


class BadAnswer(TaskFailure, code="bad_answer", retryable=False):
    """A job type's own method gave something that cannot be used."""


class TooManyTasks(TaskFailure, code="too_many_tasks", retryable=False):
    """A step split into more tasks than one step may have."""


class PartsTooLarge(TaskFailure, code="parts_too_large", retryable=False):
    """A step's parts are larger than they may be."""


class Accepted(NamedTuple):
    """What a type says of a job whose parameters it has looked at."""

    claims: tuple[Claim, ...]
    subject: str | None
    description: str


def accepted(job: JobType, environment: Environment | None, description: str | None) -> Accepted:
    """Ask the type all that a submission asks. Runs its own code. A `description` that was sent is kept. `environment`
    None: it has no `check` that could look at it."""
    if environment is not None:
        job.check(environment)
    kind = type(job).type_name()
    wanted = job.claims()
    claims = tuple(_claim(kind, claim) for claim in _listed(kind, "claims", wanted, MAX_CLAIMS)) if wanted != [] else ()
    subject = job.subject()
    if subject is not None:
        subject = clip(_text(kind, "subject", subject), 1000) or None
    return Accepted(claims, subject, clip(description or _text(kind, "description", job.description()), 500))


def _wrong(kind: str, hook: str, what: str) -> BadAnswer:
    hint = "Report it to those who wrote the job type."
    return BadAnswer(f"The job type '{kind}' answered wrongly: {_call(hook)} {what}.", hint=hint, field="type")


def _call(hook: str) -> str:
    return f"{hook}()" if hook.isidentifier() else hook


def _shown(value: object) -> str:
    """The kind of a value, for people; its text may be long, secret or not to be had."""
    return "nothing" if value is None else f"a value of type {type(value).__name__}"


def _text(kind: str, hook: str, value: object) -> str:
    if not isinstance(value, str):
        raise _wrong(kind, hook, f"gave {_shown(value)}, and no text")
    if len(value) > MAX_TEXT:
        raise _wrong(kind, hook, f"gave a text of {len(value)} characters; {MAX_TEXT} are allowed")
    return str(value)


def _several(kind: str, hook: str, value: Any) -> Iterable[Any]:
    """What is given, which may have no end."""
    if isinstance(value, list | tuple):  # mostly, and quicker to see than that it is none of the others
        return value
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        raise _wrong(kind, hook, f"gave {_shown(value)}, and no list")
    return value


def _listed(kind: str, hook: str, value: Any, most: int) -> list[Any]:
    found = list(islice(_several(kind, hook, value), most + 1))
    if len(found) > most:
        raise _wrong(kind, hook, f"gave more than {most} items")
    return found


def _claim(kind: str, claim: Any) -> Claim:
    if not isinstance(claim, Claim):
        raise _wrong(kind, "claims", f"gave {_shown(claim)} among its claims")
    name: Any = claim.resource
    units: Any = claim.units
    if not isinstance(name, str) or not 0 < len(name) <= MAX_RESOURCE or _UNFIT.search(name):
        raise _wrong(kind, "claims", f"named a resource that is no text of 1 to {MAX_RESOURCE} characters without NUL")
    if isinstance(units, bool) or not isinstance(units, int) or not 1 <= units <= MAX_UNITS:
        raise _wrong(kind, "claims", f"claims units of '{clip(name, 100)}' that are no number from 1 to {MAX_UNITS}")
    if claim.mode not in (Mode.SHARED, Mode.EXCLUSIVE):
        raise _wrong(kind, "claims", f"claims '{clip(name, 100)}' neither shared nor exclusive")
    return Claim(str(name), units, Mode(claim.mode))


def checked_plan(job_type: type[JobType], answer: Any) -> list[StepSpec]:
    """The steps that `plan` gave; raises BadAnswer."""
    kind = job_type.type_name()
    plan = _listed(kind, "plan", answer, MAX_STEPS)
    if not plan and job_type.may_be_empty is not True:
        raise _wrong(kind, "plan", "gave no step; set may_be_empty = True on the type if that is meant")
    names: set[str] = set()
    for index, spec in enumerate(plan):
        if not isinstance(spec, StepSpec):
            raise _wrong(kind, "plan", f"gave {_shown(spec)} as step {index}, and no StepSpec")
        fault = _fault(job_type, spec, names)
        if fault is not None:
            raise _wrong(kind, "plan", f"gave a step {index} {fault}")
        names.add(spec.name)
    return plan


def _fault(job_type: type[JobType], spec: StepSpec, earlier: set[str]) -> str | None:
    """What is wrong with a step, as the end of a sentence."""
    name: Any = spec.name
    method: Any = spec.method
    each: Any = spec.each
    if not isinstance(name, str) or not 0 < len(name) <= MAX_STEP_NAME or _UNFIT.search(name):
        return f"whose name is no text of 1 to {MAX_STEP_NAME} characters without NUL"
    if name in earlier:
        return f"whose name '{name}' an earlier one has"
    if not isinstance(method, str) or not callable(getattr(job_type, method, None)):
        return f"('{name}') whose method the type does not have"
    if isinstance(each, str) and each not in earlier:
        return f"('{name}') that is split by '{clip(each, 100)}', which is no earlier step"
    if each is not None and not isinstance(each, str) and not callable(each):
        return f"('{name}') whose `each` is neither a step's name nor a function"
    numbers = {
        "weight": _is_number(spec.weight, least=0),
        "timeout": spec.timeout is None or (_is_number(spec.timeout, least=0) and spec.timeout > 0),
        "parallel": spec.parallel is None or (_is_number(spec.parallel, least=1) and isinstance(spec.parallel, int)),
        "retry": _is_policy(spec.retry),
    }
    return next((f"('{name}') whose `{field}` cannot be used" for field, good in numbers.items() if not good), None)


def _is_number(value: object, least: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least


def _is_policy(policy: Any) -> bool:
    return (
        isinstance(policy, RetryPolicy)
        and _is_number(policy.attempts, least=1)
        and all(_is_number(number, least=0) for number in (policy.backoff, policy.factor, policy.longest))
    )


def parts_of(kind: str, spec: StepSpec, params: Any) -> list[str]:
    """The parts into which a function of the parameters splits a step, as JSON. Runs the type's own code."""
    assert callable(spec.each)
    return checked_parts(spec, _several(kind, f"each of step '{spec.name}'", spec.each(params)))


def parts_of_result(spec: StepSpec, result: Json) -> list[str]:
    """The parts into which an earlier step's result splits a step, as JSON."""
    if result is not None and not isinstance(result, list):
        said = f"Step '{spec.name}' is split by the result of step '{spec.each}', which is no list."
        raise BadAnswer(said, hint="Let that step return a list.")
    return checked_parts(spec, result or [])


def checked_parts(spec: StepSpec, parts: Iterable[Any]) -> list[str]:
    """Each part as JSON; raises TooManyTasks, PartsTooLarge or BadAnswer. Looks at no more of them than are allowed."""
    size = 0
    texts: list[str] = []
    for index, part in enumerate(parts):
        if index == MAX_TASKS:
            said = f"Step '{spec.name}' has more than the {MAX_TASKS} tasks that are allowed."
            raise TooManyTasks(said, hint="Make the parts larger.")
        texts.append(_part(part, spec, index))
        size += len(texts[-1].encode())
        if size > MAX_PARTS:
            said = f"The parts of step '{spec.name}' have more than {MAX_PARTS} bytes of JSON together."
            raise PartsTooLarge(said, hint=_REFER)
    return texts


_REFER = "Let parts name what is to be done, and keep the data in files or tables."


def _part(part: Any, spec: StepSpec, index: int) -> str:
    what = f"Part {index} of step '{spec.name}'"
    try:
        return bounded_text(to_jsonable_python(part), MAX_PART, what)
    except TooLarge as error:
        raise PartsTooLarge(error.message, hint=_REFER) from error
    except (PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
        raise BadAnswer(f"{what} cannot be stored as JSON: {clip(str(error), 500)}.", hint=_REFER) from error
