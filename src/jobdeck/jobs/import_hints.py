"""How a person goes on after a file that cannot be loaded: mend it where it is, and resume the job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files.finding.found import Located

_PARAMETER = re.compile(r"(?<![`\w.])(csv\.[a-z_]+|on_bad_row)(?:=(\w+))?")
MOST = 2
"""Files that are named, at most."""


@contextmanager
def ways_on(files: Sequence[Located], job: int) -> Iterator[None]:
    """Errors about `files` say how each is mended and the job goes on. The sequence may be filled within the block."""
    try:
        yield
    except DataFailure as error:
        if error.of_files:
            meant = [file for file in files if file.name in error.message]
            told = (_way(meant or list(files), job), error.hint, _anew(error.hint or "", job))
            error.hint = " ".join(text for text in told if text)
        raise


def _anew(hint: str, job: int) -> str:
    """How the job is run with the parameter that the hint names."""
    named = _PARAMETER.search(hint)
    return f"With another parameter: `jobdeck job run-again {job} -p {named[1]}={named[2] or '…'}`." if named else ""


def _way(files: Sequence[Located], job: int) -> str:
    named = list({file.name: file for file in files}.values())
    resume = f"then resume the job (`jobdeck job resume {job}`): only what changed is loaded anew."
    if not named:
        return f"Mend the files, {resume}"
    if len(named) > MOST:
        return f"Mend the files, and put uploaded ones in their places (`jobdeck files replace ID FILE`), {resume}"
    return f"{' and '.join(_mending(file) for file in named)}, {resume}"


def _mending(file: Located) -> str:
    if not file.ref:
        return f"Mend {file.name}"
    return f"Mend {file.name} and put it in its place (`jobdeck files replace {file.ref.removeprefix('file:')} FILE`)"
