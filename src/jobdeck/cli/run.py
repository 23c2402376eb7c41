"""`jobdeck run TYPE`: submit a job of any type, and wait for it if asked to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import types
from jobdeck.cli.arguments.options import Common
from jobdeck.cli.arguments.params import assembled, document, pairs, schema_for
from jobdeck.cli.jobs.plan import planned
from jobdeck.cli.jobs.verbs import instant, newest, submitted

if TYPE_CHECKING:
    from jobdeck.client.jobs import Wishes

COMMANDS = {"run": ("Work with jobs", "Submit a job of any type.")}
EXAMPLES = """
jobdeck run sleep -p seconds=5 --wait
jobdeck run import --params-json @nightly.json --key nightly-2026-11-20
jobdeck run sleep -p seconds=5 --dry-run
"""

DryRun = Annotated[bool, Parameter(help="Submit nothing; show what the job would do.", negative=())]
Wait = Annotated[bool, Parameter(help="Wait until it has ended, showing its progress.", negative=())]
Priority = Annotated[int | None, Parameter(help="0 to 9; higher goes first. [default: 5]")]
Tags = Annotated[list[str] | None, Parameter(name="--tag", help="Tag; may be repeated.", negative_iterable=())]


def run(
    type: Annotated[str, Parameter(help="Job type; `jobdeck types list` shows them.", completer=types)],
    /,
    *,
    param: Annotated[
        list[str] | None,
        Parameter(
            name=["--param", "-p"], help="name=value, dots for parts: csv.encoding=latin-1.", negative_iterable=()
        ),
    ] = None,
    params_json: Annotated[str | None, Parameter(help="All parameters as a JSON object, @FILE, or @-.")] = None,
    wait: Wait = False,
    priority: Priority = None,
    not_before: Annotated[str | None, Parameter(help="Not to start before this time.")] = None,
    tag: Tags = None,
    configuration: Annotated[int | None, Parameter(help="Id of the configuration it runs.")] = None,
    parent: Annotated[int | None, Parameter(help="Id of the job it is a part of.")] = None,
    deduplicate: Annotated[bool, Parameter(help="Use an unfinished job that is the same.", negative=())] = False,
    on_child_failure: Annotated[Literal["fail", "warn", "ignore"] | None, Parameter(help="[default: fail]")] = None,
    description: Annotated[str | None, Parameter(help="One line for people.")] = None,
    key: Annotated[str | None, Parameter(help="Idempotency key: the same again returns the first job.")] = None,
    dry_run: DryRun = False,
    common: Common | None = None,
) -> int:
    """Submit a job."""
    common = common or Common()
    typed, base = pairs(param), document(params_json)
    wishes: Wishes = {
        "priority": priority,
        "not_before": instant(not_before, "--not-before"),
        "tags": tag,
        "configuration": configuration,
        "parent": parent,
        "deduplicate": deduplicate or None,
        "on_child_failure": on_child_failure,
        "description": description,
    }
    with common.client() as client:
        params = assembled(typed, schema_for(client, type, typed), base=base)
        if dry_run:
            return planned(client.jobs.dry_run(type, params, project=common.project_or_default, **wishes), common)
        before = newest(client, common.project_or_default, key)
        job = client.jobs.submit(type, params, project=common.project_or_default, key=key, **wishes)
        return submitted(client, job, common, wait=wait, before=before)
