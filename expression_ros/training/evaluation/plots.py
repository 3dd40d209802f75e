"""Images of an evaluation: confusion matrix, reliability diagram, coverage. Needs matplotlib."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from expression_ros.training.data.faces import DataError
from expression_ros.training.evaluation.metrics import CalibrationBin, Coverage

_BLUE, _ORANGE = "#0072b2", "#d55e00"  # of Okabe and Ito's palette (2008), for all eyes
_PALE, _GREY = "#b8d4e6", "#777777"
_FEW = 10  # answers; the share of right ones among fewer says little
_DPI = 120


def check_drawing() -> None:
    """Raise DataError if there is nothing to draw with."""
    if importlib.util.find_spec("matplotlib") is None:
        raise DataError("a report needs matplotlib for its plots: pip install matplotlib")


def save_confusion(path: Path, counts: np.ndarray, labels: Sequence[str], title: str) -> None:
    """Draw a confusion matrix in shares of each row; rows without faces are left out.

    Args:
        path: PNG to write.
        counts: (L, L) int; row: true label, column: said label.
        labels: L names.
        title: over the image.
    """
    sums = counts.sum(axis=1)
    rows = [row for row, faces in enumerate(sums.tolist()) if faces]
    shares = counts[rows] / sums[rows, None]
    width, height = 2.6 + 0.75 * len(labels), 2.2 + 0.62 * len(rows)
    figure, axes = _figure(title, (width, height))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(*shares.shape):
        count = int(counts[rows[row], column])
        if not count:
            continue  # an empty field is easier to see than a zero
        share = shares[row, column]
        axes.text(column, row, f"{share:.2f}\n{count:,}", ha="center", va="center", fontsize=9,
                  color="white" if share > 0.6 else "black")  # fmt: skip
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [f"{labels[k]} ({sums[k]:,})" for k in rows])
    axes.set_xticks(np.arange(0.5, len(labels) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(rows) - 1), minor=True)
    axes.grid(which="minor", color="#dddddd", linewidth=0.8)
    axes.tick_params(which="both", length=0)
    axes.set_xlabel("said")
    axes.set_ylabel("true (faces)")
    _save(figure, path)


def save_calibration(path: Path, bins: Sequence[CalibrationBin], error: float, title: str) -> None:
    """Draw a reliability diagram, and below it how many answers each bin has.

    Args:
        path: PNG to write.
        bins: see ``metrics.calibration_bins``.
        error: expected calibration error, written into the image.
        title: over the image.
    """
    figure, axes = _figure(title, (6.4, 6.2))
    lower = axes.inset_axes((0, -0.42, 1, 0.26), sharex=axes)
    filled = [b for b in bins if b.count]
    for few, colour, label in ((False, _BLUE, "share of right answers"),
                               (True, _PALE, f"the same, fewer than {_FEW} answers")):  # fmt: skip
        drawn = [b for b in filled if (b.count < _FEW) == few]
        if drawn:
            axes.bar([b.low for b in drawn], [b.right for b in drawn],
                     width=[b.high - b.low for b in drawn], align="edge", color=colour,
                     edgecolor="white", label=label)  # fmt: skip
    axes.plot([0, 1], [0, 1], color=_GREY, linestyle="--", label="right as often as they say")
    axes.plot([b.score for b in filled], [b.right for b in filled], "o", color=_ORANGE, zorder=3,
              markersize=5, clip_on=False, label="at the bin's mean score")  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of right answers")
    axes.legend(loc="upper left", frameon=False, fontsize=9,
                title=f"calibration error {error:.3f}", alignment="left")  # fmt: skip
    lower.bar([b.low for b in filled], [b.count for b in filled],
              width=[b.high - b.low for b in filled], align="edge", color=_GREY,
              edgecolor="white")  # fmt: skip
    lower.set(xlabel="score", ylabel="answers")
    for side in ("top", "right"):
        lower.spines[side].set_visible(False)
    _save(figure, path)


def save_coverage(path: Path, curve: Sequence[Coverage], title: str) -> None:
    """Draw how much is said, and how much of it is right, for every min_confidence.

    Args:
        path: PNG to write.
        curve: see ``metrics.coverage_curve``.
        title: over the image.
    """
    figure, axes = _figure(title, (6.4, 4.8))
    left = [row for row in curve if row.said > 0]
    axes.plot([row.threshold for row in left], [row.right for row in left], marker="o",
              color=_BLUE, label="right, of what is said")  # fmt: skip
    axes.plot([row.threshold for row in curve], [row.said for row in curve], marker="s",
              color=_ORANGE, label="said, of all faces")  # fmt: skip
    axes.set(xlim=(-0.01, 1), ylim=(0, 1.03), xlabel="min_confidence", ylabel="share of faces")
    axes.grid(color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.legend(loc="lower left", frameon=False)
    _save(figure, path)


def _figure(title: str, size: tuple[float, float]) -> tuple[Any, Any]:
    # Not by pyplot, which would change the caller's backend.
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, loc="left")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    figure.savefig(path, dpi=_DPI, bbox_inches="tight", pad_inches=0.15)
