from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.client.contract_server import ContractServer

CONTENT = os.urandom(100_000)


def test_files_go_up_and_come_down(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(CONTENT)
    assert cli("files", "upload", "x.bin", "--tag", "t", "-o", "ids").stdout == "1\n"
    assert "x.bin" in cli("files", "list").stdout
    assert "100 kB" in cli("files", "show", "file:1").stdout
    assert cli("files", "download", "1", "--to", "y.bin").returncode == 0
    assert (tmp_path / "y.bin").read_bytes() == CONTENT
    there = cli("files", "download", "1")
    assert there.returncode == 2
    assert "is there already" in there.stderr
    assert cli("files", "delete", "1").returncode == 0
    assert not server.files


def test_a_download_keeps_to_its_folder(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"abc")
    cli("files", "upload", "x.bin")
    server.files[1][0]["name"] = "../../evil"
    (tmp_path / "in" / "here").mkdir(parents=True)
    assert cli("files", "download", "1", folder=tmp_path / "in" / "here").returncode == 0
    assert (tmp_path / "in" / "here" / "evil").read_bytes() == b"abc"


def test_objects(cli: Cli, server: ContractServer) -> None:
    assert "1 200" in cli("objects", "list").stdout
    shown = cli("objects", "show", "lake/in.shop/orders").stdout
    assert "int64" in shown
    rows = cli("objects", "rows", "lake/in.shop/orders", "--limit", "2", "--version", "3").stdout
    assert "1152921504606846976" in rows
    assert server.seen[-1].query == {"limit": ["2"], "version": ["3"]}
    assert json.loads(cli("objects", "rows", "lake/in.shop/orders", "-o", "json").stdout)["items"][0]["name"] == "Ä"
    assert cli("objects", "versions", "lake/in.shop/orders", "-o", "ids").stdout == "3\n"


def test_a_token_is_printed_only_when_it_is_made(cli: Cli) -> None:
    made = cli("tokens", "create", "ci", "--role", "operator", "--expires-in-days", "7")
    assert made.stdout == "jd_new_secret\n"
    assert "only now" in made.stderr
    assert "secret" not in cli("tokens", "list").stdout
    assert "secret" not in cli("tokens", "list", "-o", "json").stdout
    assert cli("tokens", "revoke", "5").returncode == 0


def test_limits(cli: Cli, server: ContractServer) -> None:
    assert cli("limits", "set", "type:sleep", "3").stdout == "type:sleep: 1 of 3 in use.\n"
    stopped = cli("limits", "set", "type:sleep", "0", "--project", "shop")
    assert stopped.stderr.splitlines() == [
        "0 starts no more jobs that need it. Let them go on with: jobdeck limits clear type:sleep --project shop"
    ]
    assert "type:sleep" in cli("limits", "list").stdout
    assert cli("limits", "clear", "type:sleep").returncode == 0
    assert not server.limits
    assert cli("limits", "set", "instance", "9", "--instance").returncode == 0
    assert server.seen[-1].path == "/limits/instance"
    assert "instance" in cli("limits", "list", "--instance").stdout
    assert cli("limits", "clear", "instance", "--instance").returncode == 0


def test_pauses(cli: Cli, server: ContractServer) -> None:
    assert "project:default is paused" in cli("pauses", "set", "project:default", "--reason", "an upgrade").stdout
    assert server.pauses == {"project:default": "an upgrade"}
    assert "an upgrade" in cli("pauses", "list").stdout
    assert cli("pauses", "list", "-o", "ids").stdout == "project:default\n"
    assert cli("pauses", "clear", "project:default").returncode == 0
    assert not server.pauses


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["health"], "ok, version 0.1.0"),
        (["me"], "admin: admin in all projects"),
        (["projects", "list"], "Default"),
        (["projects", "create", "shop", "--weight", "2"], "Project shop is created."),
        (["workers", "list"], "live"),
        (["workers", "drain", "w1"], "Worker vm (w1) is draining."),
        (["types", "list"], "Sleep for a while."),
        (["types", "show", "sleep"], "default 1.0"),
        (["configurations", "create", "nightly", "sleep", "-p", "seconds=1"], "Configuration 3 'nightly' is created."),
        (["configurations", "show", "3"], '"seconds": 1'),
        (["configurations", "change", "3", "-p", "seconds=2"], "Configuration 3 'nightly' is version 3."),
        (["projects", "show", "shop"], "Default"),
        (["connections", "list"], "lake"),
        (["connections", "show", "bucket"], "secret_access_key  ******** (secret)"),
        (["connections", "test", "good"], "good: ok (0.4 s): s3://b/p answers."),
    ],
)
def test_the_rest_answers(cli: Cli, words: list[str], told: str) -> None:
    done = cli(*words)
    assert (done.returncode, done.stderr) == (0, "")
    assert told in done.stdout
    assert cli(*words, "-o", "json").stdout.startswith("{")


def test_connections(cli: Cli, server: ContractServer) -> None:
    made = cli(
        "connections", "create", "bucket", "files", "--option", "url=s3://b", "--option", "options.aws_region=eu",
        "--secrets-json", "@-", stdin='{"options": {"aws_secret_access_key": "s3cret"}}',
    )  # fmt: skip
    assert made.stdout == "Connection bucket (files) is created.\n"
    assert server.seen[-1].json == {
        "name": "bucket", "kind": "files", "options": {"url": "s3://b", "options": {"aws_region": "eu"}},
        "secrets": {"options": {"aws_secret_access_key": "s3cret"}},
    }  # fmt: skip
    assert cli("connections", "create", "b", "files", "--secrets-json", "{}").returncode == 2
    assert cli("connections", "create", "b", "files", "--option", "a=1", "--option", "a.b=2").returncode == 2
    assert cli("connections", "delete", "bucket").returncode == 0
    assert server.seen[-1].path == "/projects/default/connections/bucket"


def test_secrets_are_asked_for_or_read_from_files(cli: Cli, server: ContractServer, tmp_path: Path) -> None:
    """Whatever they look like they are text; on the command line itself they are refused."""
    (tmp_path / "key.txt").write_text("0123\n")
    words = ("connections", "change", "bucket", "--option", "region=us", "--secret", "secret_access_key=@key.txt")
    assert cli(*words).stdout == "Connection bucket (files) is changed.\n"
    assert server.seen[-1].json == {"options": {"region": "us"}, "secrets": {"secret_access_key": "0123"}}
    assert cli(*words[:3], "--unset", "region", "--unset", "secret_access_key").returncode == 0
    gone = {"options": {"options": {"region": None}}, "secrets": {"options": {"secret_access_key": None}}}
    assert server.seen[-1].json == gone
    for wrong, why in (
        (["--secret", "secret_access_key=0123"], "Others could read secrets on the command line."),
        (["--option", "aws_secret_access_key=0123"], "Give --secret aws_secret_access_key to be asked for it"),
        (["--option", "options.session_token=0123"], "Others could read secrets on the command line."),
        (["--secret", "secret_access_key"], "cannot be asked for without a terminal"),
        (["--secret", "secret_access_key=@none.txt"], "cannot be read from 'none.txt'"),
        (["--unset", "endpoint"], "has no option or secret 'endpoint'"),
        ([], "Nothing is to change."),
    ):
        refused = cli("connections", "change", "bucket", *wrong)
        assert (refused.returncode, why in refused.stderr) == (2, True), refused.stderr
    tested = cli("connections", "test", "good", "bad")
    assert tested.returncode == 1
    assert "bad: does not work (0.4 s): It refused the keys (403)." in tested.stdout
    assert tested.stderr == "hint: Look at the keys.\n"


def test_configurations_are_changed_over_what_there_is(cli: Cli, server: ContractServer) -> None:
    assert cli("configurations", "change", "3", "-p", "seconds=2").returncode == 0
    assert server.seen[-1].json == {"name": "nightly", "type": "sleep", "params": {"seconds": 2, "label": "a"}}
    assert cli("configurations", "change", "3", "--name", "daily", "--params-json", "{}").returncode == 0
    assert server.seen[-1].json == {"name": "daily", "type": "sleep", "params": {}}
    assert cli("configurations", "change", "3").returncode == 2
    assert cli("configurations", "delete", "3").returncode == 0
    assert server.seen[-1].method == "DELETE"


def test_a_project_is_changed(cli: Cli, server: ContractServer) -> None:
    assert cli("projects", "change", "shop", "--weight", "2").stdout == "Project shop: title 'Default', weight 2.\n"
    assert server.seen[-1].json == {"weight": 2.0}
    assert cli("projects", "change", "shop").returncode == 2
