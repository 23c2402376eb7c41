"""Finds the pages: every module called `page` below `web/pages` has a `router`; no list names them.

The folders there are packages without an `__init__.py`: the file of a page is its `page.py`."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastapi import APIRouter
from fastapi.routing import APIRoute

from jobdeck.web import pages

_FILE = "page.py"
_PARAMETER = re.compile(r"\{\w+")


class PageWithoutRouter(Exception):
    """A module called `page` has no `router`."""


class PathTaken(Exception):
    """Two routes answer the same path and method, so that the second would never be asked."""


def found() -> list[tuple[str, APIRouter]]:
    """Each page's module and router, in the order of their names. Raises PageWithoutRouter, PathTaken."""
    routers = [(name, _router(name)) for name in sorted(_modules())]
    check_paths(routers)
    return routers


def _modules() -> Iterator[str]:
    for folder in pages.__path__:
        for file in Path(folder).rglob(_FILE):
            yield ".".join((pages.__name__, *file.relative_to(folder).with_suffix("").parts))


def check_paths(routers: Iterable[tuple[str, APIRouter]]) -> None:
    """Raises PathTaken where two of these routes are the same but for the names of their parameters."""
    taken: dict[tuple[str, str], str] = {}
    for module, router in routers:
        for route in router.routes:
            if not isinstance(route, APIRoute):
                continue
            for method in sorted(route.methods or ()):
                at = (method, _PARAMETER.sub("{", route.path))
                here = f"{module}.{route.name}"
                if at in taken:
                    problem = f"{method} {route.path} is answered by {taken[at]} and by {here}: change one of them."
                    raise PathTaken(problem)
                taken[at] = here


def _router(name: str) -> APIRouter:
    router = getattr(importlib.import_module(name), "router", None)
    if not isinstance(router, APIRouter):
        raise PageWithoutRouter(f"{name} has no `router`; write `router = APIRouter(include_in_schema=False)`.")
    return router
