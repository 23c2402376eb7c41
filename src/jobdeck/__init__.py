"""Jobdeck: the job center for data platforms.

`Client` talks to a server; the rest writes job types: `JobType`, `step`, what a step gets, and what it may raise.
All of it loads when first used, so that importing the package costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from jobdeck.client import Client
    from jobdeck.core.claims import Claim
    from jobdeck.core.environment import ConnectionSpec, Environment
    from jobdeck.core.errors import InvalidInput, JobdeckError, TaskFailure
    from jobdeck.core.jobtype import JobType, StepSpec, repeated, step
    from jobdeck.core.preview import PlannedInput, PlannedOutput, Preview
    from jobdeck.core.refs import FileText, ObjectRef
    from jobdeck.core.retry import RetryPolicy
    from jobdeck.core.tasks import Run
    from jobdeck.tables import read_table, write_table

__all__ = [
    "Claim", "Client", "ConnectionSpec", "Environment", "FileText", "InvalidInput", "JobType", "JobdeckError",
    "ObjectRef", "PlannedInput", "PlannedOutput", "Preview", "RetryPolicy", "Run", "StepSpec", "TaskFailure",
    "__version__", "read_table", "repeated", "step", "write_table",
]  # fmt: skip

_HOMES = {
    "Client": "jobdeck.client",
    **dict.fromkeys(("Claim",), "jobdeck.core.claims"),
    **dict.fromkeys(("ConnectionSpec", "Environment"), "jobdeck.core.environment"),
    **dict.fromkeys(("InvalidInput", "JobdeckError", "TaskFailure"), "jobdeck.core.errors"),
    **dict.fromkeys(("JobType", "StepSpec", "repeated", "step"), "jobdeck.core.jobtype"),
    **dict.fromkeys(("PlannedInput", "PlannedOutput", "Preview"), "jobdeck.core.preview"),
    **dict.fromkeys(("FileText", "ObjectRef"), "jobdeck.core.refs"),
    "RetryPolicy": "jobdeck.core.retry",
    "Run": "jobdeck.core.tasks",
    **dict.fromkeys(("read_table", "write_table"), "jobdeck.tables"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'jobdeck' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jobdeck")
    except PackageNotFoundError:
        return "0+unknown"
