"""A dry run, told to a person: what the job would be, what it would do, and what would go wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from jobdeck.cli.arguments.options import Common
from jobdeck.cli.exits import DONE, JOB_FAILED
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_ids, print_json
from jobdeck.cli.show.table import TableColumn, print_facts, print_table

if TYPE_CHECKING:
    from jobdeck.core.outline import StepOutline
    from jobdeck.core.preview import PlannedColumn, PlannedInput, Preview
    from jobdeck.wire.plans import Change, ClaimView, JobPlan


def whose(claim: ClaimView) -> str:
    """Whose resource it is: `type:import` is counted for the project and for all projects together."""
    return "the project" if claim.own else "all projects"


CLAIM_COLUMNS: list[TableColumn[ClaimView]] = [
    TableColumn("CLAIM", lambda c: c.resource, least=12),
    TableColumn("OF", whose, drop=1),
    TableColumn("MODE", lambda c: c.mode, drop=2),
    TableColumn("UNITS", lambda c: c.units, drop=3, right=True),
    TableColumn(
        "NOW", lambda c: "free" if c.free else f"held by {', '.join(f'job {j}' for j in c.holders) or 'others'}"
    ),
]
STEP_COLUMNS: list[TableColumn[StepOutline]] = [
    TableColumn("STEP", lambda s: s.name, least=8),
    TableColumn("TASKS", lambda s: "?" if s.tasks is None else text.number(s.tasks), right=True),
    TableColumn("SPLIT BY", lambda s: s.each or "", drop=1),
    TableColumn("WEIGHT", lambda s: f"{s.weight:g}", drop=2, right=True),
]
INPUT_COLUMNS: list[TableColumn[PlannedInput]] = [
    TableColumn("READS", lambda i: text.line(i.shown), least=12),
    TableColumn("FORMAT", lambda i: i.format or ""),
    TableColumn("ROWS", lambda i: "?" if i.rows is None else text.number(i.rows), right=True),
    TableColumn("SIZE", lambda i: text.size(i.bytes), drop=1, right=True),
]
MAPPED_COLUMNS: list[TableColumn[PlannedColumn]] = [
    TableColumn("COLUMN", lambda c: c.name, least=8),
    TableColumn("TYPE", lambda c: c.type, least=6),
    TableColumn("FROM", lambda c: c.source or "(null)", drop=2, least=8),
    TableColumn("THERE", lambda c: c.source_type or "", drop=3, least=6),
    TableColumn("HOW", lambda c: c.how, drop=1),
]
CHANGE_COLUMNS: list[TableColumn[Change]] = [
    TableColumn("PARAMETER", lambda c: c.path or "(all)", least=8),
    TableColumn("OLD", lambda c: "" if c.kind == "added" else _value(c.old, c), least=8),
    TableColumn("NEW", lambda c: "" if c.kind == "removed" else _value(c.new, c), least=8),
]


def _value(value: Any, change: Change) -> str:
    """As it is typed: text as it stands, all else as JSON; text, too, where it became something else (`"3"`, `3`)."""
    both = [change.old] * (change.kind != "added") + [change.new] * (change.kind != "removed")
    if all(isinstance(one, str) for one in both):
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def planned(plan: JobPlan, common: Common) -> int:
    """Print the plan; the exit code says whether the job would fail for what was found."""
    if common.output == "json":
        print_json(plan)
    elif common.output == "ids":
        print_ids([] if plan.duplicate_of is None else [plan.duplicate_of])
    else:
        _show(plan)
    return DONE if plan.ok else JOB_FAILED


def _show(plan: JobPlan) -> None:
    print(f"{text.line(plan.description)} – a job of type {plan.type} in {plan.project}; nothing was submitted.")
    if plan.duplicate_of is not None:
        print(f"Job {plan.duplicate_of} does the same already and would be used instead.")
    for sentence in _troubles(plan):
        print(f"  ✘ {text.line(sentence)}")
    for reason in plan.wait:
        print(f"  It would wait: {text.line(reason.text)}")
    print_facts([("subject", plan.subject), ("priority", plan.priority), ("tags", ", ".join(plan.tags))])
    _table(plan.changes, CHANGE_COLUMNS)
    _table(plan.claims, CLAIM_COLUMNS)
    _table(plan.steps, STEP_COLUMNS)
    if plan.preview is not None:
        _preview(plan.preview)


def _troubles(plan: JobPlan) -> Iterator[str]:
    if plan.error is not None:
        yield f"{plan.error.message} {plan.error.hint or ''}"
    for refusal in plan.preview.refusals if plan.preview is not None else ():
        yield f"{refusal.message} {refusal.hint or ''}"


def _preview(preview: Preview) -> None:
    print(f"\n{text.line(preview.text)}")
    for note in preview.notes:
        print(f"  {text.line(note)}")
    _table(preview.inputs, INPUT_COLUMNS)
    if preview.input_count > len(preview.inputs):
        print(f"and {text.number(preview.input_count - len(preview.inputs))} more")
    _table(preview.columns, MAPPED_COLUMNS)


def _table(items: list[Any], columns: list[Any]) -> None:
    if items:
        print()
        print_table(items, columns)
