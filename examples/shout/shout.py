from pathlib import Path

from pydantic import BaseModel

from jobdeck import JobType, Run, step


class Shout(JobType):
    """Copy a text file in capital letters."""

    class Params(BaseModel):
        source: Path
        into: Path

    @step
    def copy(self, run: Run) -> None:
        read, written = run.cursor or (0, 0)
        with self.params.source.open("rb") as source, self.params.into.open("ab") as target:
            source.seek(read)
            target.truncate(written)
            while line := source.readline():
                target.write(line.upper())
                target.flush()
                run.checkpoint([source.tell(), target.tell()])
