"""The wayward type of the engine's tests, with a step and a look that can go astray, too, for real servers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from jobdeck.core.jobtype import step
from jobdeck.core.preview import Preview
from jobdeck.jobs.registry import GROUP
from tests.engine.wayward import Wayward as Hooks

ROOT = Path(__file__).parents[2]


def published(folder: Path) -> str:
    """Make `folder` a place where Python finds a package with this type; the path to give to processes."""
    package = folder / "wayward-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: wayward\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{GROUP}]\nwayward = {__name__}:Wayward\n")
    return f"{folder}{os.pathsep}{ROOT}"


class Wayward(Hooks):
    """Misbehaves in one of its hooks, in its step, or when it is looked at."""

    name = "wayward"

    @step(each=lambda params: params.reach("each") or [1, 2])
    def work(self, run: Any, part: int) -> int:
        if part == 1:
            self.params.reach("work")
        return part

    def preview(self, run: Any) -> Preview:
        self.params.reach("preview")
        return Preview(text="Nothing.")
