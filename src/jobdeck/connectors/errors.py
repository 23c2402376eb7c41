"""What goes wrong with data, one class a cause. All end the task; most of them no second try can help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from jobdeck.core.errors import Conflict, NotFound, TaskFailure


class DataFailure(TaskFailure, code="data_error", retryable=False):
    """Something is wrong with the data or with how it was asked for; the same try again would fail again."""

    of_files: ClassVar[bool] = False
    """Whether mending the files that are read would help."""

    def __init_subclass__(cls, *, of_files: bool | None = None, **said: Any) -> None:
        super().__init_subclass__(**said)
        if of_files is not None:
            cls.of_files = of_files


class UnknownConnection(DataFailure, code="unknown_connection"):
    """The project has no connection of this name, or no installed connector knows its kind."""


class BrokenConnector(DataFailure, code="broken_connector"):
    """A connector from another package is installed and cannot be loaded."""


class FileMissing(DataFailure, code="file_not_found"):
    """There is no such file, or nothing matches the pattern."""


class PathNotAllowed(DataFailure, code="path_not_allowed"):
    """A path of the server that jobs may not read; said without telling whether it exists."""


class FormatUnknown(DataFailure, code="format_unknown", of_files=True):
    """The file is not of a format that can be read, or not of the one it claims."""


class FileDamaged(DataFailure, code="file_damaged", of_files=True):
    """The file cannot be read to its end: truncated, corrupt, or not what its first bytes promise."""


class BadEncoding(DataFailure, code="bad_encoding", of_files=True):
    """Bytes that are no text in the expected encoding."""


class TooBigToRead(DataFailure, code="file_too_large", of_files=True):
    """One row, or what a compressed file unpacks to, is beyond its bound."""


class BadHeader(DataFailure, code="bad_header", of_files=True):
    """Column names that cannot be columns: twice the same, or none at all."""


class TooManyColumns(DataFailure, code="too_many_columns", of_files=True):
    """A file with more columns than a table may have, such as JSON whose names are data."""


class PartitionConflict(DataFailure, code="partition_conflict", of_files=True):
    """A folder named `column=value` says something else than the column of the same name in a file below it."""


class FolderIsTable(DataFailure, code="folder_is_table"):
    """The folder is a table of another system: its files are not its rows."""


class BadRow(DataFailure, code="bad_row", of_files=True):
    """A row that does not fit: file, row, column, value and the wanted type are in the text and in `facts`."""

    others: Sequence[str] = ()
    """A sentence for each further row that does not fit, as far as it was looked for them."""


class AllRejected(DataFailure, code="all_rejected", of_files=True):
    """Every row was rejected, so that there is nothing to load."""


class SchemaMismatch(DataFailure, code="schema_mismatch", of_files=True):
    """Columns of the files and of the target do not fit together without losing something."""


class NoSuchColumn(SchemaMismatch, of_files=False):
    """A column was asked for that no file has; the files are as they are, and the job's `columns` are not."""


class UnsupportedType(DataFailure, code="unsupported_type"):
    """A column type that the target cannot hold."""


class SourceChanged(DataFailure, code="source_changed"):
    """What is read has changed since the job looked at it."""


class TargetChanged(DataFailure, code="target_changed"):
    """The target table was changed, made or dropped by someone else since the job looked at it."""


class CountMismatch(DataFailure, code="count_mismatch"):
    """The rows about to be published are not the rows that were loaded."""


class AttemptBuried(DataFailure, code="attempt_undone"):
    """The attempt was undone; nothing of it may become visible any more."""


class AlreadyPublished(DataFailure, code="already_published"):
    """What the attempt published cannot be taken back, because later versions build upon it."""


class TableNotWritable(DataFailure, code="table_not_writable"):
    """The table uses a feature of its format that imports do not keep to, so that a write would damage it."""


class TableNotReadable(DataFailure, code="table_not_readable"):
    """The table uses a feature of its format without which its files are not its rows."""


class AttemptReused(DataFailure, code="attempt_reused"):
    """Another job with this number and attempt has written to the table before."""


class TableMissing(NotFound, code="table_not_found"):
    """There is no such table in the lake."""


class ColumnMissing(NotFound, code="column_not_found"):
    """The table has no such column."""


class VersionMissing(NotFound, code="version_not_found"):
    """The table has no such version (any more)."""


class TableExists(Conflict, code="table_exists"):
    """There is a table of this name already."""
