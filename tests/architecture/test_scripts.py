"""The scripts of the pages import in one direction, too: no circle among them, and what is shared knows no page."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGE, kept_files, relative

WEB = PACKAGE / "web"
IMPORT = re.compile(r"""^(?:import|export)\b[^"';]*?["'](\.[^"']+)["']""", re.MULTILINE)


def imports(files: dict[Path, str]) -> dict[Path, set[Path]]:
    """What each script imports of ours, types included."""
    return {path: {(path.parent / name).resolve() for name in IMPORT.findall(text)} for path, text in files.items()}


def scripts() -> dict[Path, str]:
    return {path: path.read_text() for path in kept_files() if path.suffix == ".ts" and path.is_relative_to(WEB)}


def order(graph: dict[Path, set[Path]]) -> list[Path]:
    """Those that are imported before those that import them; raises CycleError."""
    return list(TopologicalSorter(graph).static_order())


def test_no_script_imports_itself_by_way_of_others() -> None:
    graph = imports(scripts())
    assert len(graph) > 40
    assert all(graph[WEB / "pages" / page / "page.ts"] for page in ("jobs", "job", "run")), "no import was found"
    try:
        order(graph)
    except CycleError as circle:
        pytest.fail(" <- ".join(relative(path) for path in circle.args[1]))


def test_what_all_pages_share_imports_no_page() -> None:
    graph = imports(scripts())
    shared = {path: found for path, found in graph.items() if path.is_relative_to(WEB / "assets")}
    assert not [relative(p) for p, found in shared.items() if any(f.is_relative_to(WEB / "pages") for f in found)]


def test_a_circle_is_seen(tmp_path: Path) -> None:
    names = {
        "a": 'import { type B } from "./b.ts";\n',
        "b": 'export type { C } from "./c.ts";',
        "c": 'import "./a.ts";',
    }
    files = {tmp_path.resolve() / f"{name}.ts": text for name, text in names.items()}
    with pytest.raises(CycleError):
        order(imports(files))
