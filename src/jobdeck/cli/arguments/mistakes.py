"""What was typed wrongly, told in the words and the form of all other errors: what, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    RepeatArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from jobdeck.cli.exits import UsageError
from jobdeck.core.output.nearest import closest

MEANT = {
    "ls": "list", "users": "tokens", "people": "tokens", "accounts": "tokens", "whoami": "me", "tables": "objects",
    "collections": "objects", "submit": "run", "start": "up", "serve": "up", "status": "health", "queue": "jobs",
    "tasks": "jobs", "errors": "failures", "upload": "files", "load": "import", "ps": "jobs", "log": "logs",
    "stop": "cancel", "kill": "cancel", "abort": "cancel", "retry": "resume", "rerun": "run-again", "get": "show",
    "describe": "show", "rm": "delete", "remove": "delete", "add": "create", "new": "create", "follow": "watch",
    "wait": "watch",
}  # fmt: skip
"""Words of other tools, and the command that does it here; said only where that command is there."""
IMPORT = "jobdeck import"
PIPED = "Keep it as a file with `jobdeck files upload - --name NAME`, then import the file:ID that is told."
KINDS = {int: "a whole number", float: "a number", bool: "yes or no"}


def as_usage_error(error: CycloptsError, root: App) -> UsageError:
    """The parser's complaint as an error of the command line; `root` has all commands."""
    command = " ".join(("jobdeck", *(error.command_chain or ())))
    match error:
        case UnknownCommandError():
            return _unknown_command(error, command)
        case UnknownOptionError():
            return _unknown_option(error, command)
        case UnusedCliTokensError():
            return _left_over(error, command)
        case MissingArgumentError():
            return _missing(error, command)
        case RepeatArgumentError():
            return UsageError(f"{error.token.keyword or 'A value'} is given twice.", "Give it once.")
        case CoercionError():
            return _unfit(error, command, root)
        case _:
            return UsageError(" ".join(str(error).split()), _see(command))


def _unknown_command(error: UnknownCommandError, command: str) -> UsageError:
    word = (error.unused_tokens or ["?"])[0]
    guess = _meant(word, error.app) if error.app is not None else None
    return UsageError(f"'{word}' is no command of `{command}`.", _guess(guess, command))


def _meant(word: str, app: App) -> str | None:
    """The command under `app` that `word` probably stands for; an id alone wants to be shown."""
    known = commands_of(app)
    if "show" in known and word.isdigit():
        return f"show {word}"
    if "jobs" in known and word in commands_of(app["jobs"]):
        return f"job {word}"
    meant = MEANT.get(word.lower())
    return meant if meant in known else closest(word, known)


def _unknown_option(error: UnknownOptionError, command: str) -> UsageError:
    word = (error.token.keyword or error.token.value).partition("=")[0]
    if word == "-":
        return UsageError(f"`{command}` reads no standard input.", PIPED if command == IMPORT else _see(command))
    known = [name for argument in error.argument_collection if argument.parse for name in argument.names]
    if word in ("--url", "--token", "--project", "--output", "-o") and word not in known:
        return UsageError(f"`{command}` takes no {word}: it asks no server.", _see(command))
    guess = closest(word, known)
    if guess is None and "-p" in known:
        name = word.lstrip("-").replace("-", "_")
        return UsageError(
            f"`{command}` has no option {word}.", f"{_see(command)} Parameters are given with -p {name}=…."
        )
    return UsageError(f"`{command}` has no option {word}.", _guess(guess, command))


def _left_over(error: UnusedCliTokensError, command: str) -> UsageError:
    words = error.unused_tokens or ["?"]
    named = " ".join(words)
    if all(word.partition("=")[0].isidentifier() and "=" in word for word in words) and "-p" in _options(error):
        pairs = " ".join(f"-p {word}" for word in words)
        typed = " ".join(word for word in error.root_input_tokens or () if word not in words)
        return UsageError(f"'{named}' stands alone.", f"Write a parameter with -p: jobdeck {typed} {pairs}")
    what = "is one word too many" if len(words) == 1 else "are words too many"
    return UsageError(f"'{named}' {what} for `{command}`.", f"{_see(command)} What has spaces needs quotes.")


def _missing(error: MissingArgumentError, command: str) -> UsageError:
    name = error.keyword or (error.argument.name if error.argument is not None else "a value")
    given = error.keyword is not None or name in (error.tokens_so_far or ())
    if name.startswith("-") and (given or name in (error.unused_tokens or ())):
        return UsageError(f"{name} needs a value.", _see(command))
    return UsageError(f"`{command}` needs {name}.", _see(command))


def _unfit(error: CoercionError, command: str, root: App) -> UsageError:
    token, argument = error.token, error.argument
    if token is None or argument is None:
        return UsageError(" ".join(str(error).split()), _see(command))
    name = token.keyword or argument.name
    choices = argument.get_choices() or ()
    if choices:
        guess = closest(token.value, choices)
        near = f"Did you mean '{guess}'? " if guess else ""
        return UsageError(f"{name}: '{token.value}' is none of {', '.join(choices)}.", f"{near}Choose one of them.")
    kind = KINDS.get(error.target_type) if error.target_type is not None else None
    lists = _lists(error, root) if name == "ID" else None
    return UsageError(
        f"{name}: '{token.value}' is not {kind or 'what is wanted here'}.",
        f"`{lists}` shows the ids. {_see(command)}" if lists else _see(command),
    )


def _lists(error: CoercionError, root: App) -> str | None:
    """The command that lists what the ids of this one name; None where its noun has none."""
    noun = (error.command_chain or ("",))[0]
    return f"jobdeck {noun} list" if noun in root and "list" in commands_of(root[noun]) else None


def commands_of(app: App) -> list[str]:
    """The names of its commands, without flags such as --help."""
    return [name for name in app if not name.startswith("-")]


def _options(error: CycloptsError) -> Iterable[str]:
    app = error.app
    return [name for argument in app.assemble_argument_collection() for name in argument.names] if app else ()


def _guess(guess: str | None, command: str) -> str:
    return f"Did you mean '{guess}'? {_see(command)}" if guess else _see(command)


def _see(command: str) -> str:
    return f"`{command} --help` shows what there is."
