"""What a room is for is what its modules do: the read side writes nothing."""

from __future__ import annotations

import ast

from tests.architecture.tree import parsed, python_files, relative

WRITES = {"delete", "insert", "update"}


def test_the_read_side_writes_nothing() -> None:
    writers = {
        relative(path)
        for path in python_files("src/jobdeck/store/views")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ImportFrom) and WRITES & {alias.name for alias in node.names}
    }
    assert not writers, "store/views are queries; what writes lies in the folder of its noun"
