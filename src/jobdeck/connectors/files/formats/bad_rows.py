"""Rows that do not fit, where the first of them ends the import: those behind it are told with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobdeck.connectors.base import Reject
from jobdeck.connectors.errors import BadRow
from jobdeck.connectors.files.config import OnBadRow
from jobdeck.core.amounts import counted

MOST = 100
"""Rows that one failure names."""
BEYOND = 32 * 1024 * 1024
"""Bytes that are read behind the first of them, about, to find the others."""
PLACES = 5
"""Rows whose places stand in the hint; all are in `BadRow.others`."""


@dataclass(slots=True)
class BadRows:
    """Gathers them while reading goes on, so that a person mends all at once and not one a run."""

    on_bad_row: OnBadRow
    found: list[Reject] = field(default_factory=list)
    _beyond: int = 0

    def __bool__(self) -> bool:
        return bool(self.found)

    def add(self, rejects: Sequence[Reject], size: int) -> None:
        """Those of `size` bytes more. Raises BadRow once there are enough, or once it was read far enough for them."""
        if self.on_bad_row != "fail":
            return
        self._beyond += size if self.found else 0
        self.found += rejects[: MOST - len(self.found)]
        if self.found and (len(self.found) >= MOST or self._beyond >= BEYOND):
            raise self.failure()

    def failure(self) -> BadRow:
        """The failure that tells of the first, with everything needed to find it, and where the others are."""
        first, others = self.found[0], self.found[1:]
        error = BadRow(
            told(first),
            hint=_hint(first, others),
            row=first.row,
            line=first.line,
            column=first.column,
            value=first.value,
        )
        error.others = [told(reject) for reject in others]
        return error


def told(reject: Reject) -> str:
    """The row in one sentence: where it is, and why it does not fit."""
    line = f" (line {reject.line})" if reject.line is not None else ""
    column = f", column '{reject.column}'" if reject.column is not None else ""
    value = f": {reject.value!r} is {reject.reason}" if reject.value is not None else f" is {reject.reason}"
    return f"{reject.file}: row {reject.row}{line}{column}{value}."


def _hint(first: Reject, others: Sequence[Reject]) -> str:
    if not others:
        return "With on_bad_row=reject the other rows are loaded, and this one goes to the reject file."
    least = "At least " if len(others) + 1 >= MOST else ""
    verb = "does" if len(others) == 1 else "do"
    places = ", ".join(_place(reject, first.file) for reject in others[:PLACES])
    more = ", …" if len(others) > PLACES else ""
    return (
        f"{least}{counted(len(others), 'more row')} {verb} not fit: {places}{more}. "
        "With on_bad_row=reject the rows that fit are loaded, and these go to the reject file."
    )


def _place(reject: Reject, file: str) -> str:
    place = f"row {reject.row}" if reject.line is None else f"line {reject.line}"
    return place if reject.file == file else f"{place} of {reject.file}"
