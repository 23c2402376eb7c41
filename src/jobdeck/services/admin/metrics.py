"""Figures of the installation for Prometheus, taken when they are asked for."""

from __future__ import annotations

import asyncio
from collections import Counter as Counts
from collections.abc import Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from jobdeck.access.caller import Caller, Permission
from jobdeck.services.core import Core
from jobdeck.store import garbage
from jobdeck.store.sql import events
from jobdeck.store.views import measures, worker_views
from jobdeck.store.views.measures import Queue

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_PROJECTS = 200
"""Projects that have figures of their own."""
OTHERS = "(others)"
"""The label of what is not named: projects beyond those, types that are not installed."""
_BATCH = 10_000
_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400, 86400)


class _Taken(Collector):
    """Figures that were read a moment ago."""

    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Metrics:
    """The use case of metrics. `registry` takes counters that other parts of the process keep."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.registry = CollectorRegistry()
        self._ended = Counter(
            "jobdeck_jobs_ended",
            "Jobs that ended since this server started.",
            ["type", "state"],
            registry=self.registry,
        )
        self._duration = Histogram(
            "jobdeck_job_running_seconds",
            "Running time of jobs that ended.",
            ["type"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._seen: int | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Count what ends from now on."""
        if self._seen is None:
            async with self._core.database.read() as connection:
                self._seen = await events.last_id(connection)

    async def text(self, caller: Caller) -> bytes:
        """All figures in Prometheus' text format."""
        caller.require(Permission.METRICS_READ)
        async with self._lock:
            await self._count_ended()
        present = CollectorRegistry()
        present.register(_Taken(await self._present()))
        return generate_latest(self.registry) + generate_latest(present)

    async def _count_ended(self) -> None:
        await self.start()
        async with self._core.database.read() as connection:
            self._begin_at_none()
            while True:
                ended = await measures.ended_since(connection, self._seen or 0, _BATCH)
                for job in ended:
                    type_name = self._label(job.type)
                    self._ended.labels(type_name, job.state).inc()
                    self._duration.labels(type_name).observe(job.running_us / 1_000_000)
                    self._seen = job.event_id
                if len(ended) < _BATCH:
                    return

    def _begin_at_none(self) -> None:
        """Every installed type has its counters, from 0: Prometheus sees no increase in one that appears at 1."""
        for registered in self._core.registry:
            for state in measures.ENDED_KINDS:
                self._ended.labels(registered.name, state)

    def _label(self, type_name: str) -> str:
        """A type that is not installed here counts among the others: labels must not grow with what was ever run."""
        return type_name if self._core.registry.find(type_name) is not None else OTHERS

    async def _present(self) -> list[Metric]:
        silence = int(self._core.installation.worker_silence * 1_000_000)
        async with self._core.database.read() as connection:
            now = await self._core.database.clock.now(connection)
            queues = _bounded(await measures.queues(connection, now))
            failed = await measures.failed_now(connection)
            leases = await measures.lease_count(connection)
            strength = await worker_views.strength(connection, now - silence)
            leader = await worker_views.leader(connection, now)
            left = await garbage.left(connection)
        return [
            _jobs(queues),
            self._failed(failed),
            _oldest(queues, now),
            _one("jobdeck_leases", "Jobs held by workers.", leases),
            _one("jobdeck_workers_live", "Workers that gave a sign of life lately and take jobs.", strength.live),
            _one("jobdeck_workers_draining", "Workers that finish what they have and take no more.", strength.draining),
            _one("jobdeck_workers_short", "Workers that get no files or processes for tasks.", strength.short_count),
            _one("jobdeck_scheduler_leads", "Whether a scheduler leads.", 1 if leader else 0),
            _one("jobdeck_storage_garbage", "Places in the storage that could not be deleted so far.", left.count),
        ]

    def _failed(self, failed: Mapping[str, int]) -> Metric:
        """Every installed type has its figure, so that an alarm can tell none from unknown."""
        counts = dict.fromkeys((registered.name for registered in self._core.registry), 0)
        for type_name, count in failed.items():
            counts[self._label(type_name)] = counts.get(self._label(type_name), 0) + count
        family = GaugeMetricFamily("jobdeck_jobs_failed", "Jobs that are failed at this moment.", labels=["type"])
        for type_name, count in counts.items():
            family.add_metric([type_name], count)
        return family


def _bounded(queues: Sequence[Queue]) -> list[Queue]:
    """The projects with the most jobs one by one, the others together."""
    sizes: Counts[str] = Counts()
    for queue in queues:
        sizes[queue.project] += queue.count
    named = {project for project, _ in sizes.most_common(MAX_PROJECTS)}
    others = [queue for queue in queues if queue.project not in named]
    together = [
        _together(state, [q for q in others if q.state == state]) for state in sorted({q.state for q in others})
    ]
    return [queue for queue in queues if queue.project in named] + together


def _together(state: str, queues: Sequence[Queue]) -> Queue:
    oldest = min((queue.oldest for queue in queues if queue.oldest is not None), default=None)
    return Queue(OTHERS, state, sum(queue.count for queue in queues), oldest)


def _jobs(queues: Sequence[Queue]) -> Metric:
    family = GaugeMetricFamily("jobdeck_jobs", "Jobs that have not ended.", labels=["project", "state"])
    for queue in queues:
        family.add_metric([queue.project, queue.state], queue.count)
    return family


def _oldest(queues: Sequence[Queue], now: int) -> Metric:
    name, text = "jobdeck_oldest_pending_seconds", "How long the job that waits longest has been waiting."
    family = GaugeMetricFamily(name, text, labels=["project"])
    for queue in queues:
        if queue.state == "pending":
            family.add_metric([queue.project], max(0, now - (queue.oldest or now)) / 1_000_000)
    return family


def _one(name: str, text: str, value: float) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family
