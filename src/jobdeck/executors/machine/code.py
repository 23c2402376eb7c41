"""Which version a job type's code is: a fingerprint of its module and of those that it imports, as they are on disk.

Read without importing anything. Of a package's other modules and of modules that lie beside it those count that an
import names, directly or by others; what is installed as a package of its own does not."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from jobdeck.core.errors import TaskFailure
from jobdeck.executors.machine.sources import OURS, Stamp, changed, stamp_of

_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n;#]+)|import[ \t]+([^\n;#]+))", re.MULTILINE
)
_INSTALLED = ("site-packages", "dist-packages")
_DIGITS = 16


class CodeChanged(TaskFailure, code="code_changed", retryable=False):
    """The code of a job type is not that with which the attempt began."""


@dataclass(frozen=True, slots=True)
class Code:
    """One version: its fingerprint, and the files it was made of. Without a fingerprint it is told from no other."""

    fingerprint: str = ""
    files: Mapping[str, Stamp] = field(default_factory=dict)
    newest: str = ""
    """The file that was changed last."""


@dataclass(frozen=True, slots=True)
class _CodeLook:
    """What was seen in a file: its digest, and the imports in it."""

    stamp: Stamp
    digest: str
    imports: tuple[tuple[str, str, str], ...]


_CODES: dict[str, Code] = {}
_LOOKS: dict[str, _CodeLook] = {}


def code_of(implementation: str) -> Code:
    """The code of `module:Class` as it is on disk; read again only when one of its files was changed."""
    module = implementation.partition(":")[0].strip()
    known = _CODES.get(module)
    if known is None or changed(known.files) is not None:
        known = _read(module)
        if known.files or _is_ours(module):
            _CODES[module] = known
    return known


def code_changed(type_name: str, newest: str) -> CodeChanged:
    """The error of a task, or of a job run, that finds another version than that with which its attempt began."""
    what = f" The file changed last is {newest}." if newest else ""
    return CodeChanged(
        f"The code of '{type_name}' was changed after this attempt had begun with it.{what}",
        hint="Restart the job to run all of it with the new code, or resume it to go on with that from where it is.",
    )


def _is_ours(module: str) -> bool:
    top = module.partition(".")[0]
    return top in ("", OURS, "__main__") or top in sys.stdlib_module_names


def _read(module: str) -> Code:
    top = module.partition(".")[0]
    roots = [] if _is_ours(module) else _roots(top)
    digests: dict[str, str] = {}
    stamps: dict[str, Stamp] = {}
    left, seen = [module], {module}
    while left:
        name = left.pop()
        for file, package, root in _files(name, top, roots):
            look = _look(file) if file not in stamps else None
            if look is None:
                continue
            stamps[file] = look.stamp
            digests[os.path.relpath(file, root)] = look.digest
            new = [found for found in _named(look, package) if found not in seen]
            seen.update(new)
            left += new
    if not stamps:
        return Code()
    told = "\n".join(f"{place} {digest}" for place, digest in sorted(digests.items()))
    newest = max(stamps, key=lambda file: stamps[file][0])
    return Code(hashlib.sha256(told.encode()).hexdigest()[:_DIGITS], stamps, newest)


def _roots(top: str) -> list[str]:
    """The folders in which the top-level module or package lies."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return []
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [os.path.dirname(folder) for folder in spec.submodule_search_locations]  # noqa: PTH120 – in a hurry
    return [os.path.dirname(spec.origin)] if spec.has_location and spec.origin else []  # noqa: PTH120


def _files(name: str, top: str, roots: list[str]) -> Iterator[tuple[str, str, str]]:
    """The files of a module and of the packages it is in; with each the package that its imports are relative to."""
    parts = name.split(".")
    for root in roots:
        if parts[0] != top and not _lies_beside(parts[0], top, root):
            continue
        for count in range(1, len(parts) + 1):
            place, dotted = os.path.join(root, *parts[:count]), ".".join(parts[:count])  # noqa: PTH118
            if stamp_of(inside := os.path.join(place, "__init__.py")) is not None:  # noqa: PTH118
                yield inside, dotted, root
            elif stamp_of(f"{place}.py") is not None:
                yield f"{place}.py", dotted.rpartition(".")[0], root


def _lies_beside(name: str, top: str, root: str) -> bool:
    """Whether it is a neighbour of the type's module; among installed packages, one that came with it."""
    if _is_ours(name) or not any(stamp_of(os.path.join(root, place)) for place in (f"{name}.py", name)):  # noqa: PTH118
        return False
    if os.path.basename(root) not in _INSTALLED:  # noqa: PTH119
        return True
    owners = _owners(root)
    return bool(owners.get(name, set()) & owners.get(top, set()))


@lru_cache(maxsize=16)
def _owners(root: str) -> Mapping[str, set[str]]:
    """Of the top-level names in a folder of installed packages: the distributions that brought them."""
    owners: dict[str, set[str]] = {}
    for info in Path(root).glob("*.dist-info"):
        for name in _brought(info):
            owners.setdefault(name, set()).add(info.name)
    return owners


def _brought(info: Path) -> set[str]:
    for listing in ("top_level.txt", "RECORD"):
        with contextlib.suppress(OSError):
            lines = (info / listing).read_text("utf-8", "replace").splitlines()
            return {line.partition(",")[0].partition("/")[0].removesuffix(".py") for line in lines}
    return set()


def _look(file: str) -> _CodeLook | None:
    stamp = stamp_of(file)
    known = _LOOKS.get(file)
    if stamp is None or (known is not None and known.stamp == stamp):
        return known if stamp is not None else None
    try:
        with open(file, "rb") as opened:  # noqa: PTH123
            content = opened.read()
    except OSError:
        return None
    text = content.decode("utf-8", "replace").replace("\\\n", " ")
    look = _CodeLook(stamp, hashlib.sha256(content).hexdigest(), tuple(_IMPORT.findall(text)))
    _LOOKS[file] = look
    return look


def _named(look: _CodeLook, package: str) -> Iterator[str]:
    """The modules that the imports of a file may mean, by their full names."""
    for origin, names, plain in look.imports:
        for name in plain.split(","):
            yield from filter(None, [name.strip().partition(" ")[0]])
        if origin:
            base = _absolute(origin, package)
            if base:
                yield base
            for name in names.strip("()").split(","):
                word = name.strip().partition(" ")[0]
                if word.isidentifier():
                    yield f"{base}.{word}" if base else word


def _absolute(origin: str, package: str) -> str:
    """`..a` in the package `x.y` is `x.a`."""
    name = origin.lstrip(".")
    up = len(origin) - len(name)
    if not up:
        return name
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (up - 1)]
    return ".".join([*kept, name] if name else kept)
