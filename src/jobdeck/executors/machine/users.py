"""The user that tasks run as, where they have one of their own."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from dataclasses import dataclass

from jobdeck.core.errors import JobdeckError

UMASK = 0o007
"""Of tasks that run as another user: what they write, the server can read and change, by its group."""
TRIAL_SECONDS = 60.0


class TaskUserUnusable(JobdeckError, code="task_user_unusable"):
    """Tasks cannot run as the user that the settings name."""


@dataclass(frozen=True, slots=True)
class TaskUser:
    """A user of this machine."""

    name: str
    uid: int
    gid: int
    """Of the first of its groups."""
    home: str

    @classmethod
    def called(cls, text: str) -> TaskUser:
        """By name or number; raises TaskUserUnusable."""
        try:
            found = pwd.getpwuid(int(text)) if text.isascii() and text.isdigit() else pwd.getpwnam(text)
        except (KeyError, OverflowError, ValueError, TypeError) as error:
            hint = "Make one, such as with `useradd --system jobdeck-tasks`."
            raise TaskUserUnusable(
                f"There is no user '{text}' on this machine.", field="task_user", hint=hint
            ) from error
        if found.pw_uid in (0, os.geteuid()) or found.pw_gid in (0, os.getegid()):
            raise TaskUserUnusable(
                f"Tasks cannot run as '{text}': it is root, or shares user or group with the server.",
                field="task_user",
                hint="Make a user with a group of its own.",
            )
        return cls(found.pw_name, found.pw_uid, found.pw_gid, found.pw_dir)

    def environment(self) -> dict[str, str]:
        """What a process takes from its environment to know whose it is."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}

    def try_out(self, folder: str, environment: dict[str, str]) -> None:
        """Start a process as this user, which must find Jobdeck and may write to `folder`, and can be killed."""
        program = "import sys, tempfile, jobdeck.executors.child.__main__; tempfile.TemporaryFile(dir=sys.argv[1])"
        try:
            tried = subprocess.run(
                [sys.executable, "-P", "-c", program, folder], user=self.uid, group=self.gid, extra_groups=[],
                env={**environment, **self.environment()}, cwd="/", capture_output=True,
                timeout=TRIAL_SECONDS, check=False,
            )  # fmt: skip
        except PermissionError as error:
            raise TaskUserUnusable(
                f"Tasks cannot run as '{self.name}': {error}.",
                field="task_user",
                hint="Start the server as root, with a Python that all can read.",
            ) from error
        if tried.returncode:
            last = tried.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            raise TaskUserUnusable(
                f"The user '{self.name}' cannot run tasks: {last}",
                field="task_user",
                hint="It must be able to read Python and Jobdeck's package, and to reach the home's folder `work`.",
            )


_OF_THE_DATABASE = frozenset(("PGPASSWORD", "PGPASSFILE", "PGSERVICE", "PGSERVICEFILE", "PGSSLKEY"))
"""Variables by which the driver of PostgreSQL finds how to log in to the control database."""


def without_settings() -> dict[str, str]:
    """The environment of this process without its settings, which may hold credentials that no task should see."""
    return {name: value for name, value in os.environ.items() if not _is_setting(name)}


def _is_setting(name: str) -> bool:
    return name.startswith("JOBDECK_") or name in _OF_THE_DATABASE
