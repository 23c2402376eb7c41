"""What happens around a task's method, in whatever process or thread: load, decode, call, encode – and never raise."""

from __future__ import annotations

import collections.abc
import errno
import importlib
import json
import os
import re
import traceback
import typing
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError, PydanticUndefinedAnnotation
from pydantic_core import PydanticSerializationError, to_jsonable_python

from jobdeck.core.errors import ErrorInfo, JobdeckError, TaskFailure
from jobdeck.core.jobtype import JobType, part_type, result_type
from jobdeck.core.outcome import Failed, Outcome, Stopped, Succeeded
from jobdeck.core.outline import outline
from jobdeck.core.tasks import ACCEPT, FITS, PLAN, SPLIT, STEPS, UNDO, TaskRequest
from jobdeck.core.values import MAX_MESSAGE, MAX_RESULT, Json, bounded, clip, encode
from jobdeck.executors import given
from jobdeck.executors.context import PoliteStop, TaskContext
from jobdeck.executors.hooks import looked_at, planned, split
from jobdeck.executors.machine.awaited import awaited

MAX_TRACEBACK = 32 * 1024
MAX_CODE = 100
_LASTING = ("invalid", "unauthenticated", "forbidden", "not_found", "too_large")
_CODE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9_.:-]{{0,{MAX_CODE - 1}}}")
_STREAMS = (
    collections.abc.Iterator, collections.abc.Iterable, collections.abc.Generator,
    collections.abc.AsyncIterator, collections.abc.AsyncIterable, collections.abc.AsyncGenerator,
)  # fmt: skip


class TypeNotLoadable(TaskFailure, code="type_not_loadable", retryable=False):
    """The job type's module or class cannot be imported where the task runs."""


class ParametersRefused(TaskFailure, code="invalid_params", retryable=False):
    """The job type no longer accepts the parameters that were stored with the job."""


class ResultNotStorable(TaskFailure, code="result_not_storable", retryable=False):
    """What a step returned has no JSON form, or is too large to be kept."""


class NoSuchResult(TaskFailure, code="no_such_result", retryable=False):
    """A step asked for the result of a step that has none before it."""


def perform(request: TaskRequest, run: TaskContext) -> Outcome:
    """Run the task to its end, whatever happens in it. One that was told to stop has stopped, however it ends:
    code that catches everything must not make half a result a whole one."""
    try:
        result = _call(request, run)
        return Stopped() if run.stopping else Succeeded(result)
    except PoliteStop:
        return Stopped()
    except BaseException as error:  # noqa: BLE001 – the task answers with a value, whatever was raised
        if run.stopping:
            run.log(f"It was stopping and raised {clip(given.text(error))}", "warning")
            return Stopped()
        return Failed(describe(error, f"{request.type}.{request.step}"))


def _call(request: TaskRequest, run: TaskContext) -> Json:
    job_type = load_type(request.implementation)
    if request.method in (ACCEPT, FITS):
        return looked_at(job_type, request)
    job = job_type(_params(job_type, request))
    run.decode_results_with(lambda step: _earlier(job, request, step))
    if request.method == UNDO:
        job.undo(run)
        return None
    if request.method == PLAN:
        return [step.model_dump(mode="json") for step in outline(job)]
    if request.method == STEPS:
        return planned(job)
    if request.method == SPLIT:
        return split(job, request.part)
    method = getattr(job, request.method)
    declared = part_type(job_type, request.method)
    result = method(run) if declared is None else method(run, decode(declared, request.part))
    return _storable(job_type, request, awaited(result))


def load_type(implementation: str) -> type[JobType]:
    """The class named `module:Class`; raises TypeNotLoadable."""
    module, _, name = implementation.partition(":")
    try:
        loaded = importlib.import_module(module)
        for part in name.split("."):
            loaded = getattr(loaded, part)
    except MemoryError:
        raise
    except BaseException as error:  # a module may even call sys.exit while it is imported
        raise TypeNotLoadable(
            f"The job type {implementation} cannot be loaded: {type(error).__name__}: {_text(error)}",
            hint="Install what it needs where the workers run.",
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, JobType)):
        raise TypeNotLoadable(f"{implementation} is not a job type.", hint="Name a subclass of JobType.")
    return loaded


def _params(job_type: type[JobType], request: TaskRequest) -> Any:
    try:
        return job_type.Params.model_validate(request.params)
    except ValidationError as error:
        # Without the values, which may be secrets.
        reasons = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        raise ParametersRefused(f"The parameters of '{request.type}' are not accepted: {reasons}") from None


def _earlier(job: JobType, request: TaskRequest, step: str) -> Any:
    if step in request.results:
        stored = request.results[step]
    elif step in request.result_files:
        stored = json.loads(Path(request.result_files[step].path).read_bytes())
    else:
        raise NoSuchResult(f"There is no result of a step '{step}' before step '{request.step}'.")
    spec = next((s for s in job.plan() if s.name == step), None)
    if spec is None:
        return stored
    declared = result_type(type(job), spec.method)
    if spec.each is None or not isinstance(stored, list):
        return decode(declared, stored)
    return [decode(declared, item) for item in stored]


@lru_cache(maxsize=256)
def _adapter(declared: Any) -> TypeAdapter[Any] | None:
    """The converter for a declared type; None for a type that pydantic cannot describe, or `Any`."""
    if typing.get_origin(declared) in _STREAMS:
        declared = list[typing.get_args(declared)[0]]  # type: ignore[misc]
    try:
        return None if declared is Any else TypeAdapter(declared)
    except (PydanticSchemaGenerationError, PydanticUndefinedAnnotation):
        return None


def decode(declared: Any, value: Json) -> Any:
    """`value` in its declared type, as it was before it became JSON."""
    adapter = _adapter(declared)
    return value if adapter is None else adapter.validate_json(encode(value))


def _storable(job_type: type[JobType], request: TaskRequest, result: Any) -> Json:
    if result is None:
        return None
    what = f"What step '{request.step}' returned"
    if isinstance(result, collections.abc.Iterator):
        result = list(result)
    adapter = _adapter(result_type(job_type, request.method))
    try:
        plain = _dump(adapter, result)
        return bounded(plain, MAX_RESULT, what)
    except JobdeckError as error:
        hint = "Return counts and references; keep data in files or tables."
        raise ResultNotStorable(error.message, hint=hint) from error
    except (PydanticSerializationError, ValueError, TypeError, RecursionError) as error:
        hint = "Return pydantic models, dataclasses, lists, dicts, text and numbers."
        raise ResultNotStorable(f"{what} cannot be stored as JSON: {_text(error)}.", hint=hint) from error


def _dump(adapter: TypeAdapter[Any] | None, result: Any) -> Any:
    """By the declared type where the value keeps to it, because only that knows types with a JSON form of their own."""
    if adapter is not None:
        try:
            return adapter.dump_python(result, mode="json", warnings="error")
        except PydanticSerializationError:
            pass
    return to_jsonable_python(result)


def describe(error: BaseException, place: str) -> ErrorInfo:
    """The error as a value for people and for the retry policy."""
    if isinstance(error, JobdeckError):
        return _told(error, place)
    text = _text(error)
    message = f"{type(error).__name__}: {text}" if text else type(error).__name__
    if isinstance(error, MemoryError):
        hint = "Give tasks a higher memory limit, or make the parts smaller."
        message = f"The task ran out of memory. {message}"
        return ErrorInfo("out_of_memory", clip(message), hint, _traceback(error), True, place)
    if _is_full_disk(error, text):
        message = f"A disk is full: {text.partition(chr(10))[0]}"
        hint = "Make room on it, then resume the job; it goes on where it was."
        return ErrorInfo("disk_full", clip(message), hint, _traceback(error), True, place)
    return ErrorInfo("unexpected_error", clip(message), None, _traceback(error), True, place)


def _told(error: JobdeckError, place: str) -> ErrorInfo:
    """What the error says of itself. Task code writes such classes, and may put anything into their fields."""
    message = given.text(getattr(error, "message", None) or _text(error)) or type(error).__name__
    retryable = getattr(error, "retryable", getattr(error, "kind", None) not in _LASTING)
    return ErrorInfo(
        _code(error),
        clip(message),
        given.name(getattr(error, "hint", None), MAX_MESSAGE),
        _traceback(error),
        retryable is not False and retryable is not None and retryable != 0,
        place,
    )


def _code(error: JobdeckError) -> str:
    """A stable name: that of its class where the error's own cannot be one."""
    for code in (getattr(error, "code", None), *(vars(base).get("code") for base in type(error).__mro__)):
        if isinstance(code, str) and _CODE.fullmatch(code):
            return code
    return TaskFailure.code


def _is_full_disk(error: BaseException, text: str) -> bool:
    """Libraries that are not written in Python tell it in words alone."""
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or os.strerror(errno.ENOSPC) in text


def timed_out(request: TaskRequest) -> ErrorInfo:
    """The error of a task that ran past its step's timeout."""
    message = f"Step '{request.step}' ran longer than its timeout of {request.timeout or 0:g} seconds."
    hint = "Raise the step's timeout, or make its parts smaller."
    return ErrorInfo("timeout", message, hint, place=f"{request.type}.{request.step}")


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001 – task code may raise from `__str__`, too
        return "(its text cannot be shown)"


def _from_the_step(places: TracebackType | None) -> TracebackType | None:
    """The places from the first one on that is not in this module: how a step is called tells its author nothing."""
    first = places
    while first is not None and first.tb_frame.f_code.co_filename == __file__:
        first = first.tb_next
    return first or places


def _traceback(error: BaseException) -> str | None:
    """The end of the traceback, which is the part that tells most; None when not even that can be had."""
    try:
        text = "".join(traceback.format_exception(type(error), error, _from_the_step(error.__traceback__), limit=-60))
    except Exception:  # noqa: BLE001 – an error without a traceback is better than none
        return None
    return clip(text if len(text) <= MAX_TRACEBACK else "…" + text[-MAX_TRACEBACK + 1 :], MAX_TRACEBACK)
