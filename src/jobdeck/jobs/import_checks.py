"""What can be seen to be wrong with an import before the job is accepted: no data is read."""

from __future__ import annotations

import pyarrow as pa
from deltalake import DeltaTable
from pydantic import ValidationError

from jobdeck.connectors import registry
from jobdeck.connectors.columns import parse_type
from jobdeck.connectors.errors import DataFailure
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.finding.walk import Budget
from jobdeck.connectors.files.located import covering, locate, needs_secrets
from jobdeck.connectors.files.unify import same_type
from jobdeck.connectors.lake.catalog import meant
from jobdeck.connectors.lake.config import table_folder
from jobdeck.connectors.lake.features import refuse_writing
from jobdeck.connectors.lake.tables import arrow_schema, open_table
from jobdeck.core.environment import Environment
from jobdeck.core.errors import InvalidInput
from jobdeck.jobs.import_models import ImportParams, doubles, refuse


def files_config(params: ImportParams) -> FilesConfig:
    """The parameters as the files connector has them. Raises InvalidInput."""
    shape = params.model_dump(by_alias=True, exclude_none=True, include={"files", "format", "columns", "on_bad_row"})
    csv = params.csv.model_dump(exclude_unset=True)
    if csv.get("null_values", ()) is None:
        del csv["null_values"]
    try:
        return FilesConfig.model_validate({**shape, "csv": csv})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(item) for item in first["loc"] if not str(item).endswith("]"))
        text = str(first["msg"]).removeprefix("Value error, ")
        raise InvalidInput(f"{place or 'columns'}: {text}.", field=f"params.{place or 'columns'}") from error


def check(params: ImportParams, environment: Environment) -> None:
    """Raises InvalidInput naming the field."""
    config = files_config(params)
    _check_types(config)
    _check_key(params, config)
    _check_target(params, config, environment)
    budget = Budget()
    for index, entry in enumerate(params.files):
        try:
            covering(entry, environment) if needs_secrets(entry) else locate(entry, environment, budget)
        except DataFailure as error:
            raise refuse(error, f"params.files[{index}]") from error


def _check_types(config: FilesConfig) -> None:
    for wish in config.chosen() or config.adjusted():
        try:
            parse_type(wish.type or "string")
        except DataFailure as error:
            raise refuse(error, f"params.columns.{wish.name}") from error


def _check_key(params: ImportParams, config: FilesConfig) -> None:
    if params.mode == "upsert" and not params.key:
        raise InvalidInput(
            "mode upsert needs a key.",
            field="params.key",
            hint='Name the columns that tell rows apart: key=["id"], or --key id on the command line.',
        )
    if params.mode != "upsert" and params.key:
        raise InvalidInput(
            f"mode {params.mode} uses no key.", field="params.key", hint="Leave it out, or use mode=upsert."
        )
    if doubles(params.key):
        raise InvalidInput(f"The key names '{doubles(params.key)[0]}' twice.", field="params.key")
    chosen = config.chosen()
    for name in params.key if chosen is not None else []:
        if name not in [wish.name for wish in chosen or []]:
            raise InvalidInput(f"The key column '{name}' is not among the chosen columns.", field="params.key")


def _check_declared(config: FilesConfig, held: pa.Schema) -> None:
    """Types that are asked for are those of the table that is there."""
    for wish in config.chosen() or config.adjusted():
        if wish.type is None or wish.name not in held.names:
            continue
        try:
            same_type(wish.name, parse_type(wish.type), held.field(wish.name).type)
        except DataFailure as error:
            raise refuse(error, f"params.columns.{wish.name}") from error


def _check_target(params: ImportParams, config: FilesConfig, environment: Environment) -> None:
    into = params.into
    try:
        connection = registry.connection(environment, into.connection)
        connector = registry.connector(connection.kind)
    except DataFailure as error:
        raise refuse(error, "params.into") from error
    if connection.kind != "lake":
        able = "cannot be written" if not connector.capabilities.write else "is no table of the lake"
        raise InvalidInput(f"'{into}' {able}.", field="params.into", hint="Write lake/<bucket>/<table>.")
    try:
        table = open_table(table_folder(environment, into.path))
    except InvalidInput as error:
        raise refuse(error, "params.into") from error
    if table is not None:
        _check_table(table, params, config)
    elif not params.create:
        near = meant(environment, into)
        hint = (f"Did you mean '{near}'? " if near else "") + "Set create=true to make it."
        raise InvalidInput(f"There is no table '{into}'.", field="params.into", hint=hint)


def _check_table(table: DeltaTable, params: ImportParams, config: FilesConfig) -> None:
    """What is there takes these rows."""
    try:
        refuse_writing(table, params.mode)
    except DataFailure as error:
        raise refuse(error, "params.into") from error
    held = arrow_schema(table)
    if params.mode != "replace":
        _check_declared(config, held)
    for name in params.key if params.mode == "upsert" else []:
        if name not in held.names:
            raise InvalidInput(
                f"The table has no column '{name}'.", field="params.key", hint=f"It has {', '.join(held.names[:20])}."
            )
