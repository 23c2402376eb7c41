"""How the command line ends: exit codes, and errors told in one message."""

from __future__ import annotations

import re
import sys
from contextlib import suppress

from jobdeck.cli.commands import commands
from jobdeck.core.errors import JobdeckError

_REQUEST = re.compile(r"GET /api/v1/(?:me/)?(?P<noun>[a-z-]+)(?:/(?P<name>[\w.-]+))?(?= )")
_SELECTION = re.compile(r"^select\.filter\.(\w+)(?:\[\d+\])?(?=: )")
"""Where the API says that a filter of an operation is; who typed it knows the filter alone."""

DONE = 0
JOB_FAILED = 1
USAGE = 2
REFUSED = 3
UNREACHABLE = 4
OUTPUT = 5
DEFECT = 70
DETACHED = 130

ALONE = ("up", "demo", "server", "worker", "admin-token", "move-database")
"""Commands that ask no server: they start one, or work on its home."""

EPILOGUE = """\
Every command but up, demo, server, worker, admin-token and move-database takes
--url, --token, --home, --project and -o table|json|ids, before or after the verb.

`jobdeck COMMAND --help` shows options and examples.
`jobdeck --install-completion` lets the shell complete commands, files, types,
states and ids.

Exit codes:
  0    done
  1    the job failed; when waited for also: was canceled or paused;
       a dry run found that it would fail; a connection does not work
  2    the command line is wrong; a server cannot start as it is set up
  3    the server refused
  4    the server cannot be reached, or does not work
  5    the output cannot be written; what was asked for may have been done
  70   a defect in this command; PYTHONDEVMODE=1 shows where
  130  interrupted; jobs go on"""


SHORTLY = "--url, --token, --home, --project and -o may also stand before the verb.\nExit codes: see `jobdeck --help`."


def asks_a_server(words: tuple[str, ...]) -> bool:
    """Whether the command of these words has the options of all that ask a server."""
    return not words or words[0] not in ALONE


class UsageError(Exception):
    """The command line asks for something that makes no sense; `hint` says what would."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def code_of(error: JobdeckError) -> int:
    """The exit code for an error of the client."""
    from jobdeck.client.errors import ApiError, ServerFailed

    if error.kind == "unavailable" or isinstance(error, ServerFailed):
        return UNREACHABLE
    return REFUSED if isinstance(error, ApiError) else USAGE


def tell(error: JobdeckError | UsageError) -> None:
    """Write the error to standard error: what, where, and what to do next."""
    said = _SELECTION.sub(r"\1", error.message)
    say(f"error: {said}")
    problem = getattr(error, "problem", None)
    fields = problem.errors if problem is not None else []
    for item in fields:
        if item.message not in error.message:
            say(f"  {item.field}: {item.message}")
    field = getattr(error, "field", None)
    if field and not fields and {".", "["} & set(field) and field not in error.message:
        say(f"  in: {field}")
    if error.hint:
        say(f"hint: {_as_command(error.hint)}")


_AS_COMMANDS = (
    (re.compile(r"PUT /api/v1/limits/instance"), "`jobdeck limits set instance N --instance`"),
    (re.compile(r"set it at /api/v1/projects/([^/]+)/limits/project"), r"add --project \1"),
    (re.compile(r"a project's are at /api/v1/projects/<name>/limits"), "leave --instance out for those of a project"),
    (re.compile(r"set it with as_written=true"), "add --as-written"),
    (re.compile(r"with force=true"), "with --force"),
    (re.compile(r"say so with `for`"), "say so with --for"),
    (re.compile(r"GET /api/v1/limits lists"), "`jobdeck limits list --instance` lists"),
    (re.compile(r"GET /api/v1/projects/[^/]+/limits lists"), "`jobdeck limits list` lists"),
    (re.compile(r"GET /api/v1/jobs/(\d+)/rejects lists"), r"`jobdeck job rejects \1` lists"),
)
"""What hints of the API say, and what a person types instead."""


def _as_command(hint: str) -> str:
    """The hint of the API with the command that does what its request would do."""
    for said, typed in _AS_COMMANDS:
        hint = said.sub(typed, hint)
    return _REQUEST.sub(_typed, hint)


def _typed(asked: re.Match[str]) -> str:
    """The command of the noun that the address names; the request itself where there is none."""
    noun = commands().get(asked["noun"])
    if noun is None or not noun.is_noun:
        return asked[0]
    return f"`jobdeck {noun.name} {'show ' + asked['name'] if asked['name'] else 'list'}`"


def say(text: str) -> None:
    """A line for people, beside the output: on standard error."""
    from jobdeck.cli.show.terminal import wrapped
    from jobdeck.cli.show.text import clean

    with suppress(OSError, ValueError):  # a remark that nobody can read is no reason to fail
        print(wrapped(clean(text), _indent(text), sys.stderr), file=sys.stderr, flush=True)


def _indent(text: str) -> int:
    """Cells that further lines of a remark are in: behind `error: ` and `hint: `, else two more than the first."""
    head, colon, _ = text.partition(": ")
    return len(head) + 2 if colon and head in ("error", "hint") else len(text) - len(text.lstrip(" ")) + 2
