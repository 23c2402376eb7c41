"""Task code that reads and writes files."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel

from jobdeck.core.jobtype import JobType
from jobdeck.core.tasks import Run


class Reader(JobType):
    """Params: which file."""

    class Params(BaseModel):
        """As said."""

        path: str

    def read(self, run: Run) -> str:
        return Path(self.params.path).read_text()

    def write(self, run: Run) -> int:
        Path(self.params.path).write_text("made")
        return os.getuid()
