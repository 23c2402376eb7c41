"""Jobdeck: the job center for data platforms.

`Client` talks to a server; `JobType` and `step` write job types. They load when first used, so that importing the
package costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    __version__: str

    from jobdeck.client import Client
    from jobdeck.core.jobtype import JobType, step

__all__ = ["Client", "JobType", "__version__", "step"]

_HOMES = {"Client": "jobdeck.client", "JobType": "jobdeck.core.jobtype", "step": "jobdeck.core.jobtype"}


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
