"""Lets camera, recognizer, mirror and virtual face run for long and looks for what grows.

A clip is played in a loop at 30 frames per second; overlay and virtual face are watched, so that
they are drawn. Memory, threads and file handles of every process and the recognizer's latency are
sampled into soak.csv; soak.png shows them. A line is fitted through each (least squares) after the
warm-up; the command fails when one rises by more than its limit, when a process dies, or when the
labels stop.

Usage: python tools/soak.py [--minutes 60] [--clip FILE] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from node_processes import REPOSITORY, Processes, Watcher, held_by, until

NODES = ("camera", "recognizer", "mirror", "robot_face")
WARM_UP_S = 60.0  # middleware, allocator and caches reach their working size; a quarter at most
MOST_SAMPLES = 1800
# By how much the fitted line may rise from the warm-up to the end, however long that is.
LIMITS = {
    "memory_mb": 10.0,  # resident; a leak of one 640x480 frame (0.9 MB) in 5 minutes passes it
    "threads": 0.5,  # one that stays is one too many
    "handles": 0.5,
    "latency_median_ms": 10.0,  # a third of a frame's time at 30 Hz
}
SILENT_S = 10.0  # without a label, of a clip with a face in nearly every frame
_UNITS = {"memory_mb": "MB", "threads": "threads", "handles": "file handles",
          "latency_median_ms": "ms"}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Run; return 0 when nothing has grown, 1 otherwise."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--clip", default=str(REPOSITORY / ".cache/clips/single_face.mp4"))
    parser.add_argument("--output", type=Path, default=REPOSITORY / ".cache/soak")
    options = parser.parse_args(arguments)
    if not Path(options.clip).exists():
        print(f"no clip {options.clip}: python tools/fetch_clips.py .cache/clips", file=sys.stderr)
        return 2
    options.output.mkdir(parents=True, exist_ok=True)
    rows, problem = sampled(60 * options.minutes, options.clip, options.output / "nodes.log")
    if len(rows) < 10:
        print(problem or "too few samples; give it more --minutes", file=sys.stderr)
        return 1
    write_csv(rows, options.output / "soak.csv")
    trends = fitted(rows)
    write_plot(rows, trends, options.output / "soak.png")
    return told(trends, problem)


def sampled(seconds: float, clip: str, log: Path) -> tuple[list[dict[str, float]], str]:
    """Run the nodes and sample them; return one row per sample, and what went wrong if anything."""
    from expression_ros.nodes.running import use_large_image_transport

    use_large_image_transport()
    rows: list[dict[str, float]] = []
    with Processes(log) as processes, Watcher() as watcher:
        for node in ("recognizer", "mirror", "robot_face"):
            processes.start(node)
        processes.start("camera", source=clip, frame_rate=30.0, loop=True)
        _watch_pictures(watcher)
        until(lambda: watcher.labels, "the first label", 60.0)
        begin = time.monotonic()
        period = max(1.0, seconds / MOST_SAMPLES)
        while (now := time.monotonic() - begin) < seconds:
            if dead := processes.dead():
                return rows, f"{', '.join(dead)} died after {now:.0f} s; see {log}"
            if time.monotonic() - watcher.labels[-1][0] > SILENT_S:
                return rows, f"no label for {SILENT_S:.0f} s after {now:.0f} s; see {log}"
            rows.append(_sample(now, processes, watcher))
            del watcher.labels[:-1000], watcher.expressions[:-100]  # this process may grow, too
            if len(rows) % 60 == 0:
                row = rows[-1]
                print(f"{now / 60:.1f} min: recognizer {row['recognizer memory_mb']:.1f} MB, "
                      f"latency {row['recognizer latency_median_ms']:.1f} ms, "
                      f"{row['labels_per_s']:.1f} labels/s", flush=True)  # fmt: skip
            time.sleep(max(0.0, begin + len(rows) * period - time.monotonic()))
    return rows, ""


def _watch_pictures(watcher: Watcher) -> None:
    """Subscribe to the pictures, which are drawn only for somebody."""
    from sensor_msgs.msg import CompressedImage, Image

    watcher.create_subscription(
        CompressedImage, "face_emotion/image/compressed", lambda _: None, 1
    )
    watcher.create_subscription(Image, "robot_face/image", lambda _: None, 1)


def _sample(now: float, processes: Processes, watcher: Watcher) -> dict[str, float]:
    row = {"seconds": now}
    for node in NODES:
        held = held_by(processes.running[node].pid)
        row[f"{node} memory_mb"] = held.memory
        row[f"{node} threads"] = held.threads
        row[f"{node} handles"] = held.handles
    values = watcher.values.get("recognizer: recognition", {})
    row["recognizer latency_median_ms"] = float(values.get("latency median (ms)", "nan"))
    row["recognizer latency_p95_ms"] = float(values.get("latency p95 (ms)", "nan"))
    row["labels_per_s"] = watcher.rate(5.0)
    return row


def fitted(rows: list[dict[str, float]]) -> dict[str, dict[str, Any]]:
    """Fit a line through each limited quantity after the warm-up.

    Returns:
        by column: its ``rise`` from warm-up to end, its ``limit``, ``first`` and ``last`` value of
        the line, ``from_s``, and ``good``.
    """
    seconds = np.array([row["seconds"] for row in rows])
    begin = min(WARM_UP_S, seconds[-1] / 4)
    trends = {}
    for column in rows[0]:
        limit = LIMITS.get(column.rsplit(" ", 1)[-1])
        if limit is None:
            continue
        values = np.array([row[column] for row in rows])
        chosen = (seconds >= begin) & np.isfinite(values)
        if chosen.sum() < 3:
            trends[column] = {"rise": np.nan, "limit": limit, "first": np.nan, "last": np.nan,
                              "from_s": begin, "good": False}  # fmt: skip
            continue
        line = np.poly1d(np.polyfit(seconds[chosen], values[chosen], 1))
        first, last = float(line(begin)), float(line(seconds[-1]))
        trends[column] = {"rise": last - first, "limit": limit, "first": first, "last": last,
                          "from_s": begin, "good": last - first <= limit}  # fmt: skip
    return trends


def told(trends: dict[str, dict[str, Any]], problem: str) -> int:
    """Print the verdict; return the exit code."""
    for column, trend in trends.items():
        unit = _UNITS[column.rsplit(" ", 1)[-1]]
        verdict = "ok  " if trend["good"] else "GROW"
        print(f"{verdict} {column}: {trend['first']:.1f} -> {trend['last']:.1f} {unit}, "
              f"rise {trend['rise']:+.2f}, limit {trend['limit']:g}")  # fmt: skip
    if problem:
        print(f"FAILED: {problem}")
    growing = [column for column, trend in trends.items() if not trend["good"]]
    if growing:
        print(f"FAILED: rising beyond their limits: {', '.join(growing)}")
    if not problem and not growing:
        print("nothing grows")
    return 1 if problem or growing else 0


def write_csv(rows: list[dict[str, float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: round(value, 3) for name, value in row.items()})


def write_plot(
    rows: list[dict[str, float]], trends: dict[str, dict[str, Any]], path: Path
) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    minutes = np.array([row["seconds"] for row in rows]) / 60
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), sharex=True, constrained_layout=True)
    for axis, (quantity, title) in zip(axes.flat, _UNITS.items(), strict=True):
        for column in (c for c in rows[0] if c.rsplit(" ", 1)[-1] == quantity):
            drawn = axis.plot(minutes, [row[column] for row in rows], lw=0.8,
                              label=column.rsplit(" ", 1)[0])  # fmt: skip
            trend = trends[column]
            axis.plot([trend["from_s"] / 60, minutes[-1]], [trend["first"], trend["last"]],
                      "--", color=drawn[0].get_color())  # fmt: skip
        name = quantity.removesuffix("_mb").removesuffix("_ms").replace("_", " ")
        axis.set_title(f"{name} (limit of the rise: {LIMITS[quantity]:g})")
        axis.set_ylabel(title)
        axis.grid(alpha=0.3)
        axis.set_ylim(bottom=0)
    axes[0, 0].legend(fontsize=8)
    for axis in axes[1]:
        axis.set_xlabel("minutes")
    figure.savefig(path, dpi=110)
    plt.close(figure)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        # Logs of the nodes go here, not into the user's home.
        import os

        os.environ.setdefault("ROS_LOG_DIR", folder)
        sys.exit(main())
