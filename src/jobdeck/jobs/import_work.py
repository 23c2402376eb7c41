"""The work of an import's steps: look, load, publish, undo. Loaded only where a step runs."""

from __future__ import annotations

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa
import pyarrow.types as t
from pydantic import TypeAdapter

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import (
    AllRejected,
    AttemptBuried,
    AttemptReused,
    CountMismatch,
    FileMissing,
    SchemaMismatch,
)
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.finding.found import Located, left_out
from jobdeck.connectors.files.located import unchanged
from jobdeck.connectors.files.partitions import without_partitions
from jobdeck.connectors.files.parts import Marks, in_order, kept, part_name
from jobdeck.connectors.files.plan import FileFacts, FilesPlan
from jobdeck.connectors.files.source import FilesSource, part_of
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.sink import LakeSink
from jobdeck.connectors.transfer import Rejects, Transfer
from jobdeck.core.amounts import counted
from jobdeck.core.errors import JobdeckError
from jobdeck.core.tasks import Run
from jobdeck.jobs.import_checks import files_config
from jobdeck.jobs.import_hints import ways_on
from jobdeck.jobs.import_models import Imported, ImportParams, Loaded, Part, StagedChunk
from jobdeck.storage.folders import Folder

PLAN = "plan.json"
LOOKED_AT = "looked.json"
MOST_NOTES = 20
"""Remarks on files that one job tells, at most."""
SPREAD = 4
"""Parts that a small import is split into at least, while a part stays over a quarter of the usual size."""
REUSED = "reused"
"""Marks a number of job and attempt that belongs to a job of an earlier control database: nothing of it is ours."""
LOOKED = TypeAdapter(list[FileFacts])


class Work:
    """One task of an import."""

    def __init__(self, params: ImportParams, run: Run, chunk_rows: int, part_bytes: int) -> None:
        self._params, self._run = params, run
        self._chunk_rows, self._part_bytes = chunk_rows, part_bytes
        self._stamp = Stamp(run.job, run.attempt, run.epoch, run.task, _origin(params))
        environment = run.environment
        root = Folder.of_project(environment)
        self._all_plans = root.sub("plans")
        self._plans = self._all_plans.sub(self._stamp.folder)
        self._rejects = root.sub("rejects", self._stamp.folder)
        self._sink = LakeSink(table_folder(environment, params.into.path), environment.work_dir)
        self._config: FilesConfig = files_config(params)
        self._read: FilesPlan | None = None

    def inspect(self) -> list[Part]:
        """The parts to load; the plan they stand for is in the storage before they are returned.

        Once more after a resume, only files that changed are looked at, and parts that are still right stay."""
        before = self._before()
        if before is None:
            self._check_number()
        elif self._sink.published(self._stamp):
            return before
        last = self._last_plan() if before is not None else None
        source = FilesSource(self._config, self._run.environment)
        files: list[Located] = []
        with ways_on(files, self._run):
            plan = self._planned(source, files, last)
        self._plans.write(PLAN, plan.model_dump_json(by_alias=True).encode())
        marks = Marks(plan)
        parts = [
            Part(
                index=index,
                name=part_name(plan.files, slices),
                rows=sum(s.rows for s in slices),
                bytes=sum(s.bytes for s in slices),
                mark=marks.of(slices),
            )
            for index, slices in enumerate(plan.parts)
        ]
        self._tell(plan, last, parts, before or [])
        return parts

    def _planned(self, source: FilesSource, files: list[Located], last: FilesPlan | None) -> FilesPlan:
        """What is found in the files, which `files` is filled with."""
        known = [without_partitions(facts) for facts in last.files] if last is not None else []
        self._survey(source, files, known)
        target = self._sink.schema(self._params.mode)
        if target is None and not self._params.create:
            raise FileMissing(f"There is no table '{self._params.into}'.", hint="Set create=true to make it.")
        require_keys(self._params, lambda: source.plan(None).result())
        plan = source.plan(target if self._params.mode != "replace" else None)
        if target is None:
            self._sink.check_new(plan.result())
        plan.required = required_columns(self._params, plan.result(), target)
        if last is not None:
            plan.looks, plan.parts = last.looks + 1, kept(last, plan, source.part_bytes)
        return plan

    def _tell(self, plan: FilesPlan, last: FilesPlan | None, parts: list[Part], before: list[Part]) -> None:
        """What was found, and after a resume what of it is new."""
        known = {facts.located.model_dump_json() for facts in last.files} if last is not None else set()
        fresh = [facts for facts in plan.files if facts.located.model_dump_json() not in known]
        self._tell_notes([*(note for facts in fresh for note in facts.notes), *(plan.remarks if fresh else [])])
        filled = [part for part in parts if part.bytes or part.rows]
        rows = counted(sum(f.rows for f in plan.files), "row")
        found = f"{counted(len(plan.files), 'file')}, {rows}, {counted(len(filled), 'part')}"
        if last is not None:
            names = ", ".join(facts.located.name for facts in fresh[:3]) + (", …" if len(fresh) > 3 else "")
            changed = f"; {names} changed" if fresh else "; no file changed"
            done = {(part.index, part.mark) for part in before}
            again = len([part for part in filled if (part.index, part.mark) not in done])
            found += f"{changed} since the last look; {counted(again, 'part')} to be loaded anew"
        self._run.log(found)

    def _before(self) -> list[Part] | None:
        """What the last look returned, where this is one more."""
        try:
            return [Part.model_validate(part) for part in self._run.result("inspect")]
        except (KeyError, JobdeckError):
            return None

    def _last_plan(self) -> FilesPlan | None:
        """The plan in the storage, read once: a task does not see another one."""
        if self._read is None:
            with contextlib.suppress(FileNotFoundError):
                self._read = FilesPlan.model_validate_json(self._plans.read(PLAN))
        return self._read

    def _tell_notes(self, notes: list[str]) -> None:
        for note in notes[:MOST_NOTES]:
            self._run.warn(note)
        if len(notes) > MOST_NOTES:
            self._run.warn(f"{len(notes) - MOST_NOTES} more such remarks on other files are left out.")

    def _check_number(self) -> None:
        """Raises AttemptReused, and remembers it, so that undo leaves alone what is another job's."""
        try:
            self._sink.fresh(self._stamp)
        except AttemptReused:
            self._plans.write(REUSED, b"")
            raise

    def _survey(self, source: FilesSource, files: list[Located], known: list[FileFacts]) -> None:
        """Look at the files that are not `known`, a checkpoint each: a stop or a crash costs one file's look."""
        files += source.located()
        if source.left_out:
            self._run.log(left_out(source.left_out))
        total = sum(file.size for file in files)
        source.part_bytes = part_size(self._part_bytes, total)
        before, done = 0, 0
        for seen in source.look(files, [*known, *self._looked()]):
            self._run.stop_here()
            before += seen
            self._run.progress(min(before, total), total, "bytes", bytes=before)
            if len(source.facts) > done:
                done = len(source.facts)
                before = sum(facts.located.size for facts in source.facts)
                if done < len(files):
                    self._keep(source.facts)
        self._run.progress(total, total, "bytes", bytes=before)  # files that were known are looked at, too

    def _looked(self) -> list[FileFacts]:
        """What an earlier run of this task found."""
        if self._run.cursor is None or not self._plans.exists(LOOKED_AT):
            return []
        return LOOKED.validate_json(self._plans.read(LOOKED_AT))

    def _keep(self, facts: list[FileFacts]) -> None:
        """Facts of many files may be large, so the checkpoint only says that they are in the storage.

        They are written at 1, 2, 4, … files: each write holds all of them."""
        count = len(facts)
        if count & (count - 1) == 0:
            self._plans.write(LOOKED_AT, LOOKED.dump_json(facts))
            self._run.checkpoint({"looked": count})

    def load(self, part: Part) -> Loaded:
        """Stage one part. Raises BadRow, SourceChanged, FileDamaged, …"""
        plan = self._plan()
        source = FilesSource(self._config, self._run.environment, plan)
        piece = part_of(part.index, plan.parts[part.index])
        if plan.looks > 1 and self._run.cursor is None:
            self._forget_rejects(part.index)
        files = [plan.files[index].located for index in sorted({s.file for s in plan.parts[part.index]})]
        for file in files:
            unchanged(file, self._run.environment)
        transfer = Transfer(
            source, self._sink, piece, plan.result(), self._stamp, Rejects(self._rejects), chunk_rows=self._chunk_rows
        )
        with ways_on(files, self._run):
            moved = transfer.run(self._run)
        if moved.rows + moved.rejected != part.rows:
            raise CountMismatch(
                f"{moved.rows + moved.rejected} rows were read where {part.rows} were counted.", hint="Restart the job."
            )
        if moved.rejected:
            what = f"{counted(moved.rejected, 'row')} did not fit and {'is' if moved.rejected == 1 else 'are'}"
            self._run.warn(
                f"{what} in the reject files; `jobdeck job rejects {self._stamp.job}` shows why.", moved.rejected
            )
        return Loaded(
            index=part.index,
            files=[StagedChunk(path=f.path, rows=f.rows, bytes=f.bytes) for f in moved.files],
            rows=moved.rows,
            rejected=moved.rejected,
            bytes=moved.bytes,
            reject_files=moved.reject_files,
            sources={name: (unit.rows, unit.bytes) for name, unit in moved.units.items()},
            names={name: unit.name for name, unit in moved.units.items() if unit.name is not None},
        )

    def _forget_rejects(self, task: int) -> None:
        """Rows of this part that did not fit when other files were in its place."""
        names = (entry.name for entry in self._rejects.entries())
        self._rejects.delete([name for name in names if name.startswith(f"t{task:05d}-")])

    def _plan(self) -> FilesPlan:
        plan = self._last_plan()
        if plan is None:
            raise AttemptBuried(
                f"The plan of job {self._stamp.job}, attempt {self._stamp.attempt} is gone.", hint="Restart the job."
            )
        return plan

    def publish(self, loaded: list[Loaded]) -> Imported:
        """One commit for all that was loaded; a repeat after it landed only tells of it again."""
        loaded = self._in_order(loaded)
        staged = [StagedFile(path=f.path, rows=f.rows, bytes=f.bytes) for item in loaded for f in item.files]
        rows = sum(item.rows for item in loaded)
        if rows != sum(file.rows for file in staged):
            raise CountMismatch(
                f"{rows} rows were loaded and {sum(f.rows for f in staged)} are staged.", hint="Restart the job."
            )
        earlier = self._published_before()
        if earlier is not None:
            return self._kept(*earlier)
        with ways_on(self._all_files(), self._run):
            self._check_some_fit(loaded)
        published = self._publish(loaded, staged)
        self._lineage(loaded, published.version, published.rows)
        came = counted(published.rows, "row")
        self._run.log(f"{came} published as version {published.version} of {self._params.into}")
        self._forget_plan()
        return Imported(
            into=str(self._params.into),
            version=published.version,
            rows=published.rows,
            rejected=sum(item.rejected for item in loaded),
            rejects=[f"rejects/{self._stamp.folder}/{name}" for item in loaded for name in item.reject_files],
        )

    def _in_order(self, loaded: list[Loaded]) -> list[Loaded]:
        """As the files' rows follow each other: of equal keys the last one wins."""
        plan = self._last_plan()
        if plan is None:
            return sorted(loaded, key=lambda item: item.index)
        by_index = {item.index: item for item in loaded}
        order = [index for index in in_order(plan.parts) if index in by_index]
        return [by_index.pop(index) for index in order] + list(by_index.values())

    def _all_files(self) -> list[Located]:
        plan = self._last_plan()
        return [facts.located for facts in plan.files] if plan is not None else []

    def _check_some_fit(self, loaded: list[Loaded]) -> None:
        """Raises AllRejected: a table of nothing is not what anybody meant by leaving out what does not fit."""
        rejected = sum(item.rejected for item in loaded)
        if rejected and not sum(item.rows for item in loaded):
            names = [f"rejects/{self._stamp.folder}/{name}" for item in loaded for name in item.reject_files]
            raise AllRejected(
                f"None of the {rejected} rows fits, so nothing was loaded. They are in {', '.join(names[:3])}"
                f"{' and more' if len(names) > 3 else ''}, each with its reason.",
                hint="Look at the reasons. Other types, another delimiter or format may help, too.",
            )

    def _publish(self, loaded: list[Loaded], staged: list[StagedFile]) -> Published:
        """May be stopped until just before the commit, never after it."""
        schema = pa.schema([])
        if not self._sink.published(self._stamp):
            self._check_sources(loaded)
            schema = self._plan().result()
        publication = self._sink.publication(self._stamp, staged, schema, self._params.mode, self._params.key)
        self._run.stop_here()
        for done in publication.prepare():
            self._run.progress(done, publication.total, "rows")
            self._run.stop_here()
        return publication.commit()

    def _published_before(self) -> tuple[Stamp, Published] | None:
        """An earlier attempt of this job that nobody has taken back: then its rows must not be added again."""
        earlier = (replace(self._stamp, attempt=number) for number in range(1, self._stamp.attempt))
        return self._sink.published_by(s for s in earlier if not self._all_plans.sub(s.folder).exists(REUSED))

    def _kept(self, stamp: Stamp, published: Published) -> Imported:
        self._run.warn(
            f"Attempt {stamp.attempt} of this job had published version {published.version} and was not undone, "
            f"so attempt {self._stamp.attempt} added nothing."
        )
        self._forget_plan()
        self._sink.discard(self._stamp)
        return Imported(
            into=str(self._params.into), version=published.version, rows=published.rows, kept_attempt=stamp.attempt
        )

    def _forget_plan(self) -> None:
        self._plans.delete([PLAN, LOOKED_AT])
        self._plans.tidy()

    def _check_sources(self, loaded: list[Loaded]) -> None:
        plan = self._plan()
        if len(loaded) != len(plan.parts):
            raise CountMismatch(f"{len(loaded)} of {len(plan.parts)} parts were loaded.", hint="Resume the job.")
        for facts in plan.files:
            unchanged(facts.located, self._run.environment)

    def _lineage(self, loaded: list[Loaded], version: int | None, rows: int) -> None:
        """A file counts with the size that it has, once for each time that it was named."""
        counts: Counter[str] = Counter()
        names: dict[str, str] = {}
        for item in loaded:
            names |= item.names
            counts.update({name: rows for name, (rows, _) in item.sources.items()})
        files = self._all_files()
        versions = {file.object: file.version for file in files if file.version > 1}
        sizes: Counter[str] = Counter()
        for file in files:
            sizes[file.object] += file.size
        for name, count in counts.items():
            self._run.reads(name, version=versions.get(name), rows=count, bytes=sizes.get(name), name=names.get(name))
        written = sum(file.bytes for item in loaded for file in item.files)
        self._run.writes(self._params.into, version=version, rows=rows, bytes=written)

    def undo(self) -> None:
        """Raises AlreadyPublished. The plan goes first: without it no late task of the attempt can begin to publish."""
        if self._plans.exists(REUSED):
            return
        planned = self._plans.exists(PLAN)
        self._forget_plan()
        if planned or self._sink.staged(self._stamp) or self._sink.published(self._stamp):
            self._sink.discard(self._stamp)
        if not self._sink.published(self._stamp):
            self._rejects.delete([entry.name for entry in self._rejects.entries()])
            self._rejects.tidy()


def part_size(most: int, total: int) -> int:
    """Bytes of one part, about: smaller where all is small, so that more than one task has something to do."""
    return min(most, max(most, total) // SPREAD)


def require_keys(params: ImportParams, read: Callable[[], pa.Schema]) -> None:
    """Raises SchemaMismatch for keys that no file has; `read` is asked for the columns of the files where it matters.

    A key that is missing is told first: its column under another name is one that the table has not, too."""
    if not params.key:
        return
    there = read().names
    missing = [name for name in params.key if name not in there]
    if missing:
        several = "columns" if len(missing) > 1 else "column"
        named = ", ".join(f"'{name}'" for name in missing)
        found = f"There are {', '.join(there[:20])}{', …' if len(there) > 20 else ''}."
        hint = f"{found} Name others as key, or rename a column with `columns`."
        raise SchemaMismatch(f"No file has the key {several} {named}.", hint=hint)


def required_columns(params: ImportParams, schema: pa.Schema, target: pa.Schema | None) -> list[str]:
    """The columns in which null is a bad value: keys, which are there, and those that the table wants. Raises
    SchemaMismatch."""
    for name in params.key:
        if t.is_nested(schema.field(name).type):
            raise SchemaMismatch(f"The key column '{name}' is a list or a struct.", hint="Use plain columns as key.")
    fixed = [f.name for f in target if not f.nullable] if target is not None and params.mode != "replace" else []
    return [*params.key, *fixed]


def _origin(params: ImportParams) -> str:
    """What tells this job's commits from those of a job with its number in an earlier control database.

    Without defaults, so that a later version of this type, with more parameters, says the same."""
    return hashlib.sha256(params.model_dump_json(by_alias=True, exclude_defaults=True).encode()).hexdigest()[:16]
