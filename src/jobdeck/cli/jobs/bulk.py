"""Operating many jobs as one: shows what would happen, asks, shows the progress, and gives the account."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from jobdeck.cli.arguments.ids import no_options, numbers
from jobdeck.cli.arguments.options import Common
from jobdeck.cli.exits import DETACHED, DONE, REFUSED, UsageError, say
from jobdeck.cli.jobs.filters import Which
from jobdeck.cli.show import text
from jobdeck.cli.show.output import print_ids, print_json
from jobdeck.core.life import family
from jobdeck.core.life.bulk import BulkOperation, BulkState
from jobdeck.core.life.operations import PAST

if TYPE_CHECKING:
    from jobdeck.client import Client
    from jobdeck.wire.bulk import Bulk, BulkGroup, BulkPlan

TOGETHER = Group("Many jobs as one operation", sort_key=20)


@Parameter(name="*", group=TOGETHER)
@dataclass(frozen=True)
class Together:
    """How many jobs are operated as one; filters do it by themselves."""

    bulk: Annotated[
        bool, Parameter(help="Also with ids: show what would happen to all of them, and ask once.", negative=())
    ] = False
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="Do not ask.", negative=())] = False


@dataclass(frozen=True)
class Asked:
    """What is to be done to all of them."""

    operation: BulkOperation
    reason: str | None = None
    resume_at: datetime | None = None
    priority: int | None = None
    children: bool = False

    @property
    def past(self) -> str:
        return f"given priority {self.priority}" if self.priority is not None else PAST[self.operation]

    @property
    def imperative(self) -> str:
        if self.priority is not None:
            return f"Give priority {self.priority} to"
        return self.operation.capitalize()


def is_bulk(ids: Sequence[str], which: Which | None, together: Together) -> bool:
    """Whether the jobs are operated as one: by filters, or as told. Raises UsageError for ids and filters."""
    no_options(ids)
    if _filtered(which) and ids:
        raise UsageError("Jobs were named by ids and by filters.", "Name them by one of the two.")
    return _filtered(which) or together.bulk


def _filtered(which: Which | None) -> bool:
    return which is not None and which != Which()


def operate_all(asked: Asked, ids: tuple[str, ...], which: Which | None, together: Together, common: Common) -> int:
    """Preview, ask, run, follow; the exit code."""
    named = None if _filtered(which) else numbers(ids)
    with common.client() as client:
        plan = _preview(client, asked, named, which or Which(), common)
        _tell_plan(asked, plan)
        if not plan.allowed:
            client.bulk.stop(plan.id)
            answer(client, client.bulk.get(plan.id), common, quiet=True)
            return REFUSED if plan.total else DONE
        if not together.yes and not _agreed(client, asked, plan):
            return DONE
        return _run(client, plan, common)


def _preview(client: Client, asked: Asked, ids: list[int] | None, which: Which, common: Common) -> BulkPlan:
    filters = which.filters(common.chosen_project) if ids is None else {}
    return client.bulk.preview(
        asked.operation, ids=ids, reason=asked.reason, resume_at=asked.resume_at, new_priority=asked.priority,
        children=asked.children, **filters,
    )  # fmt: skip


def _tell_plan(asked: Asked, plan: BulkPlan) -> None:
    if not plan.total:
        say("No job matches.")
        return
    say(f"{text.number(plan.allowed)} of {_jobs(plan.total)} can be {asked.past}.")
    tell_groups(plan.refused)
    if plan.children:
        more = "go with them" if plan.with_children else "stay, and so do their parents; --with-children deletes them"
        say(f"  {family.words(plan.children)} {more}.")


def tell_groups(groups: Sequence[BulkGroup]) -> None:
    """Why jobs were left out, with some of them."""
    for group in groups:
        some = ", ".join(str(id_) for id_ in group.examples)
        more = ", …" if group.count > len(group.examples) else ""
        say(f"  {text.number(group.count)} not: {text.line(group.text)} ({some}{more})")


def _agreed(client: Client, asked: Asked, plan: BulkPlan) -> bool:
    """Whether the person types the number of jobs; anything else discards the plan."""
    if sys.stdin.isatty():
        along = sum(plan.children.values()) if plan.with_children else 0
        count = plan.allowed + along
        more = f" and {text.number(along)} of their children" if along else ""
        ask = f"{asked.imperative} {text.number(plan.allowed)} of {_jobs(plan.total)}{more}? Type {count} to go on: "
        print(ask, end="", file=sys.stderr, flush=True)
        if "".join(sys.stdin.readline().split()) == str(count):
            return True
    client.bulk.stop(plan.id)
    if not sys.stdin.isatty():
        raise UsageError("Nothing was done: nobody can be asked here.", "Look at the numbers above, then add --yes.")
    say("Nothing was done.")
    return False


def _run(client: Client, plan: BulkPlan, common: Common) -> int:
    try:
        client.bulk.run(plan)
        bulk = follow(client, plan)
    except KeyboardInterrupt:
        answer(client, client.bulk.stop(plan.id), common)
        return DETACHED
    answer(client, bulk, common)
    return REFUSED if bulk.done < plan.allowed else DONE


def follow(client: Client, plan: Bulk) -> Bulk:
    """The bulk once it has ended; its progress until then is drawn on a terminal."""
    if not sys.stderr.isatty():
        return client.bulk.wait(plan.id)
    from jobdeck.cli.show.bars import counting

    with counting(sys.stderr, plan.total) as show:
        for bulk in client.bulk.watch(plan.id):
            show(bulk.total - bulk.left)
    return bulk


def answer(client: Client, bulk: Bulk, common: Common, *, quiet: bool = False) -> None:
    """The account in the form that was asked for."""
    if common.output == "json":
        print_json(bulk)
    elif common.output == "ids":
        print_ids(item.job for item in client.bulk.items(bulk.id, "done"))
    elif not quiet:
        print(summary(bulk))
        tell_groups(bulk.account)


def summary(bulk: Bulk) -> str:
    """The account in one sentence."""
    past = f"given priority {bulk.priority}" if bulk.priority is not None else PAST[bulk.operation]
    children = f", with {text.number(bulk.children_done)} of their children" if bulk.children_done else ""
    counts = ((bulk.skipped, "skipped"), (bulk.failed, "failed"), (bulk.left, "not touched"))
    rest = "".join(f", {text.number(count)} {word}" for count, word in counts if count)
    stopped = "Stopped. " if bulk.state == BulkState.STOPPED else ""
    return f"{stopped}{text.number(bulk.done)} of {_jobs(bulk.total)} {past}{children}{rest}."


def _jobs(count: int) -> str:
    return f"{text.number(count)} job{'' if count == 1 else 's'}"
