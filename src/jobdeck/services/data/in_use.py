"""Refusing to delete what others still need, unless that is what is wanted."""

from __future__ import annotations

from jobdeck.core.errors import Conflict
from jobdeck.store.views.uses import Uses

SHOWN = 3
"""Jobs and configurations that a text names."""
MOST = 100
"""The same of the answer for programs."""


class InUse(Conflict, code="in_use"):
    """Open jobs or configurations name what is to be deleted; `jobs` and `configurations` say which."""


def require_unused(what: str, uses: Uses, field: str) -> None:
    """Raises InUse. `what` begins the sentence: `The file orders.csv (file:3)`."""
    if not uses:
        return
    users = [_counted("job", [str(i) for i in uses.jobs], "that has not ended", "that have not ended", uses.more)]
    users += [_counted("configuration", [f"{i} '{name}'" for i, name in uses.configurations], "", "", uses.more)]
    raise InUse(
        f"{what} is named by {' and by '.join(user for user in users if user)}.",
        field=field,
        hint="Cancel or change those first, or delete it all the same with force=true; jobs that need it then fail.",
        jobs=list(uses.jobs[:MOST]),
        configurations=[i for i, _ in uses.configurations[:MOST]],
    )


def _counted(noun: str, names: list[str], one: str, many: str, more: bool) -> str:
    """`2 jobs that have not ended (3, 4)`; nothing when there are none."""
    if not names:
        return ""
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    least = "at least " if more else ""
    return f"{least}{len(names):,} {noun}{'s' if len(names) > 1 else ''} {many if len(names) > 1 else one}".rstrip() + (
        f" ({shown})"
    )
