"""One schema for all files of a read: names chosen, types that hold all of them, checked against the target's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.types as t

from jobdeck.connectors.columns import MAX_COLUMNS, common, is_list, lake_type, lossless, parse_type, type_name
from jobdeck.connectors.errors import BadHeader, NoSuchColumn, SchemaMismatch, UnsupportedType
from jobdeck.connectors.files.config import FilesConfig, Wanted
from jobdeck.connectors.files.formats.csv_dialect import free_name
from jobdeck.connectors.files.formats.json_values import settled, widened
from jobdeck.connectors.files.formats.types import widest
from jobdeck.connectors.files.plan import FileFacts, Mapping
from jobdeck.core.output.nearest import nearest
from jobdeck.core.values import clip

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
    looks = [_FileLook(file, {field.name: field.type for field in file.held()}) for file in files]
    columns = _chosen(looks, config) if config.chosen() is not None else _all(looks, config)
    _distinct(columns)
    _bounded(columns, looks)
    _belong_together(columns, looks)
    schema = _to_target(columns, looks, target) if target is not None else _new(columns, looks)
    if not len(schema):
        told = " ".join(["The files have no columns.", *(note for file in files for note in file.notes)])
        raise SchemaMismatch(told, hint="Leave empty files out.")
    by_name = {column.name: column for column in columns if target is not None or not _only_nulls(column, looks)}
    mappings = []
    for index in range(len(files)):
        sources = [by_name[name].sources.get(index) if name in by_name else None for name in schema.names]
        mappings.append(Mapping(sources=sources))
    return schema, mappings


@dataclass(frozen=True, slots=True)
class _FileLook:
    """What is known of one file, and the types of its columns."""

    facts: FileFacts
    kinds: dict[str, pa.DataType]

    @property
    def name(self) -> str:
        return self.facts.located.name


def _chosen(files: Sequence[_FileLook], config: FilesConfig) -> list[ResultColumn]:
    columns = []
    for wish in config.chosen() or []:
        column = _result_column(wish)
        column.sources = {index: wish.origin for index, file in enumerate(files) if wish.origin in file.kinds}
        if not column.sources:
            raise _no_column(wish.origin, files)
        columns.append(column)
    return columns


def _all(files: Sequence[_FileLook], config: FilesConfig) -> list[ResultColumn]:
    wishes = {wish.origin: wish for wish in config.adjusted()}
    columns: dict[str, ResultColumn] = {}
    for index, file in enumerate(files):
        for place, origin in enumerate(file.kinds):
            if origin not in columns:
                name = origin or free_name(place, set(file.kinds))
                wish = wishes.get(origin) or Wanted(name=name, **{"from": origin})
                columns[origin] = _result_column(wish)
            columns[origin].sources[index] = origin
    for origin in wishes:
        if origin not in columns:
            raise _no_column(origin, files)
    return list(columns.values())


def _result_column(wish: Wanted) -> ResultColumn:
    return ResultColumn(wish.name, parse_type(wish.type) if wish.type is not None else None)


def _no_column(name: str, files: Sequence[_FileLook]) -> NoSuchColumn:
    known = dict.fromkeys(column for file in files for column in file.kinds)
    hint = f"{nearest(name, known)}There are {_names(files)}. Run the job again with other `columns`."
    return NoSuchColumn(f"No file has a column '{name}'.", hint=hint)


def _names(files: Sequence[_FileLook]) -> str:
    names = list(files[0].kinds)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")


def _distinct(columns: list[ResultColumn]) -> None:
    seen: dict[str, str] = {}
    for column in columns:
        lower = column.name.casefold()
        if lower in seen:
            raise SchemaMismatch(
                f"The columns '{seen[lower]}' and '{column.name}' would have the same name; case does not count.",
                hint="Rename one with `columns`.",
            )
        seen[lower] = column.name


def _bounded(columns: list[ResultColumn], files: Sequence[_FileLook]) -> None:
    for column in columns:
        if "\0" in column.name:
            file, name = files[next(iter(column.sources))].name, clip(column.name, 40)
            raise BadHeader(f"{file}: the column name '{name}' has a NUL character.", hint="Rename it.")
    if len(columns) > MAX_COLUMNS:
        raise SchemaMismatch(
            f"The files have {len(columns)} different columns together; {MAX_COLUMNS} are allowed.",
            hint="Choose some with `columns`, or turn names that are values into rows.",
        )


def _belong_together(columns: list[ResultColumn], files: Sequence[_FileLook]) -> None:
    """Raises SchemaMismatch for a file that shares no column with the others: it has no header, or is something else.

    Files are one group when a chain of shared columns joins them."""
    group = list(range(len(files)))

    def top(index: int) -> int:
        while group[index] != index:
            group[index] = group[group[index]]
            index = group[index]
        return index

    for column in columns:
        first, *others = [top(index) for index in column.sources]
        for other in others:
            group[top(other)] = top(first)
    members: dict[int, list[int]] = {}
    for index, file in enumerate(files):
        if file.kinds:
            members.setdefault(top(index), []).append(index)
    if len(members) < 2:
        return
    stranger = min(members.values(), key=lambda found: (len(found), len(files[found[0]].kinds), -found[0]))[0]
    other = next(index for index, file in enumerate(files) if file.kinds and top(index) != top(stranger))
    raise SchemaMismatch(
        f"{files[stranger].name} shares no column with {files[other].name}: "
        f"it has {_few(files[stranger])}, and not {_few(files[other])}.",
        hint="Leave it out, import it apart, or, if its first row is no header, give all files one "
        "(or csv.header=false where none has one).",
    )


def _few(file: _FileLook) -> str:
    names = [f"'{clip(name, 40)}'" for name in list(file.kinds)[:3]]
    return ", ".join(names) + (", …" if len(file.kinds) > 3 else "")


def _new(columns: list[ResultColumn], files: Sequence[_FileLook]) -> pa.Schema:
    kinds = [
        _type(column, files) if column.declared is None else _declared(column, column.declared, files)
        for column in columns
    ]
    return pa.schema(list(zip((column.name for column in columns), kinds, strict=True)))


def _type(column: ResultColumn, files: Sequence[_FileLook]) -> pa.DataType:
    """Typed files decide together; text is read as what they say, or as what all texts can be."""
    hard: tuple[int, pa.DataType] | None = None
    soft: pa.DataType | None = None
    for index, origin in column.sources.items():
        kind = files[index].kinds[origin]
        if files[index].facts.is_text(origin):
            soft = _soft(soft, kind)
        elif not t.is_null(kind):
            hard = _hard(hard, index, _held(files[index], origin, kind), files, column)
    if hard is not None:
        return hard[1]
    return settled(soft) if soft is not None else pa.string()


def _only_nulls(column: ResultColumn, files: Sequence[_FileLook]) -> bool:
    """Then nothing is read for it: a column of NA words is a column of nulls, not one of texts."""
    kinds = (files[index].kinds[origin] for index, origin in column.sources.items())
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
    files: Sequence[_FileLook],
    column: ResultColumn,
) -> tuple[int, pa.DataType]:
    if left is None:
        return index, kind
    both = common(left[1], kind)
    if both is None:
        raise SchemaMismatch(
            f"Column '{column.name}' is {type_name(left[1])} in {files[left[0]].name} "
            f"and {type_name(kind)} in {files[index].name}, and no type holds both.",
            hint="Give it a type with `columns`, or import the files apart.",
        )
    return left[0], both


def _held(file: _FileLook, origin: str, kind: pa.DataType) -> pa.DataType:
    try:
        return lake_type(kind)
    except UnsupportedType as error:
        raise UnsupportedType(f"{file.name}, column '{origin}': {error.message}", hint=error.hint) from error


def _to_target(columns: list[ResultColumn], files: Sequence[_FileLook], target: pa.Schema) -> pa.Schema:
    lower = {name.casefold(): name for name in target.names}
    wanted = {field_.name: field_ for field_ in target}
    for column in columns:
        if column.name not in wanted:
            index, origin = next(iter(column.sources.items()))
            near = lower.get(column.name.casefold())
            wish = json.dumps({near: {"from": origin}}, ensure_ascii=False)
            hint = f"The table has '{near}'; give columns={wish}." if near else _HINT
            raise SchemaMismatch(f"{files[index].name} has a column '{column.name}' and the table has not.", hint=hint)
        _check(column, files, wanted[column.name])
    present = {column.name for column in columns}
    for field_ in target:
        if field_.name not in present and not field_.nullable:
            raise SchemaMismatch(
                f"The table's column '{field_.name}' must not be null, and no file has it.", hint=_HINT
            )
    return target


def _check(column: ResultColumn, files: Sequence[_FileLook], target: pa.Field) -> None:
    """Typed columns must fit by their types; text is looked at value by value as it is loaded."""
    if column.declared is not None:
        same_type(column.name, column.declared, target.type)
    for index, origin in column.sources.items():
        file = files[index]
        kind = file.kinds[origin]
        _fields_known(file, origin, kind, target.type, "the table's")
        typed = not file.facts.is_text(origin) and column.declared is None
        loses = typed and not lossless(_held(file, origin, kind), target.type)
        if _shapeless(file, target.type) or loses:
            raise SchemaMismatch(
                f"{file.name}: column '{origin}' is {type_name(settled(kind))}, and '{target.name}' of the table is "
                f"{type_name(target.type)}, which cannot hold all of its values.",
                hint="Give it this type with `columns` to check value by value, or use mode=replace.",
            )


def same_type(name: str, declared: pa.DataType, held: pa.DataType) -> None:
    """Raises SchemaMismatch where a declared type is not the table's: values would be checked against the table's."""
    if type_name(declared) != type_name(held):
        raise SchemaMismatch(
            f"`columns` says that '{name}' is {type_name(declared)}, and '{name}' of the table is {type_name(held)}.",
            hint=f"Leave the type out, or say {type_name(held)}; a table with other types is made with mode=replace.",
        )


def _declared(column: ResultColumn, kind: pa.DataType, files: Sequence[_FileLook]) -> pa.DataType:
    """The declared type, once it is sure that no field of a file would be dropped for it."""
    for index, origin in column.sources.items():
        _fields_known(files[index], origin, files[index].kinds[origin], kind, "the declared")
        if _shapeless(files[index], kind):
            raise SchemaMismatch(
                f"{files[index].name}: column '{origin}' is text, and '{column.name}' is to be {type_name(kind)}.",
                hint="CSV has no lists, structs and maps. Load it as string.",
            )
    return kind


def _shapeless(file: _FileLook, target: pa.DataType) -> bool:
    return file.facts.soft and file.facts.detected.format == "csv" and bool(t.is_nested(target))


def _fields_known(file: _FileLook, origin: str, kind: pa.DataType, target: pa.DataType, whose: str) -> None:
    """Raises SchemaMismatch naming the first field of a struct that the target has not."""
    unknown = _unknown_field(kind, target, origin)
    if unknown:
        raise SchemaMismatch(
            f"{file.name}: column '{origin}' has a field '{unknown}' that {whose} type of it has not: "
            f"{type_name(target)}.",
            hint="Use mode=replace, another table, or leave the field out where the file is made."
            if whose == "the table's"
            else "Name the field in the type, too.",
        )


def _unknown_field(kind: pa.DataType, target: pa.DataType, path: str) -> str:
    if t.is_struct(kind) and t.is_struct(target):
        wanted = {field.name: field.type for field in target.fields}
        for field in kind.fields:
            here = f"{path}.{field.name}"
            if field.name not in wanted:
                return here
            below = _unknown_field(field.type, wanted[field.name], here)
            if below:
                return below
    if is_list(kind) and is_list(target):
        return _unknown_field(kind.value_type, target.value_type, path)
    if t.is_map(kind) and t.is_map(target):
        return _unknown_field(kind.item_type, target.item_type, path)
    return ""
