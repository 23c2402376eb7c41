"""The modules of a folder: where things are found by convention, the folder is the list."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType


class FoundTwice(TypeError):
    """Two modules bring a thing of the same name, where there can be one."""

    def __init__(self, what: str, first: str, second: str) -> None:
        super().__init__(f"{what} is in {first} and in {second}; only one of them can be.")


def modules_in(package: str, but: str | None = None) -> Iterator[ModuleType]:
    """Every module below the package, imported, in the order of their names; packages before what is in them.

    `but`: a package below it that is left out."""
    for found in iter_modules(import_module(package).__path__):
        name = f"{package}.{found.name}"
        if name == but:
            continue
        yield import_module(name)
        if found.ispkg:
            yield from modules_in(name, but)
