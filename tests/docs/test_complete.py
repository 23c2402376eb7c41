"""Nothing is missing in the texts: settings, commands, endpoints, events and errors."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cyclopts import App

from jobdeck.config import Config
from jobdeck.core.home import ADMIN_TOKEN
from tests.architecture.tree import ROOT
from tests.docs.serving import Served, served
from tests.docs.sources import error_codes, event_kinds, is_named_in, texts

API = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Config.model_fields)
def test_setting_is_explained(name: str) -> None:
    row = re.search(rf"^\| `{name}` \| `JOBDECK_{name.upper()}` \| (.+?) \| .{{10,}} \|$", SETTINGS, re.MULTILINE)
    assert row, f"no row for {name}"
    default = Config.model_fields[name].default
    if isinstance(default, bool | int | float):
        assert row[1] == f"`{default:g}`" if isinstance(default, float) else f"`{json.dumps(default)}`"


def test_no_setting_is_explained_that_does_not_exist() -> None:
    told = {name.lower() for name in re.findall(r"`JOBDECK_([A-Z_]+)`", SETTINGS)}
    assert told == {*Config.model_fields, "url", "token", "project"}


def test_every_error_code_is_explained() -> None:
    text = texts()
    codes = error_codes()
    assert len(codes) > 15
    assert not sorted(code for code in codes if not is_named_in(text, code))


def test_every_event_is_explained() -> None:
    text = texts()
    kinds = event_kinds()
    assert len(kinds) > 10
    assert not sorted(kind for kind in kinds if not (is_named_in(text, kind) or is_named_in(text, f"job.{kind}")))


def test_kinds_of_events_are_of_one_style() -> None:
    """One about a job itself is a word or two; any other names its thing first: `step.failed`, `token.created`."""
    kinds = event_kinds()
    about = {kind.partition(".")[0] for kind in kinds if "." in kind}
    assert {"step", "task", "worker", "token"} <= about
    others = {kind for kind in kinds if "." not in kind and kind.partition("_")[0] in about}
    assert others == {"worker_lost"}, "this is about the job, which lost its worker"


def test_every_endpoint_is_explained(tmp_path: Path) -> None:
    told = {re.sub(r"\{[a-z_:]+\}", "{}", endpoint) for endpoint in re.findall(r"`([A-Z]+ /[^` ]+)`", API)}
    with served(tmp_path, tmp_path / "home") as server:
        there = {re.sub(r"\{[a-z_:]+\}", "{}", endpoint) for endpoint in _endpoints(server)}
    assert len(there) > 20
    assert there == told


@pytest.mark.parametrize("verb", ["up", "run", "import", "job show", "jobs", "demo"])
def test_commands_are_found(verb: str) -> None:
    """The search below really walks the commands."""
    assert any(command == verb or command.startswith(f"{verb} ") for command in _commands())


def test_every_command_is_explained() -> None:
    text = texts().replace("jobdeck jobs ", "jobdeck job ")  # the same word
    commands = {command.replace("jobs ", "job ") for command in _commands()}
    assert not sorted(command for command in commands if f"jobdeck {command}" not in text)


def _endpoints(server: Served) -> list[str]:
    """`GET /api/v1/jobs/{id}` and so on, from the OpenAPI document that the server hands out."""
    token = (server.home / ADMIN_TOKEN).read_text().strip()
    asked = {"Authorization": f"Bearer {token}"}
    answer = httpx2.get(f"{server.url}/api/v1/openapi.json", headers=asked, timeout=60)
    paths: dict[str, dict[str, Any]] = answer.raise_for_status().json()["paths"]
    return [f"{method.upper()} {path}" for path, methods in paths.items() for method in methods]


def _commands() -> list[str]:
    return sorted(_walk(importlib.import_module("jobdeck.cli.main").app, ()))


def _walk(app: App, above: tuple[str, ...]) -> Iterator[str]:
    for name in app:
        if name.startswith("-"):
            continue
        below = (*above, name)
        if app[name].default_command is not None:
            yield " ".join(below)
        yield from _walk(app[name], below)
