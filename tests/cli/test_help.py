"""What --help shows, and that each example of it can be typed."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import pytest
from cyclopts import App

from jobdeck.cli.arguments.mistakes import commands_of
from jobdeck.cli.arguments.options import hoisted
from jobdeck.cli.commands import CliCommand, by_name, commands, epilogue, examples
from jobdeck.cli.exits import asks_a_server
from jobdeck.cli.main import app
from jobdeck.core.modules import FoundTwice
from tests.cli.conftest import Cli

ALIASES = {"job"}
EXAMPLES = examples()


def every_command(under: App = app, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of each command and each noun, once."""
    yield words
    for name in commands_of(under):
        if not (words == () and name in ALIASES):
            yield from every_command(under[name], (*words, name))


def test_every_command_has_examples_and_no_example_is_of_a_command_that_is_gone() -> None:
    assert set(EXAMPLES) == {" ".join(words) for words in every_command()}


@pytest.mark.parametrize("words", EXAMPLES)
def test_every_example_can_be_typed(words: str) -> None:
    for line in EXAMPLES[words]:
        for command in line.split(" | "):
            program, *typed = shlex.split(command)
            assert program == "jobdeck"
            names, _, _ = app.parse_commands(typed)
            told = " ".join("jobs" if name == "job" else name for name in names)
            assert told == words or (told.startswith(words) and words in {"", *commands_of(app)}) or "|" in line
            app.parse_args(hoisted(typed), exit_on_error=False, print_error=False)


@pytest.mark.parametrize("typed", ["jobs list", "job tasks", "up", "import", "limits", "demo", "move-database"])
def test_help_shows_examples_and_no_default_of_flags(cli: Cli, typed: str) -> None:
    words = typed.split()
    done = cli(*words, "--help")
    assert done.returncode == 0
    assert epilogue(tuple(words)).splitlines()[1].strip() in done.stdout
    assert "default: False" not in done.stdout
    assert ("-o may also stand" in done.stdout) == asks_a_server(tuple(words))


def test_help_says_which_commands_take_the_options_of_all(cli: Cli) -> None:
    done = cli("--help")
    told = " ".join(done.stdout.split())
    assert "Every command but up, demo, server, worker, admin-token and move-database takes --url" in told
    assert "--install-completion" in done.stdout


def test_a_default_that_means_something_is_shown(cli: Cli) -> None:
    assert "[default: 20]" in cli("objects", "rows", "--help").stdout
    assert "[default: table]" in cli("me", "--help").stdout


def test_a_command_is_in_one_file() -> None:
    one = commands()["pauses"]
    assert one.place == "jobdeck.cli.admin.pauses:app"
    assert commands()["import"].place == "jobdeck.cli.import_:import_"
    two = CliCommand("pauses", one.group, one.help, "jobdeck.cli.other", is_noun=True, lines=())
    with pytest.raises(FoundTwice, match=r"pauses is in jobdeck\.cli\.admin\.pauses and in jobdeck\.cli\.other"):
        by_name([one, two])
