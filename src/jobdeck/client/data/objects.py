"""Tables and collections of a project."""

from __future__ import annotations

import builtins
import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypedDict, Unpack
from urllib.parse import quote

from jobdeck.client.errors import PandasMissing, UnexpectedAnswer
from jobdeck.client.http.pieces import Pieces
from jobdeck.client.http.resource import Resource, of_project
from jobdeck.core.errors import InvalidInput
from jobdeck.wire.base import Page
from jobdeck.wire.objects import ObjectVersion, Rows, TableObject

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import pyarrow as pa

CHUNK = 1024 * 1024
REFERENCE = "Write <connection>/<path>, for example lake/in.shop/orders."


class WantedRows(TypedDict, total=False):
    """Which rows are meant; None means not said."""

    columns: Sequence[str] | None
    """Only these."""
    project: str | None
    version: str | int | None
    """Of the table, or of what it is in: the newest, unless one is named."""


class ObjectsResource(Resource):
    """`client.objects`. A reference is `<connection>/<path>`, for example `lake/in.shop/orders`."""

    def list(self, *, project: str | None = None) -> builtins.list[TableObject]:
        return self._all(Page[TableObject], f"{of_project(project)}/objects")

    def describe(self, ref: str, *, project: str | None = None) -> TableObject:
        """Its columns, rows, bytes and versions."""
        return self._transport.get(TableObject, _path(project, ref))

    def versions(self, ref: str, *, project: str | None = None) -> builtins.list[ObjectVersion]:
        """Newest first."""
        return self.describe(ref, project=project).versions

    def rows(
        self,
        ref: str,
        *,
        project: str | None = None,
        limit: int = 100,
        version: str | None = None,
        cursor: str | None = None,
    ) -> Rows:
        """Some rows, for a look; as of `version` where one is given. With `cursor`, those behind a page's `next`."""
        asked = {"limit": limit, "version": version, "cursor": cursor}
        return self._transport.get(Rows, f"{_path(project, ref)}/rows", asked)

    def batches(self, ref: str, **of: Unpack[WantedRows]) -> Iterator[pa.RecordBatch]:
        """All rows as Arrow record batches of bounded size, all of one version; of `columns`, if they are named."""
        with self._reader(ref, of) as reader:
            yield from reader

    def to_arrow(self, ref: str, **of: Unpack[WantedRows]) -> pa.Table:
        """All rows as a `pyarrow.Table`: they must fit into memory."""
        with self._reader(ref, of) as reader:
            return reader.read_all()

    def to_pandas(self, ref: str, **of: Unpack[WantedRows]) -> pandas.DataFrame:
        """All rows as a `pandas.DataFrame`. Raises PandasMissing where pandas is not installed."""
        try:
            importlib.import_module("pandas")  # Arrow needs it
        except ImportError as error:
            hint = "Install it: pip install pandas. Or use objects.to_arrow, which needs nothing."
            raise PandasMissing("pandas is not installed here.", hint=hint) from error
        return self.to_arrow(ref, **of).to_pandas()

    @contextmanager
    def _reader(self, ref: str, of: WantedRows) -> Iterator[pa.RecordBatchStreamReader]:
        """Raises UnexpectedAnswer where the stream is cut off."""
        import pyarrow as pa

        columns, project = of.get("columns"), of.get("project")
        if ref.count("/") < 2:  # with `/arrow` behind it, it may read as an object of that name
            self.describe(ref, project=project)

        asked = {"version": of.get("version"), "column": builtins.list(columns) if columns is not None else None}
        with self._transport.stream(f"{_path(project, ref)}/arrow", asked) as response:
            source = pa.PythonFile(Pieces(response.iter_bytes(CHUNK)), mode="r")
            try:
                with pa.ipc.open_stream(source) as reader:
                    yield reader
            except (pa.ArrowInvalid, OSError) as error:  # OSError: cut off within a batch
                raise UnexpectedAnswer(f"The rows of '{ref}' arrived damaged.", hint="Read them again.") from error


def _path(project: str | None, ref: str) -> str:
    connection, _, path = ref.partition("/")
    if not (connection and path):  # else the next word of the address would be taken for the path
        raise InvalidInput(f"'{ref}' is not an object reference.", field="ref", hint=REFERENCE)
    return f"{of_project(project)}/objects/{quote(ref, safe='/')}"
