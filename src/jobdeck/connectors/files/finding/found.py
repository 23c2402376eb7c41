"""A file that was found, all that an entry means, and what was left out by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, Field

from jobdeck.connectors.errors import FileMissing, SourceChanged
from jobdeck.connectors.files.finding.folders import hidden, hidden_part

MAX_FILES = 100_000


class Located(BaseModel):
    """A file that was found. `name` is what people see, in messages and lists: a path, an address, or the name that a
    project file was uploaded under with what jobs call it, as in `orders.csv (file:22)`. `fingerprint` changes with the
    content."""

    name: str
    uploaded_as: str | None = None
    """Of a project file: the name alone."""
    ref: str = ""
    """What jobs call it and lineage records; see `object`."""
    kind: Literal["local", "stored"]
    path: str
    """The resolved path (`local`), or the key below `folder` (`stored`)."""
    folder: str = ""
    connection: str = ""
    size: int
    fingerprint: str
    version: int = 1
    """Of a project file: how often it was replaced, and one."""
    partition: dict[str, str | None] = Field(default_factory=dict)
    """Columns that the names of its folders give, below what was asked for."""

    @property
    def filename(self) -> str:
        return self.path.rsplit("/", 1)[-1]

    @property
    def object(self) -> str:
        """The stable reference for programs."""
        return self.ref or self.name


class Found(BaseModel):
    """The files that an entry means, at least one, sorted, and the hidden files and folders that were left out."""

    files: list[Located]
    left_out: list[str] = Field(default_factory=list)


def left_out(names: list[str]) -> str:
    """What people are told of hidden files and folders."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Left out, because their names begin with '.' or '_': {', '.join(names[:3])}{more}."


GONE = "Look at its name; if it was there when the job was submitted, put it back and resume the job."
"""What to do about a file that is missing."""


def some(found: list[Located], left_out: list[str], missing: str) -> Found:
    if not found:
        hint = f"Hidden files and folders are left out, such as {left_out[0]}." if left_out else GONE
        raise FileMissing(missing, hint=hint)
    return Found(files=found, left_out=left_out)


def leave_out(relative: str, entry: str, left_out: list[str], base: str) -> bool:
    """Whether the file is hidden and the entry does not name it so; notes what was left out, once."""
    part = hidden_part(relative)
    if part is None or (part == relative and hidden(entry.rpartition("/")[2])):
        return False
    if f"{base}/{part}" not in left_out:
        left_out.append(f"{base}/{part}")
    return True


def folders_on_the_way(base: str, relative: str) -> Iterator[str]:
    """`base` and the folders below it on the way to the file `relative`."""
    yield base
    parts = relative.split("/")[:-1]
    for count in range(1, len(parts) + 1):
        yield "/".join([*([base] if base else []), *parts[:count]])


def fixed_part(pattern: str) -> str:
    """What stands before the first mark of a pattern."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


LOOK_AGAIN = "Resume the job: it takes the file as it is now, and loads again only what it had loaded of it."


def check_same(file: Located, fingerprint: str | None) -> None:
    """Raises SourceChanged unless the file is the one that was located."""
    if fingerprint is None:
        hint = "Upload it again, and run the job again with it." if file.ref else "Put it back, then resume the job."
        raise SourceChanged(f"{file.name} is not there any more, and was when the job looked at it.", hint=hint)
    if fingerprint != file.fingerprint:
        raise SourceChanged(f"{file.name} has changed since the job looked at it.", hint=LOOK_AGAIN)
