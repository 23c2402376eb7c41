"""Secrets on the command line: typed at a prompt, or read from files; never among the arguments, which others see."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from getpass import getpass
from pathlib import Path
from typing import Any

from jobdeck.cli.arguments.params import assembled, document
from jobdeck.cli.arguments.schemas import Schema
from jobdeck.cli.exits import UsageError
from jobdeck.core.secrecy import sounds_secret
from jobdeck.core.values import merged

_WHY = "Others could read secrets on the command line."


def given(names: Iterable[str] | None, whole: str | None) -> dict[str, Any]:
    """The secrets of `--secret NAME` (asked for), `--secret NAME=@FILE`, and `--secrets-json @FILE`."""
    if whole is not None and not whole.startswith("@"):
        raise UsageError(_WHY, "Give --secrets-json @FILE, or @- for standard input.")
    base = document(whole, "--secrets-json")
    found: dict[str, Any] = {}
    for text in names or ():
        name, equals, value = text.partition("=")
        if not name.strip(".") or ".." in f".{name}.":
            raise UsageError(f"'{text}' is no name of a secret.", "Write --secret aws_secret_access_key.")
        if equals and not value.startswith("@"):
            raise UsageError(_WHY, f"Give --secret {name} to be asked for it, or --secret {name}=@FILE.")
        secret = _read(name, value[1:]) if equals else _asked(name)
        found = merged(found, _nested(name, secret))
    return merged(base, found)


def none_among(options: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The options as they are, where none is a secret by its name; raises UsageError. The id of a key is none."""
    for name, _ in options:
        last = name.rpartition(".")[2]
        if sounds_secret(last) and not last.endswith("_id"):
            raise UsageError(_WHY, f"Give --secret {name} to be asked for it, or --secret {name}=@FILE.")
    return options


def _nested(name: str, secret: str) -> dict[str, Any]:
    """Dots part groups, as in options. A secret is text, whatever it looks like."""
    path = assembled([(name, "x")], Schema(None))
    inner = path
    while isinstance(following := next(iter(inner.values())), dict):
        inner = following
    inner[next(iter(inner))] = secret
    return path


def _read(name: str, file: str) -> str:
    try:
        content = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The secret {name} cannot be read from '{file}': {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"The secret {name} cannot be read from '{file}': it is no text in UTF-8.") from error
    secret = content.rstrip("\r\n")
    if not secret:
        raise UsageError(f"The secret {name} is empty in '{file}'.")
    return secret


def _asked(name: str) -> str:
    if not sys.stdin.isatty():
        raise UsageError(f"The secret {name} cannot be asked for without a terminal.", f"Give --secret {name}=@FILE.")
    secret = getpass(f"{name}: ")
    if not secret:
        raise UsageError(f"The secret {name} is empty.")
    return secret
