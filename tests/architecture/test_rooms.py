"""What a room is for is what its modules do, and a name means one thing."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.architecture.tree import parsed, python_files, relative

WRITES = {"delete", "insert", "update"}
TWICE = {"Forbidden", "Job", "NotFound", "Params"}
"""Names that two classes have. A job is a value in the core and a model of the wire. The errors of the client are named
after those of the core, which they stand for. `Params` is what job types call their parameters. None comes to them."""


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
                places[node.name].append(relative(path))
    found = {name: at for name, at in places.items() if len(at) > 1}
    assert set(found) == TWICE, found
