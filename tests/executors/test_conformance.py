"""Every executor does what the kit asks; what threads cannot do is data, and a gap that closes fails here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jobdeck.core.tasks import Executor
from jobdeck.executors.choose import ByIsolation
from jobdeck.executors.processes import ProcessExecutor
from jobdeck.executors.testing import CHECKS, Ability, ExecutorDuty
from jobdeck.executors.threads import ThreadExecutor

EXECUTORS: dict[str, tuple[Callable[[], Executor], frozenset[Ability]]] = {
    "processes": (lambda: ProcessExecutor(2), frozenset()),
    "threads": (lambda: ThreadExecutor(2), frozenset({"kill", "capture", "process"})),
    "chosen": (lambda: ByIsolation({"process": ProcessExecutor(2), "thread": ThreadExecutor(2)}), frozenset()),
}


def _cases() -> list[Any]:
    cases = []
    for name, (make, lacks) in EXECUTORS.items():
        for check in CHECKS:
            gap = check.needs in lacks
            if gap and check.dangerous:
                continue
            marks = [pytest.mark.xfail(strict=True, reason=f"{name} lack: {check.needs}")] if gap else []
            cases.append(pytest.param(make, check, id=f"{name}-{check.name}", marks=marks))
    return cases


@pytest.mark.parametrize(("make", "check"), _cases())
async def test_executor(make: Callable[[], Executor], check: ExecutorDuty, tmp_path: Path) -> None:
    executor = make()
    try:
        await check.run(executor, tmp_path)
    finally:
        await executor.aclose()
