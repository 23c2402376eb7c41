"""The lists' column store against Arrow IPC files with pyarrow.compute, and Parquet files with DuckDB.

    python benchmarks/bench_segments.py [--jobs 1000000] [--repeat 20] [--keep FOLDER]

The same ended jobs, in segments of 16,384 ids: as Jobdeck seals them (in SQLite), as one IPC file and as one Parquet
file a segment. Each way answers the same questions in a process of its own: the ids of a first page, or counts by
state. `cold` is the first answer of a new process, `warm` the median of those that follow, in ms; memory is what the
process holds (USS) at its end beyond what it held before it asked. `--keep` leaves the files for the next run."""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import lists_data as data
import measuring
import psutil
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobdeck.store.segments import asking
from jobdeck.store.segments.archive import Archive
from jobdeck.store.segments.asking import SegmentSnapshot
from jobdeck.store.segments.job_filter import JobFilter, Sort
from jobdeck.store.segments.matching import People
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.sql.database import Database

LIMIT = 51
STATES = ("canceled", "failed", "succeeded")
COLUMNS = ("id", "state", "project_id", "type", "created_by", "ended_at", "running_us", "tags", "description",
           "subject", "error_code", "error_message")  # fmt: skip
Answer = dict[str, int] | list[int]
Ask = Callable[[dict[str, Any]], Answer]
QUESTIONS: dict[str, dict[str, Any]] = {
    "no filter": {},
    "state and type": {"state": "failed", "type": "t1"},
    "rare type": {"type": "t29"},
    "text in error": {"text": "went wrong 299"},
    "tag": {"tag": "tag99"},
    "person": {"created_by": 200},
    "by end": {"sort": "ended_at"},
    "by duration, of a state": {"sort": "duration", "state": "failed"},
    "counts": {"count": True},
    "counts, person": {"count": True, "created_by": 2},
    "counts, text in error": {"count": True, "text": "went wrong 299"},
}


class Columns:
    """Today's segments."""

    def __init__(self, folder: Path) -> None:
        self._runner = asyncio.Runner()
        self._database = Database(f"sqlite+aiosqlite:///{folder / 'lists.db'}")
        self._archive = Archive()

    def ask(self, asked: dict[str, Any]) -> Answer:
        return self._runner.run(self._ask(asked))

    async def _ask(self, asked: dict[str, Any]) -> Answer:
        names = ("state", "type", "tag")
        values = {name: asked[name] for name in names if name in asked}
        person = f"user{asked['created_by'] - 1}" if "created_by" in asked else None
        where = JobFilter(q=f'"{asked["text"]}"' if "text" in asked else None, created_by=person, **values)
        people = People({person: asked["created_by"]} if person else {})
        async with self._database.read_one_moment() as connection:
            sealed = SegmentSnapshot(self._archive, await self._archive.sealed(connection), [])
            question = sealed.question(where, people)
            if asked.get("count"):
                return await asking.counts(connection, sealed, question)
            sort = Sort(asked.get("sort", "created_at"))
            found = await asking.first(connection, sealed, question, sort, None, LIMIT)
            return [job for _, job in found.jobs]

    def close(self) -> None:
        self._runner.run(self._database.close())
        self._runner.close()


class Ipc:
    """A memory-mapped IPC file a segment, asked by pyarrow.compute."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted(folder.glob("*.arrow"), reverse=True)
        self._kept: dict[Path, pa.Table] = {}

    def ask(self, asked: dict[str, Any]) -> Answer:
        counts = dict.fromkeys(STATES, 0)
        found: list[tuple[int, int]] = []
        by = {"ended_at": "ended_at", "duration": "running_us"}.get(asked.get("sort", ""), "id")
        for path in self._paths:
            table = self._matching(self._table(path), asked)
            if asked.get("count"):
                for pair in pc.value_counts(table["state"]).to_pylist():
                    counts[pair["values"]] += pair["counts"]
                continue
            best = table.take(pc.select_k_unstable(table, LIMIT, [(by, "descending"), ("id", "descending")]))
            found += zip(best[by].to_pylist(), best["id"].to_pylist(), strict=True)
            if by == "id" and len(found) >= LIMIT:
                break
        return counts if asked.get("count") else [job for _, job in sorted(found, reverse=True)[:LIMIT]]

    def _table(self, path: Path) -> pa.Table:
        if path not in self._kept:
            self._kept[path] = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return self._kept[path]

    def _matching(self, table: pa.Table, asked: dict[str, Any]) -> pa.Table:
        masks = [pc.equal(table[name], asked[name]) for name in ("state", "type", "created_by") if name in asked]
        if "text" in asked:
            masks.append(
                pc.fill_null(pc.match_substring(table["error_message"], asked["text"], ignore_case=True), False)
            )
        if "tag" in asked:
            tags = table["tags"].combine_chunks()
            parents = pc.list_parent_indices(tags).filter(pc.equal(pc.list_flatten(tags), asked["tag"]))
            masks.append(pc.is_in(pa.array(range(len(table))), parents))
        table = table.select(["id", "state", "ended_at", "running_us"])
        for mask in masks[1:]:
            masks[0] = pc.and_(masks[0], mask)
        return table.filter(masks[0]) if masks else table

    def close(self) -> None:
        self._kept.clear()


_DUCK_PARTS = {
    "state": "state = ?", "type": "type = ?", "created_by": "created_by = ?",
    "text": "contains(lower(error_message), ?)", "tag": "list_contains(tags, ?)",
}  # fmt: skip


class Duck:
    """A Parquet file a segment, asked by DuckDB."""

    def __init__(self, folder: Path) -> None:
        import duckdb

        self._connection = duckdb.connect(config={"threads": 2})
        self._from = f"FROM read_parquet('{folder}/*.parquet')"

    def ask(self, asked: dict[str, Any]) -> Answer:
        parts, values = ["true"], []
        for name, part in _DUCK_PARTS.items():
            if name in asked:
                parts.append(part)
                values.append(asked[name])
        where = f"{self._from} WHERE {' AND '.join(parts)}"
        if asked.get("count"):
            rows = self._connection.execute(f"SELECT state, count(*) {where} GROUP BY 1", values).fetchall()
            return {**dict.fromkeys(STATES, 0), **dict(rows)}
        by = {"ended_at": "ended_at DESC, ", "duration": "running_us DESC, "}.get(asked.get("sort", ""), "")
        rows = self._connection.execute(f"SELECT id {where} ORDER BY {by}id DESC LIMIT {LIMIT}", values).fetchall()
        return [job for (job,) in rows]

    def close(self) -> None:
        self._connection.close()


WAYS: dict[str, type[Columns | Ipc | Duck]] = {"columns": Columns, "pyarrow IPC": Ipc, "DuckDB Parquet": Duck}


def export(folder: Path) -> None:
    """The ended jobs of the sealed segments as files."""
    with closing(sqlite3.connect(folder / "lists.db")) as connection:
        sealed = [number for (number,) in connection.execute("SELECT id FROM segments ORDER BY id")]
        for number in sealed:
            table = pa.table(_arrays(list(_rows(connection, number))))
            with pa.ipc.new_file(folder / f"{number:06}.arrow", table.schema) as file:
                file.write_table(table)
            pq.write_table(table, folder / f"{number:06}.parquet", compression="zstd")


def _rows(connection: sqlite3.Connection, number: int) -> Iterator[Sequence[Any]]:
    names = ", ".join(COLUMNS)
    query = f"SELECT {names} FROM jobs WHERE id >= ? AND id < ? AND state IN (?, ?, ?) ORDER BY id"  # noqa: S608
    yield from connection.execute(query, (number * SIZE, (number + 1) * SIZE, *STATES))


def _arrays(rows: list[Sequence[Any]]) -> dict[str, pa.Array]:
    made: dict[str, pa.Array] = {}
    for name, values in zip(COLUMNS, zip(*rows, strict=True), strict=True):
        if name == "tags":
            made[name] = pa.array([json.loads(text) for text in values], pa.list_(pa.string()))
        elif isinstance(next((value for value in values if value is not None), None), str):
            made[name] = pa.array(values, pa.string())
            if name in ("state", "type", "subject", "error_code"):
                made[name] = made[name].dictionary_encode()
        else:
            made[name] = pa.array(values, pa.int64())
    return made


def measure(way: str, folder: Path, repeat: int) -> dict[str, Any]:
    """Of one way: ms of the first answer and of later ones for each question, the answers, and MB beyond the start."""
    process = psutil.Process()
    before = process.memory_full_info()
    store = WAYS[way](folder)
    found: dict[str, Any] = {}
    for name, asked in QUESTIONS.items():
        took = []
        for _ in range(repeat + 1):
            began = time.perf_counter()
            answer = store.ask(asked)
            took.append((time.perf_counter() - began) * 1000)
        found[name] = {"cold": took[0], "warm": measuring.median(took[1:]), "answer": answer}
    after = process.memory_full_info()
    store.close()
    return {"asked": found, "uss": (after.uss - before.uss) / 1e6, "rss": (after.rss - before.rss) / 1e6}


def run(folder: Path, jobs: int, repeat: int) -> None:
    if not (folder / "lists.db").exists():
        url = f"sqlite+aiosqlite:///{folder / 'lists.db'}"
        data.fill(url, jobs, 4000)
        data.seal(url)
    if not any(folder.glob("*.parquet")):
        export(folder)
    told: dict[str, dict[str, Any]] = {}
    for way in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            told[way] = pool.apply(measure, (way, folder, repeat))
    rows: list[list[Any]] = []
    for name in QUESTIONS:
        answers = [told[way]["asked"][name].pop("answer") for way in WAYS]
        same = all(answer == answers[0] for answer in answers)
        rows.append([name, *(told[way]["asked"][name][kind] for way in WAYS for kind in ("cold", "warm")),
                     "" if same else "answers differ"])  # fmt: skip
    rows.append(["MB held, MB resident", *(told[way][kind] for way in WAYS for kind in ("uss", "rss")), ""])
    measuring.table(["question", *(f"{way} {kind}" for way in WAYS for kind in ("cold", "warm")), ""], rows)
    measuring.save(f"segments-{jobs}", told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--keep", type=Path, default=None)
    asked = parser.parse_args()
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
        run(asked.keep, asked.jobs, asked.repeat)
        return
    with tempfile.TemporaryDirectory(prefix="bench-segments") as folder:
        run(Path(folder), asked.jobs, asked.repeat)


if __name__ == "__main__":
    main()
