"""Lets camera, recognizer, mirror and virtual face run for long and looks for what grows.

A clip is played in a loop at 30 frames per second; overlay and virtual face are watched, so that
they are drawn. Memory, threads and file handles of every process and the recognizer's latency are
sampled into soak.csv; soak.png shows them. A line is fitted through each after the warm-up
(soak_verdict.py); the command fails when one rises by more than its limit, when a process dies, or
when the labels stop.

Usage: python tools/soak.py [--minutes 60] [--clip FILE] [--output FOLDER]
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from node_processes import REPOSITORY, Processes, Watcher, held_by, until
from soak_verdict import LIMITS, UNITS, Trend, trends, verdict

NODES = ("camera", "recognizer", "mirror", "robot_face")
MOST_SAMPLES = 1800
SILENT_S = 10.0  # without a label, of a clip with a face in nearly every frame


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
    found = trends(rows)
    write_plot(rows, found, options.output / "soak.png")
    lines, code = verdict(found, problem)
    print("\n".join(lines))
    return code


def sampled(seconds: float, clip: str, log: Path) -> tuple[list[dict[str, float]], str]:
    """Run the nodes and sample them; return one row per sample, and what went wrong if anything."""
    from expression_ros.nodes.common.running import use_large_image_transport

    use_large_image_transport()
    rows: list[dict[str, float]] = []
    with Processes(log) as processes, Watcher() as watcher:
        for node in ("recognizer", "mirror", "robot_face"):
            processes.start(node)
        processes.start("camera", source=clip, frame_rate=30.0, loop=True)
        _watch_images(watcher)
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


def _watch_images(watcher: Watcher) -> None:
    """Subscribe to the images, which are drawn only for somebody."""
    from sensor_msgs.msg import CompressedImage, Image

    watcher.create_subscription(CompressedImage, "face_emotion/image/compressed", lambda _: None, 1)
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


def write_csv(rows: list[dict[str, float]], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: round(value, 3) for name, value in row.items()})


def write_plot(rows: list[dict[str, float]], found: dict[str, Trend], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    minutes = np.array([row["seconds"] for row in rows]) / 60
    figure, axes = plt.subplots(2, 2, figsize=(11, 7), sharex=True, constrained_layout=True)
    for axis, (quantity, title) in zip(axes.flat, UNITS.items(), strict=True):
        for column in (c for c in rows[0] if c.rsplit(" ", 1)[-1] == quantity):
            drawn = axis.plot(minutes, [row[column] for row in rows], lw=0.8,
                              label=column.rsplit(" ", 1)[0])  # fmt: skip
            trend = found[column]
            axis.plot([trend.from_s / 60, minutes[-1]], [trend.first, trend.last],
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
