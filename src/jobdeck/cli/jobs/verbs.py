"""Operating jobs: each verb takes several ids, tells every refusal, and ends with the gravest exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from cyclopts import Parameter

from jobdeck.cli.arguments.completing import job_ids
from jobdeck.cli.arguments.ids import Ids, numbers
from jobdeck.cli.arguments.options import STDIN, Common
from jobdeck.cli.arguments.params import Pair, are_plain, assembled, document, pairs, schema_for
from jobdeck.cli.arguments.schemas import Schema
from jobdeck.cli.exits import DETACHED, DONE, UsageError, code_of, say, tell
from jobdeck.cli.jobs.bulk import Asked, Together, is_bulk, operate_all
from jobdeck.cli.jobs.filters import Which
from jobdeck.cli.jobs.show import print_job
from jobdeck.cli.jobs.watching import follow, follow_all, follow_json, verdict
from jobdeck.cli.show import text
from jobdeck.cli.show.output import Output, print_ids, print_json, print_one
from jobdeck.client import ApiError, Client, ServerFailed
from jobdeck.client.watching import SETTLED
from jobdeck.core.life import family
from jobdeck.core.life.bulk import BulkOperation
from jobdeck.core.life.states import State
from jobdeck.core.values import merged
from jobdeck.wire.jobs import Deleted, Job

Reason = Annotated[str | None, Parameter(help="Why; kept with the job.")]
Wait = Annotated[bool, Parameter(help="Wait until they have ended, showing their progress.", negative=())]
Verb = Callable[[Client, int], Job | Deleted]


def cancel(
    *ids: Ids,
    reason: Reason = None,
    which: Which | None = None,
    together: Together | None = None,
    common: Common | None = None,
) -> int:
    """End jobs for good and remove what they half made."""
    asked = Asked(BulkOperation.CANCEL, reason)
    return _operate(asked, ids, which, together, common, lambda client, id_: client.jobs.cancel(id_, reason))


def pause(
    *ids: Ids,
    reason: Reason = None,
    resume_at: Annotated[
        str | None, Parameter(help="When to resume by itself: 2026-11-20T08:00, local unless it says.")
    ] = None,
    which: Which | None = None,
    together: Together | None = None,
    common: Common | None = None,
) -> int:
    """Stop jobs at their next checkpoint; they keep what they did."""
    at = instant(resume_at, "--resume-at")
    asked = Asked(BulkOperation.PAUSE, reason, at)
    verb: Verb = lambda client, id_: client.jobs.pause(id_, reason, resume_at=at)  # noqa: E731
    return _operate(asked, ids, which, together, common, verb)


def _queuing(operation: BulkOperation, ask: Callable[[Client, int, str | None], Job]) -> Callable[..., int]:
    """An operation after which the jobs run, so that one may wait for their end."""

    def verb(
        *ids: Ids,
        reason: Reason = None,
        wait: Wait = False,
        which: Which | None = None,
        together: Together | None = None,
        common: Common | None = None,
    ) -> int:
        one: Verb = lambda client, id_: ask(client, id_, reason)  # noqa: E731
        return _operate(Asked(operation, reason), ids, which, together, common, one, wait=wait)

    return verb


resume = _queuing(BulkOperation.RESUME, lambda client, id_, reason: client.jobs.resume(id_, reason))
restart = _queuing(BulkOperation.RESTART, lambda client, id_, reason: client.jobs.restart(id_, reason))


def priority(
    *ids: Ids,
    to: Annotated[int, Parameter(name=["--to", "--set"], help="0 to 9; higher goes first.")],
    which: Which | None = None,
    together: Together | None = None,
    common: Common | None = None,
) -> int:
    """Change the priority of jobs that wait."""
    asked = Asked(BulkOperation.PRIORITY, priority=to)
    return _operate(asked, ids, which, together, common, lambda client, id_: client.jobs.set_priority(id_, to))


def delete(
    *ids: Ids,
    with_children: Annotated[
        bool, Parameter(help="Also their children, and theirs; without, jobs that have some stay.", negative=())
    ] = False,
    which: Which | None = None,
    together: Together | None = None,
    common: Common | None = None,
) -> int:
    """Remove ended jobs and everything recorded about them."""
    together = together or Together()
    asking = not (together.yes or is_bulk(ids, which, together) or STDIN in ids)
    if asking and sys.stdin.isatty() and not _agrees(len(numbers(ids))):
        say("Nothing was deleted.")
        return DONE
    asked = Asked(BulkOperation.DELETE, children=with_children)
    verb: Verb = lambda client, id_: client.jobs.delete(id_, children=with_children)  # noqa: E731
    return _operate(asked, ids, which, together, common, verb)


def watch(*ids: Ids, common: Common | None = None) -> int:
    """Show the progress of jobs until they have ended. Ctrl-C leaves them running. With -o json: a line per change."""
    return _watched(numbers(ids), common or Common())


def _watched(ids: list[int], common: Common) -> int:
    """Their progress until they settle; the gravest exit code."""
    last: dict[int, Job] = {}
    with common.client() as client:
        try:
            _follow(client, ids, last, common.output)
        except KeyboardInterrupt:
            detached([id_ for id_ in ids if id_ not in last or last[id_].state not in SETTLED])
            return DETACHED
    return max((verdict(last[id_]) for id_ in ids), default=DONE)


def _follow(client: Client, ids: list[int], last: dict[int, Job], output: Output) -> None:
    if not ids:
        return
    if output == "json":
        follow_json(client, ids, last)
        return
    follow_all(client, ids, last, sys.stdout if output == "table" else sys.stderr)
    if output == "ids":
        print_ids(ids)


def run_again(
    id: Annotated[str, Parameter(name="ID", help="The job to take over from.", completer=job_ids)],
    /,
    *,
    param: Annotated[
        list[str] | None,
        Parameter(name=["--param", "-p"], help="name=value, put over the old parameters.", negative_iterable=()),
    ] = None,
    params_json: Annotated[str | None, Parameter(help="The same as a JSON object, @FILE, or @-.")] = None,
    without: Annotated[
        list[str] | None, Parameter(help="A parameter not to take over; may be repeated.", negative_iterable=())
    ] = None,
    replace: Annotated[bool, Parameter(help="Take over no old parameters, only those given.", negative=())] = False,
    wait: Annotated[bool, Parameter(help="Wait until it has ended, showing its progress.", negative=())] = False,
    priority: Annotated[int | None, Parameter(help="0 to 9; higher goes first. [default: the old one]")] = None,
    tag: Annotated[
        list[str] | None, Parameter(name="--tag", help="Tag; may be repeated. [default: the old]", negative_iterable=())
    ] = None,
    description: Annotated[str | None, Parameter(help="One line for people.")] = None,
    common: Common | None = None,
) -> int:
    """Submit a new job with the parameters of an old one, or edited ones."""
    common = common or Common()
    (number,) = numbers((id,))
    typed, base = pairs(param), document(params_json)
    with common.client() as client:
        params = _put_over(client, number, typed, base, replace=replace) or ({} if replace else None)
        if without:
            params, replace = _without(client.jobs.get(number), without, params or {}), True
        job = client.jobs.run_again(
            number, params, replace=replace, priority=priority, tags=tag, description=description
        )
        return submitted(client, job, common, wait=wait)


def _put_over(
    client: Client, number: int, typed: Sequence[Pair], base: dict[str, Any], *, replace: bool
) -> dict[str, Any]:
    """What was given; of a group of which only a part was given with dots, the old job's other parts too."""
    if are_plain(typed):
        return assembled(typed, Schema(None), base=base)
    old = client.jobs.get(number)
    schema = schema_for(client, old.type, typed)
    parts = {path[0] for path in (schema.path(name) for name, _ in typed) if len(path) > 1}
    kept = {} if replace else {name: value for name, value in old.params.items() if name in parts}
    return assembled(typed, schema, base=merged(kept, base))


def _without(job: Job, names: Sequence[str], params: Mapping[str, Any]) -> dict[str, Any]:
    """The job's parameters but for those called `names`, with `params` over them."""
    missing = [name for name in names if name not in job.params]
    if missing:
        there = ", ".join(job.params) or "none"
        raise UsageError(f"--without: job {job.id} has no parameter '{missing[0]}'.", f"It has: {there}.")
    return {**{name: value for name, value in job.params.items() if name not in names}, **params}


def newest(client: Client, project: str, key: str | None) -> int:
    """The id of the project's newest job, where a `key` may lead to an earlier one; else 0."""
    found = client.jobs.page(limit=1, project=project).items if key else []
    return found[0].id if found else 0


def submitted(client: Client, job: Job, common: Common, *, wait: bool, before: int = 0) -> int:
    """Tell about a job that was submitted; with `wait`, once it has settled. The exit code.

    `before` is the newest job there was: one that is no newer was submitted earlier with the same key."""
    if job.id <= before:
        say(f"Job {job.id} was submitted with this key before; nothing new is submitted.")
    if not wait:
        print_one(common.output, job, lambda j: _accepted(j, client), lambda j: j.id)
        return DONE
    try:
        ended = follow(client, job.id, sys.stdout if common.output == "table" else sys.stderr)
    except KeyboardInterrupt:
        detached([job.id])
        return DETACHED
    if common.output != "table":
        print_one(common.output, ended, lambda j: print_job(j, client), lambda j: j.id)
    return verdict(ended)


def _accepted(job: Job, client: Client) -> None:
    print(f"Job {job.id} is accepted: {text.state(job)}. Watch it with: jobdeck job watch {job.id}")
    print(f"Its page: {client.url}/jobs/{job.id}")


def detached(ids: Sequence[int]) -> None:
    """Say that the jobs go on, and how to see them again."""
    names = " ".join(str(id_) for id_ in ids)
    what = f"job {names} goes on. Watch it" if len(ids) == 1 else f"jobs {names} go on. Watch them"
    say(f"\nDetached; {what} again with: jobdeck job watch {names}")


def instant(value: str | None, option: str) -> datetime | None:
    """A time from the command line, in the local zone unless it names one."""
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise UsageError(f"{option}: '{value}' is not a time.", "Write it like 2026-11-20T08:00.") from None
    return at if at.tzinfo else at.astimezone()


def _operate(
    asked: Asked,
    ids: tuple[str, ...],
    which: Which | None,
    together: Together | None,
    common: Common | None,
    verb: Verb,
    *,
    wait: bool = False,
) -> int:
    """All as one where that is asked for, else `verb` to one job after the other; with `wait`, until these settle."""
    common, together = common or Common(), together or Together()
    if is_bulk(ids, which, together):
        if wait:
            raise UsageError("--wait is for jobs that are named by id.", "Leave it out: many jobs are followed anyway.")
        return operate_all(asked, ids, which, together, common)
    found = numbers(ids)
    done: list[int] = []
    worst = _operate_each(found, common, asked.operation, verb, done)
    return max(worst, _watched(done, common)) if wait else worst


def _operate_each(
    ids: Sequence[int], common: Common, operation: BulkOperation, verb: Verb, done: list[int]
) -> int:  # fmt: skip
    """The gravest exit code; `done` takes the ids of those that did not refuse."""
    worst = DONE
    with common.client() as client:
        for id_ in ids:
            try:
                _report(common, id_, verb(client, id_), operation)
                done.append(id_)
            except ApiError as error:
                if isinstance(error, ServerFailed):
                    raise
                tell(error)
                worst = max(worst, code_of(error))
    return worst


def _report(common: Common, id_: int, job: Job | Deleted, operation: BulkOperation) -> None:
    if common.output == "ids":
        print(id_)
    elif isinstance(job, Deleted):
        if common.output == "table":
            print(f"Job {id_}: deleted{f', with {family.words(job.children)}' if job.children else ''}")
        elif job.children:
            print_json(job)
    elif common.output == "json":
        print_json(job)
    else:
        print(f"Job {id_}: {_told(job, operation)}")


def _told(job: Job, operation: BulkOperation) -> str:
    """What became of it; a job that removes what it did in order to begin anew is restarting."""
    match operation:
        case BulkOperation.PRIORITY:
            return f"{text.state(job)}, priority {job.priority}"
        case BulkOperation.RESTART if job.state is State.CANCELING:
            return f"{text.MARKS[job.state]} restarting"
        case _:
            return text.state(job)


def _agrees(count: int) -> bool:
    answer = input(f"Delete {count} job(s) and everything recorded about them? [y/N] ")
    return answer.strip().lower() in ("y", "yes")
