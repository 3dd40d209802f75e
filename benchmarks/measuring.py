"""Small tools of all the measurements: summaries of times, the state of the machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np


def summary_ms(seconds: Sequence[float]) -> dict[str, float]:
    """Return mean, median, 95th and 99th percentile of times in s, in ms."""
    values = 1000 * np.asarray(seconds, float)
    names = {"median": 50, "p95": 95, "p99": 99}
    return {"mean": float(values.mean())} | {
        name: float(np.percentile(values, share)) for name, share in names.items()
    }


def evenly_chosen(count: int, most: int) -> list[int]:
    """Return at most ``most`` indices of ``count`` items, evenly spread from first to last."""
    return sorted({round(k) for k in np.linspace(0, count - 1, min(count, most))})


def machine() -> dict[str, Any]:
    """Return what the figures depend on; ``load`` is the mean number of running threads, 1 min."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "python": platform.python_version(),
        "opencv": cv2.__version__,
        "load": os.getloadavg()[0],
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
