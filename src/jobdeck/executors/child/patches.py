"""Whether a task replaced functions or classes of modules that every task of this process uses: then it is spoiled."""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

WATCHED = (
    "asyncio.events", "asyncio.runners", "concurrent.futures.thread", "datetime", "functools", "hashlib",
    "http.client", "importlib", "io", "json", "json.decoder", "json.encoder", "logging", "os", "pathlib", "pickle",
    "posixpath", "queue", "random", "re", "secrets", "shutil", "signal", "smtplib", "socket", "ssl", "subprocess",
    "sys", "tempfile", "threading", "time", "urllib.request", "uuid", "warnings", "requests", "requests.api",
    "requests.sessions", "urllib3", "urllib3.connectionpool", "httpx", "httpx._client", "boto3", "pydantic.main",
    "jobdeck", "jobdeck.core.jobtype", "jobdeck.core.tasks", "jobdeck.core.values", "jobdeck.core.errors",
    "jobdeck.executors.context", "jobdeck.executors.harness", "jobdeck.executors.wire", "jobdeck.connectors.registry",
)  # fmt: skip
"""Modules whose functions and classes are compared: those that people patch, and ours. All that a process loads would
cost more than a short task."""
_AT_START = ["datetime", "pathlib", "random", "socket", "subprocess", "tempfile", "uuid"]
_PLAIN = (int, float, str, bytes, bool, tuple, frozenset)
_LAZY = {("tempfile", "tempdir"), ("mimetypes", "inited"), ("re", "_cache")}
"""What the modules themselves fill in when they are first used."""


class Patches:
    """Remembers modules as they were when they were first seen, and their classes."""

    def __init__(self) -> None:
        for name in _AT_START:
            importlib.import_module(name)
        self._modules: dict[str, ModuleType] = {}
        self._spaces: list[tuple[str, Mapping[str, Any], dict[str, Any]]] = []
        self._builtins = (builtins.__dict__, dict(builtins.__dict__))
        self._adopt("")

    def found(self, package: str) -> str | None:
        """What was replaced, or None; modules loaded meanwhile are watched from now on. `package`: the task's own."""
        gone = next((name for name, module in self._modules.items() if sys.modules.get(name) is not module), None)
        if gone is not None:
            return gone
        names, known = self._builtins
        if names != known and (name := next(_differences(names, known), None)):
            return f"builtins.{name}"
        for name, live, before in self._spaces:
            if live != before and (changed := _changed(name, live, before)):
                return changed
        return self._adopt(package)

    def _adopt(self, package: str) -> str | None:
        """Watch what is new. What comes from the task's own package cannot have been in it when it was loaded."""
        for name in WATCHED:
            module = sys.modules.get(name)
            if name in self._modules or not isinstance(module, ModuleType):
                continue
            for space, live in _spaces(name, module):
                foreign = package and next((n for n, v in live.items() if _comes_from(v, package)), None)
                if foreign and package != name.partition(".")[0]:
                    return f"{space}.{foreign}"
                self._spaces.append((space, live, dict(live)))
            self._modules[name] = module
        return None


def _spaces(name: str, module: ModuleType) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The module's names, and those of its own classes that can be changed."""
    yield name, module.__dict__
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name and not value.__flags__ & _IMMUTABLE:
            yield f"{name}.{value.__qualname__}", value.__dict__


_IMMUTABLE = 1 << 8


def _comes_from(value: Any, package: str) -> bool:
    module = getattr(type(value), "__module__", "")
    if module == "unittest.mock":
        return True
    origin = getattr(value, "__module__", None) if callable(value) else None
    return isinstance(origin, str) and origin.partition(".")[0] == package


def _differences(live: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    yield from live.keys() ^ before.keys()
    yield from (name for name, value in before.items() if name in live and live[name] is not value)


def _changed(space: str, live: Mapping[str, Any], before: dict[str, Any]) -> str | None:
    """The first name whose change matters; what does not matter is taken in, so that the next look is quick again."""
    for name in list(_differences(live, before)):
        old, new = before.get(name, _NOTHING), live.get(name, _NOTHING)
        if (space, name) not in _LAZY and (_matters(name, old) or (old is not _NOTHING and new is _NOTHING)):
            return f"{space}.{name}"
    before.clear()
    before.update(live)
    return None


_NOTHING = object()


def _matters(name: str, old: Any) -> bool:
    """A function, a class, a module or a public constant that was there before; not what a module keeps for itself."""
    if old is _NOTHING or (name.startswith("__") and not callable(old)):
        return False
    code = callable(old) or isinstance(old, ModuleType) or hasattr(type(old), "__get__")
    return code or (isinstance(old, _PLAIN) and name[0] != "_")
