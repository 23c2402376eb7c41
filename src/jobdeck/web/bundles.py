"""Serves the bundled scripts and styles, whose names carry the hash of their content."""

from __future__ import annotations

from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_ALWAYS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    # The worker that holds the live stream takes its policy from its own file.
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'",
    "Vary": "Accept-Encoding",
}


class Bundles(StaticFiles):
    """Starlette's, with what it does not know: each file was compressed when it was built, and never changes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(directory=folder, check_dir=False)
        self.config_checked = True  # where nothing was built, the pages say so; here there are only no files

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file that has a compressed one beside it; what else lies in the folder is for nobody."""
        response = await super().get_response(f"{path}.gz", scope)
        if "gzip" in Headers(scope=scope).get("accept-encoding", ""):
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = await super().get_response(path, scope)
        response.headers.update(_ALWAYS)
        return response
