"""Jinja as the pages use it: everything escaped, nothing undefined passes, all macros under one name (`ui`)."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobdeck.core import amounts
from jobdeck.web.static_files import StaticFiles

TEMPLATES = Path(__file__).parent / "templates"
MACROS = "macros"


class Templates:
    """Renders whole pages, or one block of them as a fragment."""

    def __init__(self, files: StaticFiles, version: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self._environment.filters |= _FILTERS
        self._environment.globals |= {"asset": files.url, "asset_imports": files.imports, "product_version": version}
        self._environment.globals["files"] = files
        self._environment.globals["ui"] = self._macros()

    def render(self, name: str, context: dict[str, Any], block: str | None = None) -> str:
        """The template, or its block called `block` alone."""
        template = self._environment.get_template(name)
        if block is None:
            return template.render(context)
        return "".join(template.blocks[block](template.new_context(context)))

    def _macros(self) -> SimpleNamespace:
        """Every macro of every file in `macros/`, by name. Macros of one file may use those of files before it."""
        found = SimpleNamespace()
        self._environment.globals["ui"] = found
        for path in sorted((TEMPLATES / MACROS).glob("*.html")):
            module = self._environment.get_template(f"{MACROS}/{path.name}").module
            for name, macro in vars(module).items():
                if not name.startswith("_"):
                    setattr(found, name, macro)
        return found


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _utc(at: datetime) -> str:
    """What is shown where scripts do not run."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_FILTERS = {
    "bytes": amounts.size,
    "duration": amounts.duration,
    "iso": _iso,
    "number": amounts.number,
    "percent": amounts.percent,
    "utc": _utc,
}
