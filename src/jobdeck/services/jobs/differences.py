"""How two sets of parameters differ, place by place, without telling secrets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jobdeck.wire.plans import Change

MAX_CHANGES = 1000
_MISSING = object()


def changes(old: Any, new: Any, old_shown: Any, new_shown: Any) -> list[Change]:
    """The places in which `old` and `new` (JSON values) differ, at most MAX_CHANGES of them, in the order of `old`.

    `…_shown` are the same values with secrets masked: what is compared is not what is told."""
    found: list[Change] = []
    for change in _differ("", old, new, old_shown, new_shown):
        found.append(change)
        if len(found) == MAX_CHANGES:
            break
    return found


def _differ(path: str, old: Any, new: Any, old_shown: Any, new_shown: Any) -> Iterator[Change]:
    if _equal(old, new):
        return
    if all(isinstance(value, dict) for value in (old, new, old_shown, new_shown)):
        names = dict.fromkeys([*old, *new])
        for name in names:
            place = f"{path}.{name}" if path else str(name)
            yield from _one(place, *(value.get(name, _MISSING) for value in (old, new, old_shown, new_shown)))
    elif all(isinstance(value, list) for value in (old, new, old_shown, new_shown)):
        for index in range(max(len(old), len(new))):
            values = (value[index] if index < len(value) else _MISSING for value in (old, new, old_shown, new_shown))
            yield from _one(f"{path}[{index}]", *values)
    else:
        yield Change(path=path, kind="changed", old=old_shown, new=new_shown)


def _one(path: str, old: Any, new: Any, old_shown: Any, new_shown: Any) -> Iterator[Change]:
    if old is _MISSING:
        yield Change(path=path, kind="added", new=new_shown)
    elif new is _MISSING:
        yield Change(path=path, kind="removed", old=old_shown)
    else:
        yield from _differ(path, old, new, old_shown, new_shown)


def _equal(one: Any, other: Any) -> bool:
    """As JSON: `1` and `true` differ, `1` and `1.0` do not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)
