"""The command `list` of a noun whose things are few enough to be shown all."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from jobdeck.cli.arguments.options import Common, asking
from jobdeck.cli.show.output import print_all
from jobdeck.cli.show.table import TableColumn

if TYPE_CHECKING:
    from cyclopts import App
    from pydantic import BaseModel

    from jobdeck.client import Client

M = TypeVar("M", bound="BaseModel")
Found = Callable[["Client", Common], "Iterable[M]"]


def lists(
    app: App, columns: Sequence[TableColumn[M]], id_of: Callable[[M], object], none: str
) -> Callable[[Found[M]], Found[M]]:
    """Give the noun `app` its `list`: all that the function finds, whose docstring is the help. `none` is said where
    that is nothing; `{project}` in it is the project that was asked for."""

    def of(found: Found[M]) -> Found[M]:
        def list_(*, common: Common | None = None) -> None:
            with asking(common) as (client, given):
                told = none.format(project=given.project_or_default)
                print_all(given.output, found(client, given), columns, id_of, told)

        app.command(list_, name="list", help=found.__doc__)
        return found

    return of
