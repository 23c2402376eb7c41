"""The parts of a read: told apart by their content; those that are still right after another look keep their places."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence

from jobdeck.connectors.files.plan import FileFacts, FilesPlan, Slice
from jobdeck.connectors.files.source import grouped


class Marks:
    """What tells the parts of a plan apart: a mark changes when loading the part would give other rows."""

    def __init__(self, plan: FilesPlan) -> None:
        self._plan = plan
        self._common = _digest(plan.columns, json.dumps(sorted(plan.required)))
        self._files: dict[int, str] = {}

    def of(self, slices: Sequence[Slice]) -> str:
        """By its files, its ranges of them, and the columns and types that are made of them."""
        told = (f"{self._file(piece.file)} {piece.model_dump_json(exclude={'file'})}" for piece in slices)
        return _digest(self._common, *told)[:20]

    def _file(self, index: int) -> str:
        if index not in self._files:
            file = self._plan.files[index].model_dump_json(exclude={"slices", "notes", "rows", "texts"})
            self._files[index] = _digest(file, self._plan.mappings[index].model_dump_json())
        return self._files[index]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def kept(before: FilesPlan, now: FilesPlan, size: int) -> list[list[Slice]]:
    """The parts of `now`. Those of `before` that are still right stay in their places; what else there is to be read
    fills the free places and follows; places that are left are empty."""
    places, old, new = _places(before.files, now.files), Marks(before), Marks(now)
    parts: list[list[Slice]] = []
    for slices in before.parts:
        moved = [piece.model_copy(update={"file": places.get(piece.file, -1)}) for piece in slices]
        same = bool(slices) and all(piece.file >= 0 for piece in moved) and old.of(slices) == new.of(moved)
        parts.append(moved if same else [])
    free = [index for index, slices in enumerate(parts) if not slices]
    taken = {(piece.file, piece.start) for slices in parts for piece in slices}
    for run in _runs(now.files, taken):
        for slices in grouped([now.files[index].model_copy(update={"slices": run[index]}) for index in run], size):
            indexed = [piece.model_copy(update={"file": list(run)[piece.file]}) for piece in slices]
            if free:
                parts[free.pop(0)] = indexed
            else:
                parts.append(indexed)
    return parts


def part_name(files: Sequence[FileFacts], slices: Sequence[Slice]) -> str:
    """What a part is called: by its file, with the rows where it is not all of it, or by the first of several."""
    if not slices:
        return ""
    first, last = slices[0], slices[-1]
    file = files[first.file]
    others = len({piece.file for piece in slices}) - 1
    if others:
        return f"{file.located.name} and {others} more"
    if len(slices) == len(file.slices):
        return file.located.name
    return f"{file.located.name}, rows {first.first_row}-{last.first_row + last.rows - 1}"


def in_order(parts: Sequence[Sequence[Slice]]) -> list[int]:
    """The places of the parts in the order of the files, which is the order of the rows."""
    first = {index: (slices[0].file, slices[0].start) for index, slices in enumerate(parts) if slices}
    return sorted(first, key=lambda index: first[index])


def _places(before: Sequence[FileFacts], now: Sequence[FileFacts]) -> dict[int, int]:
    """Where the files of `before` that did not change are in `now`; a file may be named twice."""
    there: dict[str, list[int]] = defaultdict(list)
    for index, file in enumerate(now):
        there[file.located.model_dump_json()].append(index)
    found: dict[int, int] = {}
    for index, file in enumerate(before):
        same = there[file.located.model_dump_json()]
        if same:
            found[index] = same.pop(0)
    return found


def _runs(files: Sequence[FileFacts], taken: set[tuple[int, int]]) -> Iterator[dict[int, list[Slice]]]:
    """The slices that nobody has, by file; a taken slice ends a run, because a part is one range of the rows."""
    run: dict[int, list[Slice]] = {}
    for index, file in enumerate(files):
        for piece in file.slices:
            if (index, piece.start) not in taken:
                run.setdefault(index, []).append(piece)
            elif run:
                yield run
                run = {}
    if run:
        yield run
