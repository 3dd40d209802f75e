#!/usr/bin/env python3
"""Measures how the boxes of a network compare with those of the cascades, and how they are read.

    python tools/measure_detector_boxes.py --data london.zip --yunet FILE [--centerface FILE]

Classifiers learnt crops made from the cascades' boxes, so a network's boxes are drawn from its
landmarks to mean the same. From portraits in a folder per label (a zip, as the Face Research Lab
London Set of DeBruine and Jones, 2017) this finds the two numbers by which they are drawn
(box_width, box_centre), says how far both boxes differ, and reads some of them, upright and
turned, from the boxes of each detector with the shipped classifier.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.parameters.choices import CASCADES, DETECTORS
from expression_ros.recognition.boxes import Box
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.network_detection import NEAR, NetworkDetector, turned_view
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer
from expression_ros.training.data.image_archives import images_of_archive

Portraits = list[tuple[str, np.ndarray, Box]]
TURNS = (0, 30)


def portraits_of(data: Path) -> Portraits:
    """Return label, grey image and the box on which the cascades agree, where it is one."""
    detector = DetectorChoice().make()
    found = []
    for _, label, image in images_of_archive(data):
        faces = detector.search_photo(image)
        if len(faces) == 1:
            found.append((label, image, faces[0].box))
    return found


def fitted(choice: DetectorChoice, portraits: Portraits) -> str:
    """Return a row: the numbers by which boxes are drawn, and how those drawn now differ."""
    network = choice.network()
    detector = NetworkDetector(network)
    widths, centres, ratios, shifts = [], [], [], []
    for _, image, box in portraits:
        faces = detector.search_photo(image)
        if len(faces) != 1:
            continue
        view, back = turned_view(image, faces[0].box, NEAR, faces[0].turn)
        seen = network.faces(view, network.nearby)
        if len(seen) != 1:
            continue
        marks = seen[0].landmarks @ back[:, :2].T + back[:, 2]
        eyes, mouth = marks[:2].mean(axis=0), marks[3:].mean(axis=0)
        widths.append(box.w / np.linalg.norm([*(marks[1] - marks[0]), *(mouth - eyes)]))
        centres.append((box.centre[1] - eyes[1]) / (mouth[1] - eyes[1]))
        ratios.append(faces[0].box.w / box.w)
        shifts.append(np.subtract(faces[0].box.centre, box.centre) / box.w)
    x, y = np.median(shifts, axis=0)
    return (f"| {choice.name} | {len(ratios)} of {len(portraits)} | {np.median(widths):.2f} | "
            f"{np.median(centres):.2f} | {np.median(ratios):.2f} (sd {np.std(ratios):.2f}) | "
            f"{x:+.3f}, {y:+.3f} |")  # fmt: skip


def read(choice: DetectorChoice, portraits: Portraits, turn: int) -> list[str]:
    """Return for each label which share of the turned portraits is found and read right."""
    settings = RecognizerSettings.from_values({"min_confidence": 0.0})
    recognizer = make_recognizer(replace(settings, detector=choice))
    right: dict[str, list[bool]] = {}
    for label, image, _ in portraits:
        height, width = image.shape
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, 1.0)
        view = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        faces = recognizer.read_still(view).faces
        right.setdefault(label, []).append(len(faces) == 1 and faces[0].label == label)
    return [f"{label} {np.mean(seen):.3f}" for label, seen in sorted(right.items())]


def main(arguments: list[str] | None = None) -> int:
    """Print both tables; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="zip of portraits, by label")
    parser.add_argument("--yunet", help="weights of YuNet")
    parser.add_argument("--centerface", help="weights of CenterFace")
    parser.add_argument("--read", type=int, default=68,
                        help="how many portraits are read (default: %(default)s)")  # fmt: skip
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    choices = [DetectorChoice(name, getattr(args, name)) for name in DETECTORS[1:]
               if getattr(args, name)]  # fmt: skip
    portraits = portraits_of(args.data)
    print("| network | portraits | box_width | box_centre | width, cascades' = 1 | shift |")
    print("|---|---|---|---|---|---|")
    for choice in choices:
        print(fitted(choice, portraits), flush=True)
    portraits = portraits[:: max(1, len(portraits) // args.read)]
    print("\n| detector | " + " | ".join(f"turned by {turn} degrees" for turn in TURNS) + " |")
    print("|---|" + "---|" * len(TURNS))
    for choice in [DetectorChoice(CASCADES), *choices]:
        cells = [", ".join(read(choice, portraits, turn)) for turn in TURNS]
        print(f"| {choice.name} | " + " | ".join(cells) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
