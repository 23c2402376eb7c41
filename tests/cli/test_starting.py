"""What a start says when it cannot be: the cause and the next step, never a traceback and never a secret."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from jobdeck.config import InvalidConfiguration, load


def start(home: Path, *arguments: str, port: str | None = "0", **environment: str) -> subprocess.CompletedProcess[str]:
    """`jobdeck up` where it should end by itself."""
    command = [sys.executable, "-m", "jobdeck.cli.main", "up", "--home", str(home), *arguments]
    command += ["--port", port] if port else []
    cleared = {k: v for k, v in os.environ.items() if not k.startswith("JOBDECK_")}
    return subprocess.run(
        command, env={**cleared, **environment}, capture_output=True, text=True, timeout=60, check=False
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "stopped" not in done.stderr, "what never served has not stopped"
    assert "defect" not in done.stderr
    assert any(line.startswith("error: ") for line in done.stderr.splitlines()), "in the style of all errors"
    for word in words:
        assert word in done.stderr


def test_a_home_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    refused(start(tmp_path / "home"), f"The home {tmp_path / 'home'} cannot be used", "--home")


def test_a_home_that_nobody_can_write_to() -> None:
    refused(start(Path("/proc/jobdeck")), "The home /proc/jobdeck cannot be used", "--home")


def test_a_database_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "jobdeck.db").write_bytes(os.urandom(8192))
    refused(start(tmp_path), "jobdeck.db cannot be used", "not a database")


def test_a_database_of_a_newer_version(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobdeck.db") as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")
    connection.close()
    refused(start(tmp_path), "has the schema 9999 of a newer version", "Start that version")


def test_an_address_with_a_password_that_cuts_it(tmp_path: Path) -> None:
    done = start(tmp_path, "--database-url", "postgresql://u:se@cr:et@/x")
    refused(done, "'database_url' cannot be read", "%40")
    assert "et@" not in done.stderr


@pytest.mark.parametrize("url", ["ftp://x/y", "x", "http://x", "s4://b"])
def test_a_storage_that_is_not_supported(tmp_path: Path, url: str) -> None:
    with pytest.raises(InvalidConfiguration, match="is not supported"):
        load(home=tmp_path, storage_url=url)


@pytest.mark.parametrize("days", [1e300, 36_501, float("inf"), float("nan"), -1, 0])
def test_days_beyond_a_century(tmp_path: Path, days: float) -> None:
    for name in ("keep_jobs_days", "keep_events_days"):
        with pytest.raises(InvalidConfiguration, match=name):
            load(home=tmp_path, **{name: days})


@pytest.mark.parametrize("name", ["a%20b", "a b", "ä?#&", "100%"])
def test_a_home_with_a_strange_name(tmp_path: Path, name: str) -> None:
    from sqlalchemy.engine import make_url

    config = load(home=tmp_path / name)
    assert make_url(config.async_database_url).database == str(tmp_path / name / "jobdeck.db")


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        number = other.getsockname()[1]
        done = start(tmp_path, JOBDECK_PORT=str(number), port=None)
    refused(done, f"Cannot listen on 127.0.0.1:{number}: Address already in use", "perhaps another Jobdeck", "--port")


def test_a_path_prefix_that_begins_like_a_page(tmp_path: Path) -> None:
    refused(start(tmp_path, JOBDECK_PATH_PREFIX="/jobs"), "cannot begin with /jobs", "Choose another one")


def test_a_database_in_a_folder_that_there_is_not(tmp_path: Path) -> None:
    refused(start(tmp_path, "--database-url", "sqlite:////nosuch/x.db"), "/nosuch/x.db is not there", "hint: Make it")


def test_a_database_that_is_away_is_waited_for_until_it_is_told_to_stop(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://u:hidden-word@127.0.0.1:{nobody.getsockname()[1]}/x"
        command = [sys.executable, "-m", "jobdeck.cli.main", "server", "--home", str(tmp_path), "--port", "0"]
        with subprocess.Popen([*command, "--database-url", url], stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            line = server.stderr.readline()
            assert "waits_for_database" in line
            assert "refused" in line
            assert "it goes on as soon as" in line
            server.terminate()
            rest = server.stderr.read()
            assert server.wait(60) == 0, rest
    told = [line.split() for line in rest.splitlines()]
    assert [words[3] for words in told if words[3:4] in (["stopping"], ["stopped"])] == ["stopping", "stopped"]
    assert "part=server" in rest
    assert "hidden-word" not in line + rest
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("toml", "variable", "given", "where"),
    [
        ("port = 'abc'", None, {}, "({home}/jobdeck.toml)"),
        ("port = 'abc'", "xyz", {}, "(environment variable JOBDECK_PORT)"),
        ("port = 9000", "xyz", {"port": 70000}, "(command line)"),
    ],
)
def test_a_wrong_setting_says_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, variable: str | None, given: dict[str, int], where: str
) -> None:
    (tmp_path / "jobdeck.toml").write_text(toml)
    if variable:
        monkeypatch.setenv("JOBDECK_PORT", variable)
    with pytest.raises(InvalidConfiguration) as told:
        load(home=tmp_path, **given)
    assert told.value.message.startswith(f"Setting 'port' {where.format(home=tmp_path)}: it must be ")


@pytest.mark.parametrize(
    ("text", "part"),
    [("allow_http", "part 1 of 1"), ("region=eu,S3CRET/piece", "part 2 of 2"), ("a=b,=,x y", "part 3 of 3")],
)
def test_options_of_the_storage_that_are_no_pairs_are_refused_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, part: str
) -> None:
    monkeypatch.setenv("JOBDECK_STORAGE_OPTIONS", text)
    with pytest.raises(InvalidConfiguration) as told:
        load(home=tmp_path)
    assert f"JOBDECK_STORAGE_OPTIONS): {part} has no '='" in told.value.message
    assert text.rsplit(",", maxsplit=1)[-1] not in told.value.message


def test_options_of_the_storage_may_have_spaces_between_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBDECK_STORAGE_OPTIONS", "region=eu, secret_access_key=a=b==,")
    assert load(home=tmp_path).storage_options == {"region": "eu", "secret_access_key": "a=b=="}


def test_a_file_of_settings_that_is_no_toml_says_how_one_looks(tmp_path: Path) -> None:
    (tmp_path / "jobdeck.toml").write_text("port = ")
    with pytest.raises(InvalidConfiguration) as told:
        load(home=tmp_path)
    assert "jobdeck.toml is not valid TOML" in told.value.message
    assert "port = 9000" in (told.value.hint or "")


def test_the_file_of_settings_cannot_move_its_own_home(tmp_path: Path) -> None:
    (tmp_path / "jobdeck.toml").write_text('home = "/elsewhere"')
    with pytest.raises(InvalidConfiguration, match="cannot say where that is") as told:
        load(home=tmp_path)
    assert "JOBDECK_HOME" in (told.value.hint or "")


def test_the_unit_does_not_start_again_what_is_set_up_wrong(tmp_path: Path) -> None:
    unit = (Path(__file__).parents[2] / "deploy" / "jobdeck.service").read_text().splitlines()
    done = start(tmp_path, JOBDECK_PORT="none", port=None)
    refused(done, "Setting 'port' (environment variable JOBDECK_PORT): it must be a whole number.")
    assert f"RestartPreventExitStatus={done.returncode}" in unit


@pytest.mark.parametrize("name", ["https://jobs.example.com", "jobs.example.com:443", "jobs.example.com/x", "a b"])
def test_an_allowed_host_is_a_name_alone(tmp_path: Path, name: str) -> None:
    """With more around it, it would never be asked for, and every request would be refused."""
    with pytest.raises(InvalidConfiguration, match=r"allowed_hosts.*is no name alone"):
        load(home=tmp_path, allowed_hosts=name)


def test_names_and_addresses_that_may_be_allowed(tmp_path: Path) -> None:
    names = ("jobs.example.com", "localhost", "10.0.0.5", "[::1]", "my_host")
    assert load(home=tmp_path, allowed_hosts=",".join(names)).allowed_hosts == names


def test_an_allowed_path_is_whole(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="'incoming' is no whole path"):
        load(home=tmp_path, allowed_paths="/srv:incoming")


def test_a_host_that_has_no_address(tmp_path: Path) -> None:
    refused(start(tmp_path, "--host", "nowhere.invalid"), "Cannot listen on nowhere.invalid", "Choose another --host")
