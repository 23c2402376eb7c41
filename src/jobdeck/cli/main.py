"""The `jobdeck` command: puts the nouns together, and turns errors into messages and exit codes."""

from __future__ import annotations

import sys
from typing import Any

from cyclopts import App, CycloptsError, Group, Parameter

from jobdeck.cli.arguments.options import hoisted, shown_default
from jobdeck.cli.arguments.whole import whole_numbers_only
from jobdeck.cli.commands import commands, epilogue
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

GROUPS = ("Serve", "Work with jobs", "Data", "Administration")
"""The groups of commands, in the order of `jobdeck --help`."""

HELP = ("--help", "-h")
COMPLETING = "__complete"
"""The command by which a shell asks what could come next."""


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
    groups = {name: Group(name, sort_key=position) for position, name in enumerate(GROUPS, 1)}
    for name, command in commands().items():
        alias = "job" if name == "jobs" else None
        root.command(command.place, name=name, alias=alias, help=command.help, group=groups[command.group])
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
