"""The resources of the REST API: every router that stands at the top of a module in this folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from fastapi import APIRouter
from fastapi.routing import APIRoute

from jobdeck.core.modules import FoundTwice, modules_in


def routers() -> list[APIRouter]:
    """Of all modules, by their names. Raises FoundTwice where two say what happens at one address, or share a name."""
    found = [(module.__name__, router) for module in modules_in("jobdeck.api") for router in _at_the_top(vars(module))]
    check(found)
    return [router for _, router in found]


def _at_the_top(names: dict[str, object]) -> Iterator[APIRouter]:
    return (value for value in names.values() if isinstance(value, APIRouter))


def check(found: Iterable[tuple[str, APIRouter]]) -> None:
    """Routers with the names of their modules: no two routes have the same method and path, or the same name."""
    places: dict[str, str] = {}
    for module, router in found:
        for route in router.routes:
            if isinstance(route, APIRoute):
                verbs = " and ".join(sorted(route.methods or ()))
                for what in (f"{verbs} {route.path_format}", f"A route called {route.name}"):
                    if what in places:
                        raise FoundTwice(what, places[what], module)
                    places[what] = module
