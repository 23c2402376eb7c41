"""What the list of jobs shows, as its address says it: filters, order, page. The address is all there is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from jobdeck.core.output.nearest import closest
from jobdeck.services import cursors
from jobdeck.services.jobs.queries import JobConditions, JobQuery, SortBy, Words
from jobdeck.web.pages.jobs.columns import COLUMN_NAMES
from jobdeck.wire.base import Digits

PATH = "/jobs"
DEFAULT_SORT: SortBy = "-created_at"
SIZES = (50, 100, 200)
RANGES = ("12h", "1d", "3d", "7d")
_LOOK = ("columns", "density")
_PAGE = ("sort", "limit", "cursor", "before", "room", *_LOOK)
_SAFE = ":,.-_~/@+"
Cursor = Annotated[str, StringConstraints(max_length=cursors.MAX_CURSOR)]


def _columns(value: Any) -> Any:
    """Names of columns, of which a view of another version may have some that are not there any more."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        return value
    found = [name for part in names for name in str(part).split(",") if name in COLUMN_NAMES]
    return list(dict.fromkeys(found))


def _density(value: Any) -> Any:
    return value if value in ("compact", "comfortable") else ""


class JobsAddress(JobConditions):
    """The query of /jobs: the filters of the API by their names, and besides what only a page has.

    `project` is the one that the whole site looks at; `projects` narrows the list to some while it looks at all.
    What other sites append to links (utm_source=…) means nothing here, and is left out of the page's own ones. A
    filter with a slip is refused: it must not show, and let people operate on, all jobs."""

    model_config = ConfigDict(extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _no_slips(cls, given: Any) -> Any:
        if isinstance(given, Mapping):
            for name in given:
                near = closest(str(name), cls.model_fields) if name not in cls.model_fields else None
                if near:
                    raise ValueError(f"there is no filter '{str(name)[:40]}'; did you mean '{near}'?")
        return given

    projects: Words = Field(default=[])
    sort: SortBy = DEFAULT_SORT
    limit: Literal["50", "100", "200"] = "50"
    cursor: Cursor | None = None
    before: Cursor | None = Field(default=None, description="The page that ends before this place.")
    room: Annotated[Digits, Field(ge=1, le=max(SIZES))] | None = Field(
        default=None, description="Rows that a page still has room for, which is filled piece by piece."
    )

    columns: Annotated[list[str], BeforeValidator(_columns)] = Field(
        default=[], description="The columns that are shown; none: those that this browser shows."
    )
    density: Annotated[Literal["compact", "comfortable", ""], BeforeValidator(_density)] = ""

    @property
    def size(self) -> int:
        """Rows of a page, or of what is wanted of it."""
        return self.room or int(self.limit)

    @property
    def is_first_page(self) -> bool:
        return self.cursor is None and self.before is None

    def conditions(self, **changes: Any) -> JobConditions:
        """The filters as the services know them: only those that are set, and with `changes` put over them."""
        given = {name: value for name, value in self._given() if name not in _PAGE}
        several = given.pop("projects", None)
        if several and "project" not in given:
            given["project"] = several
        given |= changes
        return JobConditions(**{name: value for name, value in given.items() if value not in (None, [])})

    def query(self, **more: Any) -> JobQuery:
        """A page of the service, with these filters."""
        return JobQuery(**self.conditions().model_dump(exclude_unset=True), **{"sort": self.sort, **more})

    @property
    def is_filtered(self) -> bool:
        """Whether anything but the project narrows the list."""
        return any(name not in ("project", *_PAGE) for name, _ in self._given())

    def values(self, name: str) -> list[str]:
        """The values of a filter as they stand in the address."""
        value = getattr(self, name)
        if value in (None, False):
            return []
        return [str(v) for v in value] if isinstance(value, list) else ["true" if value is True else str(value)]

    def url(self, **changes: Any) -> str:
        """The address with parts exchanged (None takes one out). Another filter begins at the first page."""
        given = dict(self._given())
        if any(name not in ("cursor", "before") for name in changes):
            given.pop("cursor", None)
            given.pop("before", None)
        given.pop("room", None)
        given |= changes
        pairs = [f"{name}={quote(text, safe=_SAFE)}" for name in _ORDER if (text := _text(name, given.get(name)))]
        return f"{PATH}?{'&'.join(pairs)}" if pairs else PATH

    def without(self, name: str, value: str | None = None) -> str:
        """The address without a filter, or without one of its values."""
        left = [v for v in self.values(name) if value is not None and v != value]
        return self.url(**{name: left or None})

    def cleared(self) -> str:
        """The address with no filter but the project."""
        return self.url(**{name: None for name in _ORDER if name not in ("project", "sort", "limit", *_LOOK)})

    def _given(self) -> Iterator[tuple[str, Any]]:
        for name in _ORDER:
            value = getattr(self, name)
            if value not in (None, [], False, ""):
                yield name, value


_ORDER = tuple(JobsAddress.model_fields)
_DEFAULTS = {"sort": DEFAULT_SORT, "limit": str(SIZES[0])}


def _text(name: str, value: Any) -> str:
    """A value as the address has it; empty where it goes without saying."""
    if value in (None, False, [], ""):
        return ""
    if isinstance(value, list | tuple):
        return ",".join(str(v) for v in value)
    text = "true" if value is True else str(value)
    return "" if text == _DEFAULTS.get(name) else text
