"""What an operator types: workers by name, why jobs wait, limits and deletes with their hints as commands."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.client.contract_rules import Refusal
from tests.client.contract_server import ContractServer

WAITS = [
    {"reason": "claim", "text": "It needs object:lake/a/b for itself, and job 3 holds it.", "holders": [3]},
    {"reason": "no_worker", "text": "No worker takes jobs of type 'sleep' now; start one, or undrain one that drains."},
]


def test_workers_by_what_they_are_called(cli: Cli, server: ContractServer) -> None:
    assert cli("workers", "drain", "vm").stdout == "Worker vm (vm) is draining.\n"
    assert cli("workers", "undrain", "vm", "w1").stdout == "Worker vm (vm) is live.\nWorker vm (w1) is live.\n"
    assert [seen.path for seen in server.seen][-2:] == ["/workers/vm/undrain", "/workers/w1/undrain"]
    shown = cli("workers", "show", "vm").stdout
    assert "running   1" in shown
    assert "short of  no files" in shown
    assert json.loads(cli("workers", "undrain", "vm", "-o", "json").stdout)["state"] == "live"


def test_the_list_says_why_and_for_whom(cli: Cli, server: ContractServer) -> None:
    server.add_job("pending", wait=WAITS)
    server.add_job("failed", error={"code": "x", "message": "The disk is full.", "retryable": False})
    server.add_job("paused", reason="lunch")
    server.add_job("running")
    rows = cli("jobs", "list").stdout.splitlines()
    assert rows[0].endswith("WHY")
    told = [row for row in rows if "job 3 holds it. (and 1 more)" in row]
    assert len(told) == 1
    assert "It needs object:lake/a/b for itself" in told[0]
    assert any(row.endswith("The disk is full.") for row in rows)
    assert any(row.endswith("lunch") for row in rows)
    (first,) = [job for job in json.loads(cli("jobs", "list", "-o", "json").stdout)["items"] if job["id"] == 1]
    assert [wait["reason"] for wait in first["wait"]] == ["claim", "no_worker"]
    assert first["wait"][0]["holders"] == [3]


def refuse(
    monkeypatch: pytest.MonkeyPatch, server: ContractServer, status: int, code: str, detail: str, hint: str
) -> None:
    def refusal(*_: Any, **__: Any) -> Any:
        raise Refusal(status, code, detail, hint=hint)

    monkeypatch.setattr("tests.client.contract_server._set", refusal)
    monkeypatch.setattr("tests.client.contract_server._gone", refusal)


@pytest.mark.parametrize(
    ("hint", "shown"),
    [
        ("PUT /api/v1/limits/instance limits all projects together.",
         "`jobdeck limits set instance N --instance` limits all projects together."),
        ("Write project, or set it at /api/v1/projects/shop/limits/project.", "Write project, or add --project shop."),
        ("Did you mean 'project'? If not, set it with as_written=true.",
         "Did you mean 'project'? If not, add --as-written."),
        ("Write instance or type:<an installed job type>; a project's are at /api/v1/projects/<name>/limits.",
         "Write instance or type:<an installed job type>; leave --instance out for those of a project."),
    ],
)  # fmt: skip
def test_a_hint_names_what_is_typed(
    cli: Cli, server: ContractServer, monkeypatch: pytest.MonkeyPatch, hint: str, shown: str
) -> None:
    refuse(monkeypatch, server, 422, "invalid_input", "No.", hint)
    done = cli("limits", "set", "x", "5")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (3, f"hint: {shown}")
    assert "/api/" not in done.stderr


def test_a_delete_that_is_refused_names_the_option(
    cli: Cli, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hint = "Cancel or change those first, or delete it all the same with force=true; jobs that need it then fail."
    refuse(monkeypatch, server, 409, "in_use", "The file is named by 1 job.", hint)
    done = cli("files", "delete", "1")
    assert done.returncode == 3
    assert "with --force; jobs" in done.stderr


def test_force_travels(cli: Cli, server: ContractServer) -> None:
    for words, query in ((["--force"], {"force": ["true"]}), ([], {})):
        assert cli("connections", "delete", "bucket", *words).returncode == 0
        assert server.seen[-1].query == query
    assert cli("limits", "set", "objects", "5", "--as-written").returncode == 0
    assert server.seen[-1].json == {"capacity": 5, "as_written": True}


def test_a_restart_is_told_as_one(cli: Cli, server: ContractServer, monkeypatch: pytest.MonkeyPatch) -> None:
    id_ = str(server.add_job("failed"))
    assert "priority" not in cli("job", "restart", id_).stdout
    id_ = str(server.add_job("failed"))

    def operate(self: ContractServer, job: int, _operation: str) -> dict[str, Any]:
        self.jobs[job]["state"] = "canceling"
        return self.view(job)

    monkeypatch.setattr(ContractServer, "operate", operate)
    assert cli("job", "restart", id_).stdout == f"Job {id_}: □ restarting\n"
    assert cli("job", "cancel", id_).stdout == f"Job {id_}: □ canceling\n"


def test_who_revokes_a_token_hears_what_ended_with_it(
    cli: Cli, server: ContractServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_a_token(), "sessions", 2)
    assert cli("tokens", "revoke", "5").stderr == "Token 5 is revoked. 2 browsers were logged out with it.\n"


def _a_token() -> dict[str, Any]:
    from tests.client import contract_server

    found: dict[str, Any] = contract_server.A_TOKEN
    return found


class Terminal(io.StringIO):
    """Standard input at which a person sits."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("typed", "revoked"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_a_person_is_asked_before_a_token_is_revoked(
    cli: Cli, server: ContractServer, monkeypatch: pytest.MonkeyPatch, typed: str, revoked: bool
) -> None:
    monkeypatch.setitem(_a_token(), "sessions", 2)
    monkeypatch.setattr(io, "StringIO", Terminal)
    said = cli("tokens", "revoke", "5", stdin=typed).stderr
    assert "2 browsers logged in with it" in said
    assert "Revoke for good? [y/N]" in said
    assert ("Token 5 is revoked." in said) is revoked
    assert ("Nothing was revoked." in said) is not revoked
    assert "Revoke for good?" not in cli("tokens", "revoke", "5", "--yes").stderr
