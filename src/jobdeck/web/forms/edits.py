"""What the buttons of a form do to it: add, remove and move rows."""

from __future__ import annotations

from jobdeck.web.forms.draft import DraftNode, DraftRow, child
from jobdeck.web.forms.filling import Filler, fresh_key
from jobdeck.web.forms.schema import MISSING, FormSchema


def edit(form: FormSchema, root: DraftNode, what: str, path: str, values: list[str]) -> None:
    """Do `what` (`add`, `put`, `remove`, `up`, `down`) at `path`: of a list, of a text, else of a row.

    `values`: texts to put in; `add` without any adds an empty row. What cannot be done leaves all as it is."""
    if what == "add":
        _add(form, root.find(path), values)
        return
    if what == "put":
        _put(root.find(path), values)
        return
    parent = root.find(path.rpartition("/")[0])
    key = path.rpartition("/")[2]
    index = next((i for i, row in enumerate(parent.rows) if row.key == key), None) if parent else None
    if parent is None or index is None or parent.kind not in ("list", "map"):
        return
    if what == "remove":
        _remove(parent, index)
    elif what in ("up", "down"):
        _move(parent, index, -1 if what == "up" else 1)


def _add(form: FormSchema, node: DraftNode | None, values: list[str]) -> None:
    shape = node.shape if node else None
    if node is None or shape is None or shape.kind not in ("list", "map"):
        return
    field, filler = form.item(shape), Filler(form)
    if values:
        node.rows = [row for row in node.rows if row.node.kind != "file" or row.node.text]
    taken = [row.node.text for row in node.rows]
    for value in [v for v in values if v not in taken] if values else [MISSING]:
        key = fresh_key((), node.rows)
        row = DraftRow(key, "", filler.node(field, child(node.path, key), value))
        node.rows.append(row)
        row.node.focus = not values


def _put(node: DraftNode | None, values: list[str]) -> None:
    if node is not None and node.kind in ("file", "ref", "text") and values:
        node.text, node.focus = values[0], True


def _remove(node: DraftNode, index: int) -> None:
    del node.rows[index]
    if node.rows:
        node.rows[min(index, len(node.rows) - 1)].node.focus = True
    else:
        node.focus = True
    if node.given == "null":
        node.given = ""


def _move(node: DraftNode, index: int, by: int) -> None:
    to = index + by
    if 0 <= to < len(node.rows):
        node.rows[index], node.rows[to] = node.rows[to], node.rows[index]
        node.rows[to].node.focus = True
