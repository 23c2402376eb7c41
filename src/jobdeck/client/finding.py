"""What a client has: the one `Resource` class of each module in this folder, under the name of the module."""

from __future__ import annotations

from functools import cache
from typing import TypeGuard

from jobdeck.client.http.resource import Resource
from jobdeck.core.modules import FoundTwice, modules_in

PACKAGE = "jobdeck.client"


@cache
def resources() -> dict[str, type[Resource]]:
    """By name: `limits` is the class in `client/admin/limits.py`. Raises FoundTwice where two would have one name."""
    found: dict[str, type[Resource]] = {}
    for module in modules_in(PACKAGE):
        for own in vars(module).values():
            if _is_part(own) and own.__module__ == module.__name__:
                add(found, module.__name__.rpartition(".")[2], own)
    return found


def add(found: dict[str, type[Resource]], name: str, own: type[Resource]) -> None:
    """Put `own` under `name`."""
    if name in found:
        raise FoundTwice(f"client.{name}", _place(found[name]), _place(own))
    found[name] = own


def _is_part(own: object) -> TypeGuard[type[Resource]]:
    return isinstance(own, type) and issubclass(own, Resource) and own is not Resource


def _place(of: type) -> str:
    return f"{of.__module__}.{of.__qualname__}"
