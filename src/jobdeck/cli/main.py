"""The `jobdeck` command: puts the nouns together, and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter

from jobdeck.cli.arguments.examples import epilogue
from jobdeck.cli.arguments.options import hoisted, shown_default
from jobdeck.cli.arguments.whole import whole_numbers_only
from jobdeck.cli.exits import (
    DEFECT,
    DETACHED,
    DONE,
    EPILOGUE,
    OUTPUT,
    SHORTLY,
    USAGE,
    UsageError,
    asks_a_server,
    code_of,
    say,
    tell,
)
from jobdeck.cli.show.streams import OutputFailed, discard_output, prepare
from jobdeck.core.errors import JobdeckError

SERVING = Group("Serve", sort_key=1)
WORKING = Group("Work with jobs", sort_key=2)
LOOKING = Group("Data", sort_key=3)
RULING = Group("Administration", sort_key=4)

HELP = ("--help", "-h")
COMPLETING = "__complete"
"""The command by which a shell asks what could come next."""

COMMANDS = (
    ("up", "jobdeck.cli.serve:up", "Start everything on this machine.", SERVING),
    ("demo", "jobdeck.cli.demo.demo:demo", "Start with real data loaded, and run the main job on it.", SERVING),
    ("server", "jobdeck.cli.serve:server", "Start API and pages alone, for many machines.", SERVING),
    ("worker", "jobdeck.cli.serve:worker", "Start a worker alone, for many machines.", SERVING),
    ("jobs", "jobdeck.cli.jobs:app", "List, show, watch and operate jobs.", WORKING),
    ("bulk", "jobdeck.cli.jobs.operations:app", "Operations on many jobs: list, follow, stop them.", WORKING),
    ("run", "jobdeck.cli.run:run", "Submit a job of any type.", WORKING),
    ("import", "jobdeck.cli.import_:import_", "Load files into a table or collection.", WORKING),
    ("events", "jobdeck.cli.status:events", "Print what happens, as it happens.", WORKING),
    ("failures", "jobdeck.cli.failures:app", "What goes wrong, grouped by kind.", WORKING),
    ("types", "jobdeck.cli.admin:types", "List and show job types.", WORKING),
    ("files", "jobdeck.cli.files:app", "Upload, list, download and delete project files.", LOOKING),
    ("objects", "jobdeck.cli.objects:app", "Look at tables and collections.", LOOKING),
    ("connections", "jobdeck.cli.data.connections:app", "List, make, change and test connections.", LOOKING),
    ("configurations", "jobdeck.cli.data.configurations:app", "List, save and delete parameters.", LOOKING),
    ("projects", "jobdeck.cli.admin:projects", "List, show, create and change projects.", RULING),
    ("tokens", "jobdeck.cli.admin:tokens", "List, create and revoke access tokens.", RULING),
    ("limits", "jobdeck.cli.rules:limits", "List, set and clear limits.", RULING),
    ("pauses", "jobdeck.cli.rules:pauses", "Hold back the starting of jobs, and let it go on.", RULING),
    ("workers", "jobdeck.cli.admin:workers", "List, show, drain and undrain workers.", RULING),
    ("admin-token", "jobdeck.cli.serve:admin_token", "Make a lost administrator's token anew.", RULING),
    ("move-database", "jobdeck.cli.serve:move_database", "Move everything from SQLite to PostgreSQL.", RULING),
    ("login", "jobdeck.cli.login:login", "Print a link that logs a browser in.", RULING),
    ("history", "jobdeck.cli.status:history", "What was done to all but jobs, and which jobs were deleted.", RULING),
    ("sessions", "jobdeck.cli.sessions:app", "List and end your sessions in browsers.", RULING),
    ("me", "jobdeck.cli.status:me", "Say whom the token speaks for.", RULING),
    ("health", "jobdeck.cli.status:health", "Say whether the server serves.", RULING),
)
"""Name, where it is (imported when it is used), help, group."""


def _version() -> str:
    from jobdeck import __version__

    return __version__


def _build() -> App:
    root = App(
        name="jobdeck",
        help="The job center for data platforms.",
        version=_version,
        config=whole_numbers_only,
        default_parameter=Parameter(show_default=shown_default),
        help_format="plaintext",
    )
    for name, place, text, group in COMMANDS:
        if find_spec(place.partition(":")[0]) is not None:
            root.command(place, name=name, alias="job" if name == "jobs" else None, help=text, group=group)
    root.register_install_completion_command()
    return root


app = _build()


def run(tokens: list[str]) -> int:
    """Carry out one command line; the exit code. Errors are told on standard error, never as a traceback."""
    try:
        words = hoisted(tokens)
        _add_examples(words)
        result: Any = app(words, result_action="return_value", exit_on_error=False, print_error=False)
    except CycloptsError as error:
        from jobdeck.cli.arguments.mistakes import as_usage_error

        tell(as_usage_error(error, app))
        return USAGE
    except UsageError as error:
        tell(error)
        return USAGE
    except JobdeckError as error:
        tell(error)
        return code_of(error)
    except KeyboardInterrupt:
        say("Interrupted.")
        return DETACHED
    except (BrokenPipeError, OutputFailed):
        raise
    except UnicodeEncodeError as error:
        tell(_not_text(error))
        return USAGE
    except Exception as error:
        if sys.flags.dev_mode:
            raise
        say(f"error: {type(error).__name__}: {error}")
        say("hint: This is a defect of the command; PYTHONDEVMODE=1 shows where.")
        return DEFECT
    return result if isinstance(result, int) else DONE


def _add_examples(words: list[str]) -> None:
    """Give the command that is about to run its examples, for its help. Commands load late, so this is where one is."""
    if words[:1] == [COMPLETING]:
        return
    names, apps, _ = app.parse_commands([word for word in words if word not in HELP])
    parts = (epilogue(names), EPILOGUE if not names else SHORTLY if asks_a_server(names) else "")
    apps[-1].help_epilogue = "\n\n".join(part for part in parts if part)


def _not_text(error: UnicodeEncodeError) -> UsageError:
    """Of an argument or a variable whose bytes are no text in UTF-8, which nothing that is sent may be."""
    shown = error.object.encode("utf-8", "surrogateescape")
    return UsageError(
        f"{shown!r} is not text in UTF-8, and cannot be sent.", "Write it in UTF-8; the terminal may use another code."
    )


def main() -> None:
    """The entry point of the console script."""
    prepare()
    try:
        code = _flushed(sys.argv[1:])
    except BrokenPipeError:
        # The reader of a pipe has seen enough (`| head`).
        discard_output()
        code = DONE
    except OutputFailed as error:
        discard_output()
        say(f"error: The output cannot be written: {error.reason}.")
        say("hint: Free some space, or send the output elsewhere.")
        code = OUTPUT
    sys.exit(code)


def _flushed(tokens: list[str]) -> int:
    """The exit code once all output is written; also of a command that ends by itself, such as --help."""
    try:
        code = run(tokens)
    except SystemExit:
        sys.stdout.flush()
        raise
    sys.stdout.flush()
    return code


if __name__ == "__main__":
    main()
