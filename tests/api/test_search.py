"""Searching jobs over HTTP: what people paste is found, whether the job waits, has ended, or lies in a segment."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from sqlalchemy import insert, literal, select

from jobdeck.store.schema import jobs, lineage, workers
from jobdeck.store.segments.sealing import Sealer
from jobdeck.store.segments.spans import SIZE
from jobdeck.store.sql.database import Tx
from tests.api.harness import Api

MESSAGE = "Row 17 of orders_2026.csv: column 'price' holds\n  \"12,50 €\", which is no number."
WORKER: dict[str, Any] = {
    "pid": 1, "state": "active", "slots": 1, "light_slots": 1, "types": "[]", "version": "1", "started_at": 1,
    "heartbeat_at": 1,
}  # fmt: skip


async def found(api: Api, **query: str) -> list[int]:
    asked = "&".join(f"{name}={quote(value)}" for name, value in query.items())
    ids = sorted(job["id"] for job in (await api.get(f"jobs?{asked}&fields=id"))["items"])
    assert sum((await api.get(f"jobs/counts?{asked}")).values()) == len(ids), query
    return ids


async def read_and_wrote(api: Api, job: int) -> None:
    async def work(tx: Tx) -> None:
        about = {"job_id": job, "attempt": 1, "at": tx.now}
        touched: list[dict[str, Any]] = [
            {**about, "direction": "input", "object": "file:41", "name": "Jänner daily.parquet"},
            {**about, "direction": "output", "object": "lake/in.shop/returns", "name": None},
        ]
        await tx.connection.execute(insert(lineage), touched)

    await api.core.database.transact(work)


async def seal(api: Api, beside: int) -> None:
    """Let the jobs there are be in a segment: one of the next segment begins, like `beside`."""

    async def work(tx: Tx) -> None:
        other = jobs.alias("other")
        row = [SIZE + 1 if c.name == "id" else f"{SIZE + 1}" if c.name == "run_id" else c for c in other.c]
        columns = [literal(value) if isinstance(value, int | str) else value for value in row]
        await tx.connection.execute(
            insert(jobs).from_select(jobs.c.keys(), select(*columns).where(other.c.id == beside))
        )

    await api.core.database.transact(work)
    sealer = Sealer(api.core.database)
    for _ in range(3):
        await sealer()


async def test_what_is_pasted_is_found(api: Api) -> None:
    await api.token("ann-of-shop", "operator")
    failed = (await api.submit("sleep", {"seconds": 0}))["id"]
    error = {"error_code": "bad_rows", "error_message": MESSAGE, "error_fingerprint": "0123456789ab",
             "error_hint": "Mend the decimal comma.", "error_place": "import.write"}  # fmt: skip
    await api.put_job(failed, state="failed", ended_at=1, **error)
    wrote = (await api.submit("noop", {}, tags=["nightly run"]))["id"]
    await read_and_wrote(api, wrote)
    await api.put_job(wrote, state="succeeded", ended_at=1)
    given = (await api.submit("sleep", {"write": "lake/in.web/visits"}, description="Visits"))["id"]
    hers = (await api.post("projects/default/jobs", {"type": "noop", "params": {}}, 202, token="ann-of-shop"))["id"]
    wanted = {
        "bad_rows": [failed], "0123456789AB": [failed], "0123456789a": [],
        "decimal comma": [failed], "import.write": [failed],
        MESSAGE: [failed], MESSAGE.replace("\n  ", " "): [failed], f"  {MESSAGE}\n": [failed],
        "€": [failed], '"row 17 of"': [failed], '"17 row"': [], "ORDERS_2026.csv": [failed],
        "nightly run": [wrote], "Jänner daily.parquet": [wrote], "file:41": [wrote],
        "lake/in.shop/returns": [wrote], "in.shop nightly": [wrote], "in.shop bad_rows": [],
        "in.web/VISITS": [given], "write": [failed], "ann-of-shop": [hers], "ann-of-shop noop": [hers],
        f"#{wrote}": [wrote], f"job {wrote}": [wrote], f"http://127.0.0.1:8380/jobs/{wrote}": [wrote],
        "[": [], "}": [], "no such thing": [],
    }  # fmt: skip
    for q, ids in wanted.items():
        assert await found(api, q=q) == ids, q
    assert await found(api, q="noop", type="sleep") == []
    assert await found(api, q="  ") == [failed, wrote, given, hers]
    for job in (given, hers):
        await api.put_job(job, state="canceled", ended_at=1)
    await seal(api, hers)
    wanted |= {"ann-of-shop": [hers, SIZE + 1], "ann-of-shop noop": [hers, SIZE + 1]}
    for q, ids in wanted.items():
        assert await found(api, q=q) == ids, f"{q} in a segment"


async def test_what_a_worker_and_a_host_do(api: Api) -> None:
    async def work(tx: Tx) -> None:
        rows = [{"id": "a1", "name": "east", "host": "h1"}, {"id": "a2", "name": "west", "host": "h1"}]
        await tx.connection.execute(insert(workers), [{**WORKER, **row} for row in rows])

    await api.core.database.transact(work)
    east, west, old, nobody = await api.submit_many(4)
    for job, worker in ((east, "east"), (west, "west"), (old, "gone-for-long")):
        await api.put_job(job, worker=worker, state="failed" if job == old else "running", leased=job != old)
    assert await found(api, worker="east") == [east]
    assert await found(api, worker="a2") == [west]
    assert await found(api, worker="gone-for-long,east") == [east, old]
    assert await found(api, host="h1") == [east, west]
    assert await found(api, host="h1", worker="west") == [west]
    assert await found(api, host="elsewhere") == []
    assert await found(api, worker="EAST") == []
    assert nobody in await found(api)
