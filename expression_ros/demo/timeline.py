"""What was seen and shown over time, as rows, a CSV file and a plot. Imports no ROS."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from expression_ros.recognition.overlay import COLOURS
from expression_ros.vocabulary import EMOTIONS, UNKNOWN
from expression_ros.whole_files import whole_file


@dataclass(frozen=True)
class TimelineRow:
    """One processed frame: seconds since the first, and empty label and score without a face."""

    seconds: float
    label: str
    score: float | None
    robot_expression: str


def write_csv(rows: Sequence[TimelineRow], path: Path) -> None:
    """Write the rows with the header ``seconds,label,score,robot_expression``."""
    with whole_file(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["seconds", "label", "score", "robot_expression"])
        for row in rows:
            score = "" if row.score is None else f"{row.score:.3f}"
            writer.writerow([f"{row.seconds:.3f}", row.label, score, row.robot_expression])


def write_plot(rows: Sequence[TimelineRow], path: Path) -> None:
    """Draw label, score and robot expression over time as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (labels, scores, robot) = pyplot.subplots(
        3, 1, sharex=True, figsize=(10, 6), height_ratios=(8, 3, 4), layout="constrained"
    )
    names = [*EMOTIONS, UNKNOWN]
    for name in names:
        seconds = [row.seconds for row in rows if row.label == name]
        blue, green, red = (channel / 255 for channel in COLOURS[name])
        labels.plot(
            seconds, [names.index(name)] * len(seconds), "s", ms=5, color=(red, green, blue),
            mec="0.3", mew=0.4,
        )  # fmt: skip
    labels.set_yticks(range(len(names)), names)
    labels.set_ylim(len(names) - 0.5, -0.5)
    labels.grid(axis="y", alpha=0.3)
    labels.set_title("What the recognizer said, and what the robot showed")
    seen = [row for row in rows if row.score is not None]
    scores.plot([r.seconds for r in seen], [r.score for r in seen], ".", ms=4, color="0.3")
    scores.set_ylim(0, 1.05)
    scores.set_ylabel("score")
    shown = list(dict.fromkeys(row.robot_expression for row in rows if row.robot_expression))
    robot.step(
        [row.seconds for row in rows if row.robot_expression],
        [shown.index(row.robot_expression) for row in rows if row.robot_expression],
        where="post", color="0.1",
    )  # fmt: skip
    robot.set_yticks(range(len(shown)), shown)
    robot.set_ylim(-0.5, max(0.5, len(shown) - 0.5))
    robot.set_ylabel("robot")
    robot.set_xlabel("seconds")
    with whole_file(path) as part:
        figure.savefig(part, dpi=100, format="png")
    pyplot.close(figure)
