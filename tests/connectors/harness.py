"""Runs the steps of a job type in this process, with a kill or a stop at a chosen call, and what it recorded."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pydantic import TypeAdapter
from pydantic_core import to_jsonable_python

from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.tables import open_table
from jobdeck.core.environment import ConnectionSpec, Environment
from jobdeck.core.jobtype import declared_steps, part_type, result_type
from jobdeck.core.refs import ObjectRef
from jobdeck.jobs.import_ import Import
from tests.s3 import Bucket

on_s3_too = pytest.mark.parametrize("env", ["folder", "s3"], indirect=True)
"""The test runs once with its lake in a folder, and once in a bucket of a real S3 server."""


class Killed(BaseException):
    """The process is gone: nothing may catch this, as nothing catches kill -9."""


class Stopped(BaseException):
    """The task ends here because a stop was asked for."""


@dataclass
class Script:
    """At which call (counted over the job's life) the process dies, and how; `calls` counts them."""

    at: int | None = None
    kind: type[BaseException] = Killed
    calls: int = 0
    seen: list[str] = field(default_factory=list)

    def call(self, name: str) -> None:
        self.calls += 1
        self.seen.append(name)
        if self.calls == self.at:
            raise self.kind(name)


@dataclass
class FakeRun:
    """A `Run` that keeps in memory what a real one would send."""

    environment: Environment
    step: str
    script: Script
    results: dict[str, Any]
    job: int = 1
    attempt: int = 1
    epoch: int = 1
    task: int = 0
    key: str = ""
    failures: int = 0
    cursor: Any = None
    checkpoints: list[Any] = field(default_factory=list)
    lineage: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    warnings: list[tuple[str, int]] = field(default_factory=list)
    progresses: list[tuple[int, int | None]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    should_stop: bool = False

    def result(self, step: str) -> Any:
        return self.results[step]

    def checkpoint(self, cursor: Any) -> None:
        """A kill may come just before or just after the checkpoint is recorded."""
        self.script.call("before checkpoint")
        self.checkpoints.append(json.loads(json.dumps(cursor)))
        self.script.call("after checkpoint")

    def progress(
        self, done: int, total: int | None = None, unit: str = "", *, rows: int | None = None, bytes: int | None = None
    ) -> None:
        assert total is None or done <= total
        self.progresses.append((done, total))

    def log(self, text: str, level: str = "info") -> None:
        self.logged.append((text, level))

    def warn(self, text: str, count: int = 1) -> None:
        self.warnings.append((text, count))

    def reads(self, ref: object, **facts: Any) -> None:
        self.lineage.append(("input", str(ref), facts))

    def writes(self, ref: object, **facts: Any) -> None:
        self.lineage.append(("output", str(ref), facts))

    def stop_here(self) -> None:
        self.script.call("between batches")


@dataclass
class Job:
    """One job of a type, its checkpoints and results, and an engine small enough to be read."""

    environment: Environment
    params: dict[str, Any]
    id: int = 1
    attempt: int = 1
    epoch: int = 1
    job_type: type[Import] = Import
    results: dict[str, Any] = field(default_factory=dict)
    cursors: dict[tuple[str, int], Any] = field(default_factory=dict)
    done: dict[tuple[str, int], Any] = field(default_factory=dict)
    lineage: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    warnings: list[tuple[str, int]] = field(default_factory=list)
    logged: list[tuple[str, str]] = field(default_factory=list)
    progresses: dict[tuple[str, int], list[tuple[int, int | None]]] = field(default_factory=dict)

    def type(self) -> Import:
        return self.job_type(self.job_type.Params.model_validate(self.params))

    def check(self) -> None:
        self.type().check(self.environment)

    def run(self, script: Script | None = None) -> Any:
        """All steps, going on where the last run died. The last step's result."""
        script = script or Script()
        self.check()
        result = None
        for spec in declared_steps(self.job_type):
            parts = self.results[str(spec.each)] if spec.each is not None else [None]
            values = [self._task(spec.method, spec.name, index, part, script) for index, part in enumerate(parts)]
            result = values if spec.each is not None else values[0]
            self.results[spec.name] = result
        return result

    def _task(self, method: str, step: str, index: int, part: Any, script: Script) -> Any:
        key = (step, index)
        if key not in self.done:
            self.done[key] = self.call(method, step, index, part, script)
        return TypeAdapter(result_type(self.job_type, method)).validate_python(self.done[key])

    def call(self, method: str, step: str, index: int, part: Any, script: Script) -> Any:
        run = self.new_run(step, index, script)
        wanted = part_type(self.job_type, method)
        arguments = [] if wanted is None else [TypeAdapter(wanted).validate_python(to_jsonable_python(part))]
        script.call(f"begin {step}")
        try:
            value = to_jsonable_python(getattr(self.type(), method)(run, *arguments))
            script.call(f"end {step}")
        finally:
            if run.checkpoints:
                self.cursors[step, index] = run.checkpoints[-1]
            self.progresses.setdefault((step, index), []).extend(run.progresses)
            self.logged += run.logged
        self.lineage += run.lineage
        self.warnings += run.warnings
        return json.loads(json.dumps(value))

    def resume(self, script: Script | None = None) -> Any:
        """What the engine does after a person resumed it: one more look; parts that are the same keep what was done."""
        script = script or Script()
        self.epoch += 1
        if ("inspect", 0) in self.done:
            before = self.results["inspect"]
            del self.done["inspect", 0]
            self.cursors.pop(("inspect", 0), None)
            now = self._task("inspect", "inspect", 0, None, script)
            kept = {i for i, part in enumerate(now) if i < len(before) and part == before[i]}
            for key in [key for key in (*self.done, *self.cursors) if key[0] == "load" and key[1] not in kept]:
                self.done.pop(key, None)
                self.cursors.pop(key, None)
        return self.run(script)

    def new_run(self, step: str, index: int, script: Script) -> FakeRun:
        return FakeRun(
            self.environment,
            step,
            script,
            self.results,
            job=self.id,
            attempt=self.attempt,
            epoch=self.epoch,
            task=index,
            cursor=self.cursors.get((step, index)),
        )

    def undo(self, script: Script | None = None) -> None:
        self.type().undo(self.new_run("undo", 0, script or Script()))

    def survive(self, script: Script) -> Any:
        """Run; when it dies, raise the epoch and run again from the checkpoints, to the end."""
        try:
            return self.run(script)
        except (Killed, Stopped):
            self.epoch += 1
            return self.run()


def environment(root: Path, **connections: ConnectionSpec) -> Environment:
    """A project whose storage, server folder and work folder are below `root`."""
    for name in ("storage", "data", "work"):
        (root / name).mkdir(exist_ok=True)
    return Environment(
        storage_url=(root / "storage").as_uri(),
        allowed_paths=(str(root / "data"),),
        connections=connections,
        work_dir=str(root / "work"),
    )


def on(bucket: Bucket, root: Path, prefix: str = "inst", **connections: ConnectionSpec) -> Environment:
    """A project whose lake is in `bucket`, and which may reach the machine itself."""
    change = {
        "storage_url": f"{bucket.url}/{prefix}",
        "storage_options": bucket.options,
        "allowed_endpoints": ("127.0.0.1",),
    }
    return environment(root, **connections).model_copy(update=change)


def table(env: Environment, ref: str = "lake/b/t", version: int | None = None) -> pa.Table | None:
    """All rows of a lake table, or None when there is no table."""
    opened = open_table(table_folder(env, ObjectRef.parse(ref).path), version)
    return pa.table(opened.to_pyarrow_table()) if opened is not None else None


def rows(env: Environment, ref: str = "lake/b/t", version: int | None = None) -> list[dict[str, Any]]:
    """The table's rows, in an order that does not depend on the files."""
    found = table(env, ref, version)
    assert found is not None
    return sorted(found.to_pylist(), key=repr)


def files_below(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


@contextmanager
def patched(owner: Any, name: str, make: Callable[[Any], Any]) -> Iterator[None]:
    """Replace `owner.name` by what `make` makes of it."""
    before = getattr(owner, name)
    setattr(owner, name, make(before))
    try:
        yield
    finally:
        setattr(owner, name, before)
