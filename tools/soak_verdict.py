"""Whether something grows: lines through what a long run has measured, and what they may rise.

Numbers in, verdicts out; starts nothing and imports no ROS.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

WARM_UP_S = 60.0  # middleware, allocator and caches reach their working size; a quarter at most
# By how much the fitted line may rise from the warm-up to the end, however long that is.
LIMITS: Mapping[str, float] = {
    "memory_mb": 10.0,  # resident; a leak of one 640x480 frame (0.9 MB) in 5 minutes passes it
    "threads": 0.5,  # one that stays is one too many
    "handles": 0.5,
    "latency_median_ms": 10.0,  # a third of a frame's time at 30 Hz
}
UNITS: Mapping[str, str] = {"memory_mb": "MB", "threads": "threads", "handles": "file handles",
                            "latency_median_ms": "ms"}  # fmt: skip
_FEWEST = 6  # samples through which a line says something: two in each third


class Trend(NamedTuple):
    """The line through one column, from the warm-up to the end.

    Attributes:
        first, last: its values at both ends.
        from_s: where it begins.
        limit: by how much it may rise.
        grows: whether it rises by more, or too few values are there to say.
    """

    first: float
    last: float
    from_s: float
    limit: float
    grows: bool

    @property
    def rise(self) -> float:
        return self.last - self.first


def trends(rows: Sequence[Mapping[str, float]]) -> dict[str, Trend]:
    """Return the trend of every column whose last word has a limit.

    Args:
        rows: samples with ``seconds`` and columns like ``recognizer memory_mb``; values may be NaN.

    Raises:
        ValueError: there are no rows.
    """
    if not rows:
        raise ValueError("no samples, no trends")
    seconds = np.array([row["seconds"] for row in rows], float)
    return {
        column: trend(seconds, np.array([row[column] for row in rows], float), limit)
        for column in rows[0]
        if (limit := LIMITS.get(column.rsplit(" ", 1)[-1])) is not None
    }


def trend(seconds: np.ndarray, values: np.ndarray, limit: float) -> Trend:
    """Return the trend of one quantity.

    The line is Tukey's resistant line: busy seconds of the machine neither make a trend nor hide
    one, as they may with least squares, and one more thread that stays is seen unless it came in
    the first or the last sixth of the time.

    Args:
        seconds: (N,) when the samples were taken, rising.
        values: (N,) what they were; NaN where there was none.
        limit: by how much the line may rise.
    """
    begin = min(WARM_UP_S, float(seconds[-1]) / 4)
    chosen = (seconds >= begin) & np.isfinite(values)
    if chosen.sum() < _FEWEST:
        return Trend(np.nan, np.nan, begin, limit, True)
    slope, base = resistant_line(seconds[chosen], values[chosen])
    first, last = base + slope * begin, base + slope * float(seconds[-1])
    return Trend(first, last, begin, limit, not last - first <= limit)


def resistant_line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return slope and value at zero of the line through the medians of the outer thirds.

    J. W. Tukey, "Exploratory Data Analysis", 1977, chapter 10, without the polishing.

    Args:
        x: (N,) rising, N >= 3.
        y: (N,).
    """
    third = len(x) // 3
    left, right = slice(0, third), slice(len(x) - third, None)
    apart = np.median(x[right]) - np.median(x[left])
    slope = float((np.median(y[right]) - np.median(y[left])) / apart)
    return slope, float(np.median(y - slope * x))


def verdict(found: Mapping[str, Trend], problem: str) -> tuple[list[str], int]:
    """Return the lines that tell a person what grows, and the exit code: 0 when nothing does.

    Args:
        found: the trends by column.
        problem: what ended the run early; empty if nothing did.
    """
    lines = []
    for column, one in found.items():
        unit = UNITS[column.rsplit(" ", 1)[-1]]
        lines.append(
            f"{'GROW' if one.grows else 'ok  '} {column}: {one.first:.1f} -> {one.last:.1f} {unit},"
            f" rise {one.rise:+.2f}, limit {one.limit:g}"
        )
    growing = [column for column, one in found.items() if one.grows]
    if problem:
        lines.append(f"FAILED: {problem}")
    if growing:
        lines.append(f"FAILED: rising beyond their limits: {', '.join(growing)}")
    if not problem and not growing:
        lines.append("nothing grows")
    return lines, 1 if problem or growing else 0
