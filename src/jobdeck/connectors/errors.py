"""What goes wrong with data, one class a cause. All end the task; most of them no second try can help."""

from __future__ import annotations

from typing import ClassVar

from jobdeck.core.errors import Conflict, NotFound, TaskFailure


class DataFailure(TaskFailure):
    """Something is wrong with the data or with how it was asked for; the same try again would fail again."""

    code = "data_error"
    kind = "invalid"
    retryable: ClassVar[bool] = False
    of_files: ClassVar[bool] = False
    """Whether mending the files that are read would help."""


class UnknownConnection(DataFailure):
    """The project has no connection of this name, or no installed connector knows its kind."""

    code = "unknown_connection"


class BrokenConnector(DataFailure):
    """A connector from another package is installed and cannot be loaded."""

    code = "broken_connector"


class FileMissing(DataFailure):
    """There is no such file, or nothing matches the pattern."""

    code = "file_not_found"


class PathNotAllowed(DataFailure):
    """A path of the server that jobs may not read; said without telling whether it exists."""

    code = "path_not_allowed"


class FormatUnknown(DataFailure):
    """The file is not of a format that can be read, or not of the one it claims."""

    code = "format_unknown"
    of_files = True


class FileDamaged(DataFailure):
    """The file cannot be read to its end: truncated, corrupt, or not what its first bytes promise."""

    code = "file_damaged"
    of_files = True


class BadEncoding(DataFailure):
    """Bytes that are no text in the expected encoding."""

    code = "bad_encoding"
    of_files = True


class TooBigToRead(DataFailure):
    """One row, or what a compressed file unpacks to, is beyond its bound."""

    code = "file_too_large"
    of_files = True


class BadHeader(DataFailure):
    """Column names that cannot be columns: twice the same, or none at all."""

    code = "bad_header"
    of_files = True


class TooManyColumns(DataFailure):
    """A file with more columns than a table may have, such as JSON whose names are data."""

    code = "too_many_columns"
    of_files = True


class PartitionConflict(DataFailure):
    """A folder named `column=value` says something else than the column of the same name in a file below it."""

    code = "partition_conflict"
    of_files = True


class FolderIsTable(DataFailure):
    """The folder is a table of another system: its files are not its rows."""

    code = "folder_is_table"


class BadRow(DataFailure):
    """A row that does not fit: file, row, column, value and the wanted type are in the text and in `facts`."""

    code = "bad_row"
    of_files = True


class AllRejected(DataFailure):
    """Every row was rejected, so that there is nothing to load."""

    code = "all_rejected"
    of_files = True


class SchemaMismatch(DataFailure):
    """Columns of the files and of the target do not fit together without losing something."""

    code = "schema_mismatch"
    of_files = True


class NoSuchColumn(SchemaMismatch):
    """A column was asked for that no file has; the files are as they are, and the job's `columns` are not."""

    of_files = False


class UnsupportedType(DataFailure):
    """A column type that the target cannot hold."""

    code = "unsupported_type"


class SourceChanged(DataFailure):
    """What is read has changed since the job looked at it."""

    code = "source_changed"


class TargetChanged(DataFailure):
    """The target table was changed, made or dropped by someone else since the job looked at it."""

    code = "target_changed"


class CountMismatch(DataFailure):
    """The rows about to be published are not the rows that were loaded."""

    code = "count_mismatch"


class AttemptBuried(DataFailure):
    """The attempt was undone; nothing of it may become visible any more."""

    code = "attempt_undone"


class AlreadyPublished(DataFailure):
    """What the attempt published cannot be taken back, because later versions build upon it."""

    code = "already_published"


class TableNotWritable(DataFailure):
    """The table uses a feature of its format that imports do not keep to, so that a write would damage it."""

    code = "table_not_writable"


class TableNotReadable(DataFailure):
    """The table uses a feature of its format without which its files are not its rows."""

    code = "table_not_readable"


class AttemptReused(DataFailure):
    """Another job with this number and attempt has written to the table before."""

    code = "attempt_reused"


class TableMissing(NotFound):
    """There is no such table in the lake."""

    code = "table_not_found"


class ColumnMissing(NotFound):
    """The table has no such column."""

    code = "column_not_found"


class VersionMissing(NotFound):
    """The table has no such version (any more)."""

    code = "version_not_found"


class TableExists(Conflict):
    """There is a table of this name already."""

    code = "table_exists"
