"""Finds connectors by kind, built-in ones and those of other packages; a broken one hurts only who asks for it."""

from __future__ import annotations

import importlib
from functools import cache
from importlib.metadata import entry_points

from jobdeck.connectors.base import Connector
from jobdeck.connectors.errors import BrokenConnector, UnknownConnection
from jobdeck.core.environment import ConnectionSpec, Environment

GROUP = "jobdeck.connectors"
BUILT_IN = {
    "files": "jobdeck.connectors.files.connector:FilesConnector",
    "lake": "jobdeck.connectors.lake.connector:LakeConnector",
}
LAKE = ConnectionSpec(name="lake", kind="lake")


def connection(environment: Environment, name: str) -> ConnectionSpec:
    """The project's connection of this name; `lake` is always there. Raises UnknownConnection."""
    if name == LAKE.name:
        return environment.connections.get(name, LAKE)
    try:
        return environment.connections[name]
    except KeyError:
        known = ", ".join(sorted({LAKE.name, *environment.connections}))
        raise UnknownConnection(f"There is no connection '{name}'.", hint=f"Connections here: {known}.") from None


def kinds() -> list[str]:
    """The kinds that are installed, sorted."""
    return sorted({*BUILT_IN, *_third_party()})


def connector(kind: str) -> Connector:
    """The connector for `kind`; raises UnknownConnection or BrokenConnector."""
    place = BUILT_IN.get(kind) or _third_party().get(kind)
    if place is None:
        raise UnknownConnection(f"No connector for '{kind}' is installed.", hint=f"Installed: {', '.join(kinds())}.")
    return _load(kind, place)


def broken() -> dict[str, str]:
    """Third-party connectors that cannot be loaded: kind → reason; for the administrator's page."""
    reasons = {}
    for kind, place in _third_party().items():
        try:
            _load(kind, place)
        except BrokenConnector as error:
            reasons[kind] = error.message
    return reasons


def _third_party() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=GROUP) if point.name not in BUILT_IN}


@cache
def _load(kind: str, place: str) -> Connector:
    module, _, name = place.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)()
    except Exception as error:  # other people's code may raise anything at import
        raise BrokenConnector(f"The connector for '{kind}' ({place}) cannot be loaded: {error!r}.") from error
    if not isinstance(found, Connector):
        raise BrokenConnector(f"{place} is no Connector.", hint="Subclass jobdeck.connectors.base.Connector.")
    return found
