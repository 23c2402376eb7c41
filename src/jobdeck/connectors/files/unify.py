"""One schema for all files of a read: names chosen, types that hold all of them, checked against the target's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.columns import common, lake_type, lossless, parse_type, type_name
from jobdeck.connectors.errors import SchemaMismatch, UnsupportedType
from jobdeck.connectors.files.config import FilesConfig, Wanted
from jobdeck.connectors.files.formats.json_values import settled, widened
from jobdeck.connectors.files.formats.types import widest
from jobdeck.connectors.files.plan import FileFacts, Mapping

_HINT = "Choose, rename or type columns with `columns`, or use mode=replace."


@dataclass(slots=True)
class ResultColumn:
    """A column of the result and where it comes from in each file; `declared` when its type was asked for."""

    name: str
    declared: pa.DataType | None = None
    sources: dict[int, str] = field(default_factory=dict)


def unified(
    files: Sequence[FileFacts], config: FilesConfig, target: pa.Schema | None
) -> tuple[pa.Schema, list[Mapping]]:
    """The result's schema, and each file's way to it. `target`: the schema that it must be. Raises SchemaMismatch."""
    columns = _chosen(files, config) if config.chosen() is not None else _all(files, config)
    _distinct(columns)
    schema = _to_target(columns, files, target) if target is not None else _new(columns, files)
    if not len(schema):
        raise SchemaMismatch("The files have no columns.", hint="Leave empty files out.")
    by_name = {column.name: column for column in columns if target is not None or not _only_nulls(column, files)}
    mappings = []
    for index in range(len(files)):
        sources = [by_name[name].sources.get(index) if name in by_name else None for name in schema.names]
        mappings.append(Mapping(sources=sources))
    return schema, mappings


def _chosen(files: Sequence[FileFacts], config: FilesConfig) -> list[ResultColumn]:
    columns = []
    for wish in config.chosen() or []:
        column = _result_column(wish)
        for index, file in enumerate(files):
            if wish.origin in file.held().names:
                column.sources[index] = wish.origin
        if not column.sources:
            raise SchemaMismatch(f"No file has a column '{wish.origin}'.", hint=f"There are {_names(files)}.")
        columns.append(column)
    return columns


def _all(files: Sequence[FileFacts], config: FilesConfig) -> list[ResultColumn]:
    wishes = {wish.origin: wish for wish in config.adjusted()}
    columns: dict[str, ResultColumn] = {}
    for index, file in enumerate(files):
        for origin in file.held().names:
            wish = wishes.get(origin) or Wanted(name=origin)
            columns.setdefault(origin, _result_column(wish)).sources[index] = origin
    for origin in wishes:
        if origin not in columns:
            raise SchemaMismatch(f"No file has a column '{origin}'.", hint=f"There are {_names(files)}.")
    return list(columns.values())


def _result_column(wish: Wanted) -> ResultColumn:
    return ResultColumn(wish.name, parse_type(wish.type) if wish.type is not None else None)


def _names(files: Sequence[FileFacts]) -> str:
    names = files[0].held().names
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _distinct(columns: list[ResultColumn]) -> None:
    seen: dict[str, str] = {}
    for column in columns:
        earlier = seen.setdefault(column.name.casefold(), column.name)
        if earlier != column.name or sum(c.name == column.name for c in columns) > 1:
            raise SchemaMismatch(
                f"The columns '{earlier}' and '{column.name}' would have the same name; case does not count.",
                hint="Rename one with `columns`.",
            )


def _new(columns: list[ResultColumn], files: Sequence[FileFacts]) -> pa.Schema:
    return pa.schema([(column.name, column.declared or _type(column, files)) for column in columns])


def _type(column: ResultColumn, files: Sequence[FileFacts]) -> pa.DataType:
    """Typed files decide together; text is read as what they say, or as what all texts can be."""
    hard: tuple[int, pa.DataType] | None = None
    soft: pa.DataType | None = None
    for index, origin in column.sources.items():
        kind = files[index].held().field(origin).type
        if files[index].is_text(origin):
            soft = _soft(soft, kind)
        elif not t.is_null(kind):
            hard = _hard(hard, index, _held(files[index], origin, kind), files, column)
    if hard is not None:
        return hard[1]
    return settled(soft) if soft is not None else pa.string()


def _only_nulls(column: ResultColumn, files: Sequence[FileFacts]) -> bool:
    """Then nothing is read for it: a column of NA words is a column of nulls, not one of texts."""
    kinds = (files[index].held().field(origin).type for index, origin in column.sources.items())
    return column.declared is None and all(t.is_null(kind) for kind in kinds)


def _soft(left: pa.DataType | None, right: pa.DataType) -> pa.DataType | None:
    if t.is_null(right):
        return left
    if left is not None and (t.is_nested(left) or t.is_nested(right)):
        return widened(left, right)
    return widest(left, right)


def _hard(
    left: tuple[int, pa.DataType] | None,
    index: int,
    kind: pa.DataType,
    files: Sequence[FileFacts],
    column: ResultColumn,
) -> tuple[int, pa.DataType]:
    if left is None:
        return index, kind
    both = common(left[1], kind)
    if both is None:
        raise SchemaMismatch(
            f"Column '{column.name}' is {type_name(left[1])} in {files[left[0]].located.name} "
            f"and {type_name(kind)} in {files[index].located.name}, and no type holds both.",
            hint="Give it a type with `columns`, or import the files apart.",
        )
    return left[0], both


def _held(file: FileFacts, origin: str, kind: pa.DataType) -> pa.DataType:
    try:
        return lake_type(kind)
    except UnsupportedType as error:
        raise UnsupportedType(f"{file.located.name}, column '{origin}': {error.message}", hint=error.hint) from error


def _to_target(columns: list[ResultColumn], files: Sequence[FileFacts], target: pa.Schema) -> pa.Schema:
    lower = {name.casefold(): name for name in target.names}
    for column in columns:
        if column.name not in target.names:
            index, origin = next(iter(column.sources.items()))
            near = lower.get(column.name.casefold())
            hint = f"The table has '{near}'; write columns={{'{near}': {{'from': '{origin}'}}}}." if near else _HINT
            raise SchemaMismatch(
                f"{files[index].located.name} has a column '{column.name}' and the table has not.", hint=hint
            )
        _check(column, files, target.field(column.name))
    present = {column.name for column in columns}
    for field_ in target:
        if field_.name not in present and not field_.nullable:
            raise SchemaMismatch(
                f"The table's column '{field_.name}' must not be null, and no file has it.", hint=_HINT
            )
    return target


def _check(column: ResultColumn, files: Sequence[FileFacts], target: pa.Field) -> None:
    """Typed columns must fit by their types; text is looked at value by value as it is loaded."""
    for index, origin in column.sources.items():
        file = files[index]
        kind = file.held().field(origin).type
        impossible = file.soft and file.detected.format == "csv" and t.is_nested(target.type)
        loses = (
            not file.is_text(origin)
            and column.declared is None
            and not lossless(_held(file, origin, kind), target.type)
        )
        if impossible or loses:
            raise SchemaMismatch(
                f"{file.located.name}: column '{origin}' is {type_name(kind)}, and '{target.name}' of the table is "
                f"{type_name(target.type)}, which cannot hold all of its values.",
                hint="Give it this type with `columns` to check value by value, or use mode=replace.",
            )
