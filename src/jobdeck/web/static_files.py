"""The bundled scripts and styles by their plain names, as the manifest of the build tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from jobdeck.api.http.authentication import STATIC
from jobdeck.core.errors import Unavailable

FOLDER = Path(__file__).parent / "static"
MANIFEST = "manifest.json"


class AssetsNotBuilt(Unavailable, code="assets_not_built"):
    """The scripts and styles of the pages were not built in this installation."""


@dataclass(slots=True)
class StaticFiles:
    """Reads the manifest again when it has changed, so that a server need not restart for a new style sheet."""

    folder: Path = FOLDER
    _read: float = 0.0
    _manifest: dict[str, Any] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Changes whenever a file does."""
        return str(self._current()["version"])

    def url(self, name: str) -> str:
        """Where `app.js` or `base.css` is now."""
        return f"{STATIC}{self._current()['entries'][name]}"

    def text(self, name: str) -> Markup:
        """The content of a script that is so short that a request for it would take longer: it stands in the page."""
        file = self._current()["entries"][name]
        if file not in self._texts:
            self._texts[file] = (self.folder / file).read_text().strip()
        return Markup(self._texts[file])  # noqa: S704 - a file of ours

    def has(self, name: str) -> bool:
        return name in self._current()["entries"]

    def imports(self, name: str) -> list[str]:
        """What a script needs at once, so that the browser can fetch it all together."""
        return [f"{STATIC}{imported}" for imported in self._current()["imports"].get(name, ())]

    def _current(self) -> dict[str, Any]:
        try:
            changed = (self.folder / MANIFEST).stat().st_mtime
            if changed != self._read:
                self._manifest = json.loads((self.folder / MANIFEST).read_text())
                self._read = changed
        except OSError as error:
            if not self._manifest:
                hint = "Run `make assets` (or `python hatch_build.py`) in the source tree."
                raise AssetsNotBuilt("The scripts and styles of the pages were not built.", hint=hint) from error
        return self._manifest
