"""What the names of folders say: what is left out, which columns they give, and whether they are tables of others."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from jobdeck.connectors.errors import FolderIsTable, SchemaMismatch

NULL_FOLDER = "__HIVE_DEFAULT_PARTITION__"


def hidden(name: str) -> bool:
    """Names that begin with a dot or an underline are no data, such as `_SUCCESS`; `_day=1` is."""
    return name[:1] in (".", "_") and not ("=" in name[1:] and name[0] == "_")


def hidden_part(relative: str) -> str | None:
    """The first hidden folder or file on the way `relative`, itself a path from where was looked."""
    parts = relative.split("/")
    place = next((index for index, part in enumerate(parts) if part and hidden(part)), None)
    return None if place is None else "/".join(parts[: place + 1])


def partition_of(relative: str) -> dict[str, str | None]:
    """The columns that the folders of the path `relative` give: `day=2024-01-01/part.csv` has the column `day`.

    Raises SchemaMismatch where two folders give the same."""
    found: dict[str, str | None] = {}
    for part in relative.split("/")[:-1]:
        name, equals, value = part.partition("=")
        if not equals or not name:
            continue
        column = unquote(name)
        if column in found:
            raise SchemaMismatch(
                f"The folders of {relative} give '{column}' twice.", hint="Rename one, or import the folders apart."
            )
        found[column] = None if value in (NULL_FOLDER, "") else unquote(value)
    return found


def table_kind(names: Iterable[str], metadata: Iterable[str] = ()) -> str | None:
    """What table a folder is, by the names in it, and in its folder `metadata`."""
    inside = set(names)
    if "_delta_log" in inside:
        return "a Delta table (it has _delta_log)"
    if ".hoodie" in inside:
        return "a Hudi table (it has .hoodie)"
    if any(name == "version-hint.text" or name.endswith(".metadata.json") for name in metadata):
        return "an Iceberg table (it has metadata)"
    return None


def refuse_table(folder: str, kind: str) -> None:
    """Raises FolderIsTable: also files that the table has deleted or replaced lie in its folder."""
    raise FolderIsTable(
        f"{folder} is {kind}; its files are not its rows.",
        hint="Export the table to Parquet or CSV and import that, or name single files of it.",
    )
