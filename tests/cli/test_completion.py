"""What the shell offers when Tab is pressed, asked as its script asks, and in a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, Shell
from tests.client.contract_server import ContractServer


def offered(cli: Cli, *words: str) -> list[str]:
    """The values that `__complete` answers."""
    lines = cli("__complete", *words).stdout.splitlines()
    return [line.split("\t")[0] for line in lines if line and not line.startswith("\x1f")]


def test_ids_types_states_and_projects_are_offered(cli: Cli, server: ContractServer) -> None:
    first, second = server.add_job("failed"), server.add_job("running")
    assert offered(cli, "job", "show", "") == [str(second), str(first)]
    assert "sleep" in offered(cli, "run", "")
    assert "sleep" in offered(cli, "jobs", "list", "--type", "")
    assert {"failed", "paused"} <= set(offered(cli, "jobs", "list", "--state", ""))
    assert "failed,paused" in offered(cli, "jobs", "list", "--state", "failed,pa")
    assert offered(cli, "jobs", "list", "--project", "")


def test_nothing_is_offered_and_nothing_is_said_where_no_server_answers(cli: Cli) -> None:
    done = cli("__complete", "job", "show", "", JOBDECK_URL="http://127.0.0.1:9")
    assert [line for line in done.stdout.splitlines() if line and not line.startswith("\x1f")] == []
    assert "error" not in done.stderr


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("jobdeck import or", "orders.csv"),
        ("jobdeck jo", "jobs"),
        ("jobdeck job show 1", "1"),
        ("jobdeck run sle", "sleep"),
    ],
)
def test_bash_completes(shell: Shell, server: ContractServer, tmp_path: Path, line: str, told: str) -> None:
    """With the script that --install-completion writes; `jobdeck` is found on the path by its folder."""
    server.add_job("failed")
    (tmp_path / "orders.csv").write_text("a\n")
    script = tmp_path / "completion.bash"
    script.write_text(
        subprocess.run(
            [sys.executable, "-c", "from jobdeck.cli.main import app; print(app.generate_completion(shell='bash'))"],
            check=True, capture_output=True, text=True,
        ).stdout
    )  # fmt: skip
    words = line.split(" ")
    ask = (
        f"source {script}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; "
        f"COMP_POINT={len(line)}; _f=$(complete -p jobdeck | sed 's/.*-F \\([^ ]*\\).*/\\1/'); "
        '$_f jobdeck "${COMP_WORDS[COMP_CWORD]}" ""; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    environment = shell.environment(PATH=f"{Path(sys.executable).parent}:/usr/bin:/bin")
    done = subprocess.run(
        ["bash", "-c", ask], env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert told in [reply.strip() for reply in done.stdout.splitlines()], done.stderr
