"""Where things are in the installation's storage, as prefixes below its root that end at a segment's end."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

MAX_SEGMENT = 200
"""Bytes that the last segment of a path has at most; file systems allow 255."""

_ENDINGS = re.compile(r"(\.[A-Za-z0-9]{1,10}){1,2}$")


def segment(name: str) -> str:
    """`name` as one segment of a path: percent-encoded, and shortened to what file systems take.

    Its endings are kept, because formats are told by them."""
    encoded = quote(name, safe="")
    if not encoded.strip("."):
        return encoded.replace(".", "%2E") or "%00"
    if len(encoded) <= MAX_SEGMENT:
        return encoded
    endings = _ENDINGS.search(name)
    ending = quote(endings[0], safe="") if endings else ""
    kept = ""
    for character in name:
        kept, shorter = kept + quote(character, safe=""), kept
        if len(kept) + len(ending) > MAX_SEGMENT:
            return shorter + ending
    return kept


def project_prefix(project: str) -> str:
    """All that a project has."""
    return f"projects/{segment(project)}"


def file_path(project: str, file_id: int, name: str, version: int = 1) -> str:
    """Where the content of a project file is: `projects/<project>/files/<id>/<name>`; later versions have a folder."""
    where = file_prefix(project, file_id) if version == 1 else version_prefix(project, file_id, version)
    return f"{where}/{segment(name)}"


def version_prefix(project: str, file_id: int, version: int) -> str:
    """The folder of a later version of a project file; no encoded name has such a `=`."""
    return f"{file_prefix(project, file_id)}/={version}"


def version_of(key: str) -> int:
    """Which version of a project file the object is, by its key below the file's folder."""
    folder = key.rpartition("/")[0]
    return int(folder[1:]) if re.fullmatch(r"=[0-9]{1,9}", folder) else 1


def file_prefix(project: str, file_id: int) -> str:
    """The folder of a project file; it holds one object, and a folder for each later version."""
    return f"{project_prefix(project)}/files/{file_id}"


def log_prefix(job: int, attempt: int | None = None) -> str:
    """The folder of a job's logs, or of one attempt's."""
    return f"logs/{job}" if attempt is None else f"logs/{job}/{attempt:04d}"


def attempt_prefix(project: str, what: str, job: int, attempt: int) -> str:
    """The folder of an attempt's `plans` or `rejects`."""
    return f"{project_prefix(project)}/{what}/{job}-{attempt}"


ESCAPE = "="
_UNSAFE = re.compile(rb"[^A-Za-z0-9_.\-]")


def escape(name: str) -> str:
    """A name of the lake as a folder: letters, digits, `_.-` stay, other bytes become `=XX`.

    Not percent signs: Delta readers decode those, some of them twice, and then look for another folder."""
    return _UNSAFE.sub(lambda m: b"%s%02X" % (ESCAPE.encode(), m[0][0]), name.encode()).decode()


def unescape(name: str) -> str:
    """The name that `escape` was given."""
    return unquote(name.replace(ESCAPE, "%"))


def table_prefix(project: str, bucket: str, table: str) -> str:
    """The folder of a table of the lake."""
    return f"{project_prefix(project)}/lake/{escape(bucket)}/{escape(table)}"


def staged_prefix(project: str, bucket: str, table: str, job: int, attempt: int) -> str:
    """What an attempt has beside a table, published or not."""
    return f"{table_prefix(project, bucket, table)}/jobs/{job}-{attempt}"
