"""`jobdeck failures`: what goes wrong, grouped by kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from jobdeck.cli.arguments.more import More, print_list
from jobdeck.cli.arguments.options import Common, asking, noun
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_ids, print_one
from jobdeck.cli.show.table import TableColumn, print_facts

if TYPE_CHECKING:
    from jobdeck.wire.failures import FailureGroup, Trend

COMMANDS = {"failures": ("Work with jobs", "What goes wrong, grouped by kind.")}
EXAMPLES = """
jobdeck failures
jobdeck failures list --since 1d --sort -count
jobdeck failures show 5f2a9c1d
"""

app = noun(COMMANDS)

BARS = " ▁▂▃▄▅▆▇█"
GROUP_COLUMNS: list[TableColumn[FailureGroup]] = [
    TableColumn("FINGERPRINT", lambda g: g.fingerprint),
    TableColumn("COUNT", lambda g: text.number(g.count), right=True),
    TableColumn("FAILED NOW", lambda g: text.number(g.jobs_failed_now), drop=4, right=True),
    TableColumn("TREND", lambda g: bars(g.trend), drop=5),
    TableColumn("LAST", lambda g: g.last_seen, drop=2),
    TableColumn("TYPES", lambda g: [t.type for t in g.types], drop=3, least=6),
    TableColumn("CODE", lambda g: g.code, drop=6, least=8),
    TableColumn("MESSAGE", lambda g: g.message, drop=1, least=16),
]
Since = Annotated[str | None, Parameter(help="12h, 1d, 3d, 7d, or a time like 2026-11-20T08:00:00Z.")]
Until = Annotated[str | None, Parameter(help="As --since.")]
Type = Annotated[list[str] | None, Parameter(help="Job type; may be repeated.", negative_iterable=())]


@app.default
@app.command(name="list")
def list_(
    *,
    type: Type = None,
    since: Since = None,
    until: Until = None,
    q: Annotated[str | None, Parameter(name=["--q", "--search"], help="Text in code, place or message.")] = None,
    sort: Annotated[
        Literal["-last_seen", "-count"] | None, Parameter(help="[default: -last_seen]", allow_leading_hyphen=True)
    ] = None,
    limit: Annotated[int | None, Parameter(help="Groups to show. [default: 50 in a table, else all]")] = None,
    common: Common | None = None,
) -> None:
    """List failures, those of a kind together. -o ids gives fingerprints, for `jobs list --error`."""
    with asking(common) as (client, given):
        found = client.failures.list(project=given.chosen_project, type=type, since=since, until=until, q=q, sort=sort)
        print_list(
            given.output,
            found,
            GROUP_COLUMNS,
            lambda g: g.fingerprint,
            More(limit),
            "Nothing of that has failed.",
        )


@app.command(name="show")
def show(
    fingerprint: Annotated[str, Parameter(help="Of an error, as `failures list` and jobs show it.")],
    /,
    *,
    type: Type = None,
    since: Since = None,
    until: Until = None,
    common: Common | None = None,
) -> None:
    """Show one kind of failure, and the jobs that failed by it last. With -o ids: all that are failed by it now."""
    with asking(common) as (client, given):
        if given.output == "ids":
            found = client.jobs.list(state="failed", project=given.chosen_project, type=type, error=fingerprint)
            print_ids(job.id for job in found)
            return
        group = client.failures.get(fingerprint, project=given.chosen_project, type=type, since=since, until=until)
    print_one(given.output, group, _show, lambda g: g.fingerprint)


def _show(group: FailureGroup) -> None:
    print(f"{text.line(group.code)}: {text.line(group.message)}")
    print_facts(
        [
            ("hint", group.hint),
            ("place", group.place),
            ("failures", text.number(group.count)),
            ("failed now", text.number(group.jobs_failed_now)),
            ("first", group.first_seen),
            ("last", group.last_seen),
            ("trend", f"{bars(group.trend)} since {text.moment(group.trend.since)}"),
            ("types", ", ".join(f"{t.type} ({text.number(t.count)})" for t in group.types)),
            ("projects", ", ".join(f"{p.project} ({text.number(p.count)})" for p in group.projects)),
            ("jobs", ", ".join(str(job) for job in group.latest)),
            (
                "retry all",
                f"jobdeck jobs list --state failed --error {group.fingerprint} --all -o ids | jobdeck job resume -",
            ),
        ]
    )


def bars(trend: Trend) -> str:
    """The trend as a line of small bars."""
    most = max(trend.counts, default=0)
    return "".join(BARS[-(-count * (len(BARS) - 1) // most)] if most else BARS[0] for count in trend.counts)
