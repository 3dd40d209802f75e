"""Asks the questions of one of OpenCV's cascades, and counts the windows that each stage leaves.

For draw_explanations.py: OpenCV itself does not tell what happens between its stages.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.recognition.opencv_parts import cascade_folder


@dataclass(frozen=True)
class Stump:
    """One question of a cascade: is the weighted sum of some rectangles below a threshold?

    Attributes:
        rectangles: (x, y, w, h, weight) in the 24x24 window.
        threshold: in units of the window's spread.
        answers: what is added to the stage's sum, below the threshold and else.
    """

    rectangles: tuple[tuple[float, ...], ...]
    threshold: float
    answers: tuple[float, float]


@dataclass(frozen=True)
class Stage:
    """Some stumps, and the sum below which a window is not a face."""

    stumps: tuple[Stump, ...]
    threshold: float


def read_stages(name: str = "frontalface_default") -> list[Stage]:
    """Return the stages of one of OpenCV's cascade files whose trees are stumps."""
    root = ElementTree.parse(cascade_folder() / f"haarcascade_{name}.xml").getroot()[0]
    features = [
        tuple(tuple(float(v) for v in rect.text.split()) for rect in feature.iter("_") if rect.text
              and len(rect.text.split()) == 5)
        for feature in root.find("features")
    ]  # fmt: skip
    stages = []
    for stage in root.find("stages"):
        stumps = []
        for weak in stage.find("weakClassifiers"):
            _, _, feature, threshold = weak.find("internalNodes").text.split()
            low, high = (float(v) for v in weak.find("leafValues").text.split())
            stumps.append(Stump(features[int(feature)], float(threshold), (low, high)))
        stages.append(Stage(tuple(stumps), float(stage.find("stageThreshold").text)))
    return stages


def windows_left(grey: np.ndarray, stages: Sequence[Stage]) -> tuple[list[int], list[Any]]:
    """Return how many windows are left before and after each stage, and those left at the end.

    Every place of every size is asked, sizes a factor of 1.1 apart.

    Returns:
        One count more than there are stages; and (x, y, side) in pixels of the frame.
    """
    counts = np.zeros(len(stages) + 1, int)
    found = []
    scale = 1.0
    while min(grey.shape) / scale >= 24:
        size = (round(grey.shape[1] / scale), round(grey.shape[0] / scale))
        small = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
        sums, squares = cv2.integral2(small)
        sums = sums.astype(np.float64)
        ys, xs = (a.ravel() for a in np.mgrid[0 : size[1] - 23, 0 : size[0] - 23])

        def area(table: np.ndarray, x: Any, y: Any, w: Any, h: Any) -> np.ndarray:
            return table[y + h, x + w] - table[y, x + w] - table[y + h, x] + table[y, x]

        spread = 484 * area(squares, xs + 1, ys + 1, 22, 22)
        spread = np.sqrt(np.maximum(spread - area(sums, xs + 1, ys + 1, 22, 22) ** 2, 1))
        counts[0] += len(xs)
        for k, stage in enumerate(stages):
            total = np.zeros(len(xs))
            for stump in stage.stumps:
                value = sum(
                    weight * area(sums, xs + int(x), ys + int(y), int(w), int(h))
                    for x, y, w, h, weight in stump.rectangles
                )
                total += np.where(value / spread < stump.threshold, *stump.answers)
            kept = total >= stage.threshold
            xs, ys, spread = xs[kept], ys[kept], spread[kept]
            counts[k + 1] += len(xs)
        found += [(x * scale, y * scale, 24 * scale) for x, y in zip(xs, ys, strict=True)]
        scale *= 1.1
    return counts.tolist(), found
