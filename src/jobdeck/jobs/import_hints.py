"""How a person goes on after a file that cannot be loaded: mend it where it is, and resume the job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobdeck.connectors.errors import BadRow, DataFailure
from jobdeck.connectors.files.finding.found import Located
from jobdeck.core.environment import DEFAULT_PROJECT
from jobdeck.core.tasks import Run

_PARAMETER = re.compile(r"(?<![`\w.])(csv\.[a-z_]+|on_bad_row)(?:=(\w+))?")
MOST = 2
"""Files that are named, at most."""


@contextmanager
def ways_on(files: Sequence[Located], run: Run) -> Iterator[None]:
    """Errors about `files` say how each is mended and the job goes on; further rows that do not fit go into the log.

    The sequence may be filled within the block."""
    try:
        yield
    except DataFailure as error:
        if error.of_files:
            meant = [file for file in files if file.name in error.message]
            way = _way(meant or list(files), run.job, run.environment.project)
            told = (way, error.hint, _anew(error.hint or "", run.job))
            error.hint = " ".join(text for text in told if text)
        if isinstance(error, BadRow):
            for row in error.others:
                run.log(f"bad_row: {row}", "error")
        raise


def _anew(hint: str, job: int) -> str:
    """How the job is run with the parameter that the hint names."""
    named = _PARAMETER.search(hint)
    return f"With another parameter: `jobdeck job run-again {job} -p {named[1]}={named[2] or '…'}`." if named else ""


def _way(files: Sequence[Located], job: int, project: str) -> str:
    named = list({file.name: file for file in files}.values())
    resume = f"then resume the job (`jobdeck job resume {job}`): only what changed is loaded anew."
    if not named:
        return f"Mend the files, {resume}"
    if len(named) > MOST:
        return f"Mend the files, and put uploaded ones in their places ({_replace('ID', project)}), {resume}"
    return f"{' and '.join(_mending(file, project) for file in named)}, {resume}"


def _mending(file: Located, project: str) -> str:
    if not file.ref:
        return f"Mend {file.name}"
    return f"Mend {file.name} and put it in its place ({_replace(file.ref.removeprefix('file:'), project)})"


def _replace(file: str, project: str) -> str:
    """The command, as it works in a terminal that knows of no project: a file's number does not tell its project."""
    where = "" if project == DEFAULT_PROJECT else f" --project {project}"
    return f"`jobdeck files replace {file} FILE{where}`"
