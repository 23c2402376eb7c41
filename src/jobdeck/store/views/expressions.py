"""Expressions that each database says in its own words."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Integer, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import ColumnElement
from sqlalchemy.sql.functions import FunctionElement


class by_bytes(FunctionElement[str]):  # noqa: N801  (used like a function)
    """Text in the order of its characters' numbers, as SQLite and Python have it."""

    type = Text()
    inherit_cache = True


class small(FunctionElement[str]):  # noqa: N801
    """Text with A to Z made small, and nothing else."""

    type = Text()
    inherit_cache = True


class position(FunctionElement[int]):  # noqa: N801
    """Where a piece of text begins in another, from 1; 0 when nowhere."""

    type = Integer()
    inherit_cache = True


class command_line(FunctionElement[str]):  # noqa: N801
    """The program and its arguments in the parameters (JSON) of a job that runs a command.

    segments.layout.command_line says the same."""

    type = Text()
    inherit_cache = True


class has_text(FunctionElement[bool]):  # noqa: N801
    """Whether a text that is a value in JSON has a piece; names of values do not count.

    Clauses: the JSON, the piece, and the piece as JSON writes it: most JSON does not have it at all, which is told
    without reading it. segments.searched.spelled says the same."""

    type = Boolean()
    inherit_cache = True


def _said(expression: type[FunctionElement[Any]], sqlite: str, postgresql: str) -> None:
    """How each database says the expression; `{}` stands for what it is about."""
    for words, dialect in ((sqlite, ()), (postgresql, ("postgresql",))):

        @compiles(expression, *dialect)
        def say(element: FunctionElement[Any], compiler: SQLCompiler, words: str = words, **more: Any) -> str:
            inner = ", ".join(compiler.process(clause, **more) for clause in _clauses(element))
            return words.format(inner)


def _clauses(element: FunctionElement[Any]) -> list[ColumnElement[Any]]:
    return list(element.clauses)


_said(by_bytes, "{}", '({} COLLATE "C")')
_said(small, "lower({})", 'lower({} COLLATE "C")')
_said(position, "instr({})", "strpos({})")
_said(
    command_line,
    """replace(json_extract({}, '$.argv'), '","', ' ')""",
    """replace(({})::json ->> 'argv', '","', ' ')""",
)


@compiles(has_text)
def _has_text(element: has_text, compiler: SQLCompiler, **more: Any) -> str:
    json, piece, escaped = (compiler.process(clause, **more) for clause in _clauses(element))
    inside = f"SELECT 1 FROM json_tree({json}) AS v WHERE v.type = 'text' AND instr(lower(v.atom), {piece}) > 0"  # noqa: S608  (SQL made of SQL)
    return f"(instr(lower({json}), {escaped}) > 0 AND EXISTS ({inside}))"


@compiles(has_text, "postgresql")
def _has_text_pg(element: has_text, compiler: SQLCompiler, **more: Any) -> str:
    """Not by its own JSON, which refuses some characters: each text in quotes that no colon follows is a value."""
    json, _, escaped = (compiler.process(clause, **more) for clause in _clauses(element))
    values = f"""regexp_matches({json}, '"((?:[^"\\\\]|\\\\.)*)"(\\s*:)?', 'g') AS v"""
    inside = f"""SELECT 1 FROM {values} WHERE v[2] IS NULL AND strpos(lower(v[1] COLLATE "C"), {escaped}) > 0"""  # noqa: S608  (SQL made of SQL)
    return f"""(strpos(lower({json} COLLATE "C"), {escaped}) > 0 AND EXISTS ({inside}))"""
