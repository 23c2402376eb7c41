"""Where a lake table lives: `<project root>/lake/<bucket>/<table>`, escaped so that every name survives."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from jobdeck.core.refs import ObjectRef
from jobdeck.storage.folders import Folder
from jobdeck.storage.places import escape

MAX_SEGMENT = 200
"""Bytes of an escaped name; file systems take 255."""

DROPPED = "~dropped-"
"""Prefix of folders of tables on their way out; escaped names never begin with it."""


class LakeConfig(BaseModel):
    """The lake needs no options: it is in the project's part of the installation's storage."""

    model_config = ConfigDict(extra="forbid")


class NotALakeTable(InvalidInput, code="not_a_lake_table"):
    """The reference does not name a table of the lake."""


def table_name(path: tuple[str, ...]) -> tuple[str, str]:
    """Bucket and table of a reference's path; raises NotALakeTable."""
    if len(path) != 2:
        text = "/".join(("lake", *path))
        raise NotALakeTable(f"'{text}' does not name a table of the lake.", hint="Write lake/<bucket>/<table>.")
    for segment in path:
        if len(escape(segment)) > MAX_SEGMENT:
            raise NotALakeTable(
                f"The name '{segment[:40]}…' is too long.",
                hint=f"At most {MAX_SEGMENT} bytes; letters outside a-z count more.",
            )
    return path[0], path[1]


def lake_folder(environment: Environment) -> Folder:
    """The folder of all buckets of the project."""
    return Folder.of_project(environment).sub("lake")


def table_folder(environment: Environment, path: tuple[str, ...]) -> Folder:
    """The table's folder, whether there is a table or not; raises NotALakeTable."""
    bucket, table = table_name(path)
    return lake_folder(environment).sub(escape(bucket), escape(table))


def table_ref(bucket: str, table: str) -> ObjectRef:
    """The reference of a table of the lake."""
    return ObjectRef("lake", (bucket, table))
