"""Routers and services are found by where they are, and what would hide another is refused by name."""

from __future__ import annotations

import re

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope

from jobdeck.api.resources import check, routers
from jobdeck.core.claims import Claim
from jobdeck.core.modules import FoundTwice
from jobdeck.services.admin.pauses import Pauses
from jobdeck.services.services import NotMakable
from tests.api.harness import Api


def one_route(path: str, name: str) -> APIRouter:
    router = APIRouter()
    router.add_api_route(path, lambda: None, name=name)
    return router


def test_two_routes_at_one_address_are_refused_with_both_places() -> None:
    with pytest.raises(FoundTwice, match=r"GET /a/\{id\} is in one and in two"):
        check([("one", one_route("/a/{id}", "x")), ("two", one_route("/a/{id}", "y"))])
    with pytest.raises(FoundTwice, match="called x is in one and in two"):
        check([("one", one_route("/a", "x")), ("two", one_route("/b", "x"))])


def test_no_route_hides_another() -> None:
    """In whichever order the modules are found: what a path says is answered by its own route first."""
    every = [route for router in routers() for route in router.routes if isinstance(route, APIRoute)]
    assert len(every) > 70
    for route in every:
        path = re.sub(r"\{[a-z_]+(:path)?\}", "7", route.path)
        for method in route.methods or ():
            scope: Scope = {"type": "http", "method": method, "path": path, "headers": [], "root_path": ""}
            first = next(other for other in every if other.matches(scope)[0] is Match.FULL)
            assert first is route, f"{method} {route.path} is answered by {first.path}"


def test_a_service_is_one_for_its_class(small: Api) -> None:
    services = small.app.state.services
    assert isinstance(services.of(Pauses), Pauses)
    assert services.of(Pauses) is services.of(Pauses)
    with pytest.raises(NotMakable, match="Claim is no service"):
        services.of(Claim)
