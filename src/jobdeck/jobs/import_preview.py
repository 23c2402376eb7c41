"""The dry run of an import: a look at files and table that reads the beginning of what is long, and writes nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable

from jobdeck.connectors.base import Reject
from jobdeck.connectors.columns import lossless, type_name
from jobdeck.connectors.errors import BadRow, FileMissing
from jobdeck.connectors.files.finding.found import Located, left_out
from jobdeck.connectors.files.finding.walk import Budget
from jobdeck.connectors.files.formats.bad_rows import told
from jobdeck.connectors.files.formats.json_values import settled
from jobdeck.connectors.files.located import find
from jobdeck.connectors.files.partitions import with_partitions
from jobdeck.connectors.files.plan import FileFacts, FilesPlan, Mapping, dump_schema
from jobdeck.connectors.files.source import FilesSource, grouped, part_of
from jobdeck.connectors.files.survey import Survey
from jobdeck.connectors.files.texts import text_remarks
from jobdeck.connectors.files.unify import unified
from jobdeck.connectors.lake.catalog import meant
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.features import refuse_writing
from jobdeck.connectors.lake.tables import arrow_schema, open_table
from jobdeck.core import amounts
from jobdeck.core.environment import Environment
from jobdeck.core.errors import TaskFailure
from jobdeck.core.preview import How, PlannedColumn, PlannedInput, PlannedOutput, Preview, Refusal
from jobdeck.jobs.import_checks import files_config
from jobdeck.jobs.import_models import ImportParams
from jobdeck.jobs.import_work import part_size, require_keys, required_columns

SAMPLE = 4 * 1024 * 1024
"""Bytes of text that are looked at of one file."""
SECONDS = 12.0
"""After these no further file is looked into."""
SHOWN = 100
"""Files and refusals that are listed, at most."""
TRIED = 20
"""Files whose first rows are read as the import would read them."""


class Look:
    """One look. What is wrong with one file does not keep the others from being looked at."""

    def __init__(self, params: ImportParams, environment: Environment, part_bytes: int) -> None:
        self._params, self._environment, self._part_bytes = params, environment, part_bytes
        self._config = files_config(params)
        self._budget = Budget()
        self._until = time.monotonic() + SECONDS
        self._refusals: list[Refusal] = []
        self._notes: list[str] = []
        self._facts: list[FileFacts] = []
        self._partial: set[str] = set()
        self._whole = True
        """Whether every file was looked at to its end, so that counts are exact."""

    def preview(self) -> Preview:
        """What the import would do; never raises for what is wrong with the data."""
        files = [file for entry in self._params.files for file in self._located(entry)]
        self._part_bytes = part_size(self._part_bytes, sum(file.size for file in files))
        for file in files:
            if time.monotonic() > self._until:
                self._whole = False
                break
            self._survey(file)
        if len(self._facts) < len(files) and not self._refusals:
            self._notes.append(f"{len(self._facts)} of {len(files)} files were looked into; the others when it runs.")
        self._facts = with_partitions(self._facts)
        table = open_table(table_folder(self._environment, self._params.into.path))
        plan, columns = self._columns(table)
        if plan is not None:
            self._try_rows(plan)
        return Preview(
            text=self._sentence(files, table),
            inputs=[self._input(file) for file in files[:SHOWN]],
            input_count=len(files),
            outputs=[self._output(table)],
            columns=columns,
            refusals=self._refusals[:SHOWN],
            notes=self._notes,
            tasks={"load": len(grouped(self._facts, self._part_bytes))} if self._whole and not self._refusals else {},
        )

    def _located(self, entry: str) -> list[Located]:
        try:
            found = find(entry, self._environment, self._budget)
        except TaskFailure as error:
            self._refuse(error, entry)
            return []
        if found.left_out:
            self._notes.append(left_out(found.left_out))
        return found.files

    def _survey(self, file: Located) -> None:
        survey = Survey(file, self._config, self._environment, self._part_bytes, SAMPLE)
        try:
            for _ in survey.steps():
                pass
        except TaskFailure as error:
            self._refuse(error, file.object)
            return
        if survey.partial:
            self._whole = False
            self._partial.add(file.name)
        self._facts.append(survey.facts)
        self._notes += survey.facts.notes[: max(0, SHOWN - len(self._notes))]

    def _refuse(self, error: TaskFailure, about: str | None = None) -> None:
        self._refusals.append(Refusal(code=error.code, message=error.message, hint=error.hint, object=about))
        others = error.others if isinstance(error, BadRow) else ()
        self._refusals += (Refusal(code=error.code, message=row, object=about) for row in others)

    # Columns.

    def _columns(self, table: DeltaTable | None) -> tuple[FilesPlan | None, list[PlannedColumn]]:
        """How the files would be read, and each column's way; no plan when they cannot be."""
        target = self._target(table)
        if not self._facts:
            return None, []
        try:
            require_keys(self._params, lambda: unified(self._facts, self._config, None)[0])
            schema, mappings = unified(self._facts, self._config, target)
            required = required_columns(self._params, schema, target)
        except TaskFailure as error:
            self._refuse(error)
            return None, self._as_they_are()
        if target is None:
            remarks = text_remarks(self._facts, schema, mappings, self._config)
            self._notes += remarks[: max(0, SHOWN - len(self._notes))]
        plan = FilesPlan(files=self._facts, mappings=mappings, columns=dump_schema(schema), required=required)
        return plan, self._mapped(schema, mappings)

    def _target(self, table: DeltaTable | None) -> pa.Schema | None:
        """The schema that the result must have. Notes a table that is missing or may not be written."""
        into = self._params.into
        if table is None:
            if not self._params.create:
                self._refuse(FileMissing(f"There is no table '{into}'.", hint="Set create=true to make it."), str(into))
            elif (near := meant(self._environment, into)) is not None:
                self._notes.append(f"There is no table '{into}' yet, and it would be made; '{near}' is there.")
            return None
        try:
            refuse_writing(table, self._params.mode)
        except TaskFailure as error:
            self._refuse(error, str(into))
        return None if self._params.mode == "replace" else arrow_schema(table)

    def _as_they_are(self) -> list[PlannedColumn]:
        """The files' columns, when they do not fit the table: so that one sees what there is."""
        try:
            return self._mapped(*unified(self._facts, self._config, None))
        except TaskFailure:
            return []

    def _mapped(self, schema: pa.Schema, mappings: Sequence[Mapping]) -> list[PlannedColumn]:
        """Each column of `schema`, with the first file that has it."""
        found = []
        for place, field in enumerate(schema):
            name, kind = field.name, type_name(field.type)
            pairs = zip(self._facts, (m.sources[place] for m in mappings), strict=True)
            file, source = next(((f, s) for f, s in pairs if s is not None), (None, None))
            if file is None or source is None:
                found.append(PlannedColumn(name=name, type=kind, how="empty"))
                continue
            held = file.held().field(source).type
            text = source in file.partition or (file.soft and file.detected.format == "csv")
            how = _how(held, field.type, soft=file.is_text(source))
            said = "text" if text else type_name(settled(held))
            found.append(PlannedColumn(name=name, type=kind, source=source, source_type=said, how=how))
        return found

    # Rows.

    def _try_rows(self, plan: FilesPlan) -> None:
        """Read the first rows of files as the import would, so that values that do not fit are told now."""
        source = FilesSource(self._config, self._environment, plan)
        rejects: list[Reject] = []
        for index, facts in enumerate(self._facts[:TRIED]):
            if time.monotonic() > self._until or not facts.slices:
                continue
            part = part_of(0, [facts.slices[0].model_copy(update={"file": index})])
            try:
                first = next(source.read(part), None)
            except TaskFailure as error:
                self._refuse(error, facts.located.object)
                continue
            rejects += first.rejects if first is not None else []
        if rejects:
            tried = "1 of the rows tried does" if len(rejects) == 1 else f"{len(rejects)} of the rows tried do"
            self._notes.append(f"{tried} not fit and would go to the reject files.")
            self._notes += [told(reject) for reject in rejects[: max(0, SHOWN - len(self._notes))]]

    # Words.

    def _input(self, file: Located) -> PlannedInput:
        facts = next((f for f in self._facts if f.located.name == file.name), None)
        known = facts is not None and file.name not in self._partial
        return PlannedInput(
            object=file.object,
            name=file.uploaded_as,
            format=facts.detected.format if facts is not None else None,
            rows=facts.rows if facts is not None and known else None,
            bytes=file.size,
            columns=len(facts.held()) if facts is not None else None,
        )

    def _output(self, table: DeltaTable | None) -> PlannedOutput:
        return PlannedOutput(
            object=str(self._params.into),
            action="create" if table is None else self._params.mode,
            exists=table is not None,
            version=None if table is None else str(table.version()),
            rows=sum(f.rows for f in self._facts) if self._whole and not self._refusals else None,
        )

    def _sentence(self, files: Sequence[Located], table: DeltaTable | None) -> str:
        if not files:
            return "No file was found."
        size, rows = sum(file.size for file in files), sum(f.rows for f in self._facts)
        if self._refusals:
            given = f"{amounts.counted(len(files), 'file')} ({amounts.size(size)})"
            return f"Nothing of {given} would come into {self._params.into}."
        formats = ", ".join(sorted({f.detected.format for f in self._facts})) or "no readable format"
        count = amounts.counted(rows, "row") if self._whole else f"More than {amounts.counted(rows, 'row')}"
        what = f"{count} of {amounts.counted(len(files), 'file')} ({formats}, {amounts.size(size)})"
        return f"{what} {_verb(self._params, table)} {self._params.into}."


def _verb(params: ImportParams, table: DeltaTable | None) -> str:
    if table is None:
        return "become the new table"
    return {"append": "are appended to", "replace": "replace all rows of", "upsert": "replace or join rows of"}[
        params.mode
    ]


def _how(source: pa.DataType, target: pa.DataType, *, soft: bool) -> How:
    if soft:
        return "read"
    if type_name(source) == type_name(target):
        return "same"
    return "widened" if lossless(source, target) else "checked"
