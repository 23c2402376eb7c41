"""Jinja as the pages use it: everything escaped, nothing undefined passes, all macros under one name (`ui`)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from jobdeck.core import amounts
from jobdeck.web.operation_words import WORDS
from jobdeck.web.static_files import StaticFiles

TEMPLATES = Path(__file__).parent / "templates"
PAGES = Path(__file__).parent / "pages"
MACROS = "macros"


class Templates:
    """Renders whole pages, or one block of them as a fragment."""

    def __init__(self, files: StaticFiles, version: str) -> None:
        self._files = files
        self.environment = Environment(
            loader=FileSystemLoader([PAGES, TEMPLATES]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.do"],
        )
        self.macros = Macros(self.environment)
        self.environment.filters |= _FILTERS
        self.environment.globals |= {
            "asset": files.url,
            "asset_imports": files.imports,
            "asset_text": files.text,
            "product_version": version,
            "ui": self.macros,
        }

    def render(self, name: str, context: dict[str, Any], block: str | None = None) -> str:
        """The template, or its block called `block` alone."""
        self.macros.renew()
        template = self.environment.get_template(name)
        if block is None:
            return template.render({**self._own_assets(name), **context})
        return "".join(template.blocks[block](template.new_context(context)))

    def _own_assets(self, name: str) -> dict[str, str]:
        """The script and the style that lie beside the template's page, by what the template calls them."""
        page = name.partition("/")[0]
        wanted = {"page_script": f"{page}.js", "page_style": f"{page}.css"}
        return {key: file for key, file in wanted.items() if self._files.has(file)}

    def prepare(self, names: Iterable[str]) -> None:
        """Compile these templates, what all pages are framed with, and all macros, so that nobody waits for it."""
        self.macros.renew()
        for name in (*names, *sorted(path.name for path in TEMPLATES.glob("*.html"))):
            self.environment.get_template(name)
        self.macros.prepare()


class Macros:
    """Every macro of every file in `macros/`, and of each page's `macros.html`, by name: `ui.button(…)` works in all
    templates without an import."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._stamps: dict[Path, float] = {}

    def renew(self) -> None:
        """Forget all where a file has changed, so that a server need not restart for it."""
        stamps = {path: path.stat().st_mtime for path in macro_files()}
        if stamps != self._stamps:
            self.__dict__ = {"_environment": self._environment, "_stamps": stamps}

    def prepare(self) -> None:
        """Compile all of them."""
        for path in self._stamps:
            _ = self._module(path)

    def __getattr__(self, name: str) -> Any:
        """Looked for in one file after the other, and then remembered."""
        if not name.startswith("_"):
            for path in self._stamps:
                macro = getattr(self._module(path), name, None)
                if macro is not None:
                    self.__dict__[name] = macro
                    return macro
        raise AttributeError(name)

    def _module(self, path: Path) -> Any:
        folder = path.parent.parent  # the one that names of templates begin in
        return self._environment.get_template(path.relative_to(folder).as_posix()).module


def macro_files() -> list[Path]:
    """The files with macros: first those of all pages, then those that a page brings along."""
    return [*sorted((TEMPLATES / MACROS).glob("*.html")), *sorted(PAGES.glob(f"*/{MACROS}.html"))]


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _utc(at: datetime) -> str:
    """What is shown where scripts do not run."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")


def _visible(text: object) -> str:
    """Text of people or files, in which characters that turn the direction of writing are shown instead of obeyed:
    what a line says is what it holds, and what stands behind it is not turned, too."""
    return _TURNING.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", str(text))


_CODE = re.compile("`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class _Coded:
    """A hint, in which what stands between backticks is to be typed."""

    text: str

    def __html__(self) -> str:
        """By which Jinja knows it as escaped already."""
        return _CODE.sub(r"<code>\1</code>", html.escape(self.text))


_FILTERS = {
    "bytes": amounts.size,
    "codes": lambda text: _Coded(str(text)),
    "duration": amounts.duration,
    "iso": _iso,
    "number": amounts.number,
    "percent": amounts.percent,
    "units": amounts.units,
    "utc": _utc,
    "verb": lambda operation: WORDS[operation].verb,
    "visible": _visible,
}
