"""A trend as bars: their places in a drawing, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jobdeck.core.amounts import number
from jobdeck.wire.failures import Trend

SHARE = 0.72
"""Of the room of a bar that it fills; the rest is between it and the next."""
LEAST = 2.0
"""Height of the bar of a part in which there was something."""


@dataclass(frozen=True, slots=True)
class ChartBar:
    """One part of the trend, in the units of the drawing."""

    x: str
    y: str
    """Of its upper edge, from the top."""
    width: str
    height: str
    count: int
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Chart:
    """The bars of a trend, and what they tell in `text`."""

    width: int
    height: int
    bars: list[ChartBar]
    most: int
    part: str
    """How long each part is, in words."""
    text: str

    @property
    def busy(self) -> list[ChartBar]:
        """The parts in which there was something."""
        return [bar for bar in self.bars if bar.count]


def chart(trend: Trend, width: int, height: int) -> Chart:
    """The trend in a drawing of this size."""
    most = max(trend.counts, default=0)
    step = width / max(1, len(trend.counts))
    bars = []
    for place, count in enumerate(trend.counts):
        tall = max(LEAST, height * count / most) if count else 0.0
        at = trend.since + timedelta(seconds=trend.bucket_seconds * place)
        bars.append(
            ChartBar(
                x=f"{place * step + step * (1 - SHARE) / 2:.2f}",
                y=f"{height - tall:.2f}",
                width=f"{step * SHARE:.2f}",
                height=f"{tall:.2f}",
                count=count,
                at=at,
                until=at + timedelta(seconds=trend.bucket_seconds),
            )
        )
    return Chart(width, height, bars, most, length(trend.bucket_seconds), words(trend))


def words(trend: Trend) -> str:
    """What a picture of the trend would tell."""
    since = trend.since.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if not any(trend.counts):
        return f"Since {since}: none."
    most = max(trend.counts)
    peak = trend.since + timedelta(seconds=trend.bucket_seconds * trend.counts.index(most))
    parts = f"in parts of {length(trend.bucket_seconds)}: {number(sum(trend.counts))} in all"
    when = peak.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"Since {since}, {parts}, at most {number(most)} ({when}), {number(trend.counts[-1])} in the latest part."


def length(seconds: int) -> str:
    """`30 minutes`, `6 hours`, `1 day`: parts are round."""
    for size, name in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds % size == 0:
            return f"{seconds // size} {name}{'' if seconds == size else 's'}"
    return f"{seconds} seconds"
