"""What a room is for is what its modules do, and a name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.architecture.tree import PACKAGE, parsed, python_files, relative

WRITES = {"delete", "insert", "update"}
NAMED_ONCE = {"access", "api", "services", "wire"}
"""Rooms whose classes have names that no other class of the package has."""
TWICE = {"Bar", "Change", "Column", "Job", "LogLine", "Page", "PausedScope", "Request", "WaitReason", "Worker"}
"""Names of the wire, which users read, that something further in has, too. None comes to them."""


def test_the_read_side_writes_nothing() -> None:
    writers = {
        relative(path)
        for path in python_files("src/jobdeck/store/views")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and WRITES & {alias.name for alias in node.names}
    }
    assert not writers, "store/views are queries; what writes lies in the folder of its noun"


def test_a_name_means_one_thing() -> None:
    places = defaultdict(list)
    for path in python_files("src/jobdeck"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(path.relative_to(PACKAGE).parts)
    found = {name for name, at in places.items() if len(at) > 1 and NAMED_ONCE & {parts[0] for parts in at}}
    assert found == TWICE
