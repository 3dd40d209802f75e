#!/usr/bin/env python3
"""Measures which faces are found in made scenes, and how wide their boxes are.

    python tools/measure_detection.py --data london.zip [--portraits 12] [--yunet FILE]
        [--centerface FILE] [--video FILE]

Portraits (a zip or a folder of images, one face each, as the Face Research Lab London Set of
DeBruine and Jones, 2017) are placed into images of 640x480: upright, turned, cut by the edge,
near, in the dark and small. A face is found if a box overlaps where it is by more than 0.4 (of the
union of both); "width" is the median of the boxes' widths as a share of the face's. The truth is
the box that the four cascades agree on in the upright portrait: it says nothing about portraits in
which they see nobody, and favours them. With --yunet and --centerface, these detectors are measured
as well, with the user's own weights, as the package uses them: their boxes are drawn from landmarks
so that they mean the same. With --video, what finding faces costs in a stream is measured too: each
frame is read by all detectors in turn, on one thread, in time of the processor.
"""

from __future__ import annotations

import argparse
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from expression_ros.parameters.choices import CASCADES, DETECTORS
from expression_ros.recognition.boxes import Box, Detection, overlap
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.detection import FaceDetector
from expression_ros.recognition.detector import Detector
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.image_operations import brightened
from expression_ros.session.recognizer import RecognizerSettings, make_recognizer

SIZE = (640, 480)
FOUND = 0.4


class Scene(NamedTuple):
    """How a portrait is shown: width of the face and its place in px, turn in degrees, light."""

    width: float
    x: float = 320.0
    turn: float = 0.0
    light: float = 1.0


SCENES = {
    "upright": Scene(150),
    **{f"turned by {turn} degrees": Scene(150, turn=turn) for turn in (15, 20, 25, 30)},
    "half of the height": Scene(240),
    "seven tenths of the height": Scene(336),
    "as high as the image": Scene(480),
    "cut by the side": Scene(200, x=60),
    **{f"{light:g} of the light": Scene(150, light=light) for light in (0.2, 0.1, 0.05)},
    **{f"{share:.0%} of the height": Scene(480 * share) for share in (0.07, 0.09, 0.12)},
}
Search = Callable[[np.ndarray], list[Box]]


def portraits(data: Path, count: int) -> list[np.ndarray]:
    """Return up to so many portraits, spread evenly over a zip or folder, as grey images."""
    if data.is_dir():
        raw = [path.read_bytes() for path in _spread(sorted(data.rglob("*.jpg")), count)]
    else:
        with zipfile.ZipFile(data) as archive:
            names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
            raw = [archive.read(name) for name in _spread(names, count)]
    return [cv2.imdecode(np.frombuffer(one, np.uint8), cv2.IMREAD_GRAYSCALE) for one in raw]


def _spread(items: list, count: int) -> list:
    return items[:: max(1, len(items) // count)][:count]


def images(faces: list[tuple[np.ndarray, Box]], scene: Scene) -> Iterator[tuple[np.ndarray, Box]]:
    """Yield each portrait in a scene, with the part of its face that is in the image."""
    rng = np.random.default_rng(0)
    for number, (portrait, face) in enumerate(faces):
        side = -1 if number % 2 else 1
        x = SIZE[0] / 2 + side * (scene.x - SIZE[0] / 2)
        matrix = cv2.getRotationMatrix2D(face.centre, side * scene.turn, scene.width / face.w)
        matrix[:, 2] += (x - face.centre[0], SIZE[1] / 2 - face.centre[1])
        flags = cv2.INTER_AREA if scene.width < face.w else cv2.INTER_LINEAR
        image = cv2.warpAffine(portrait, matrix, SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE)
        image = np.clip(image * scene.light + rng.normal(0, 1, image.shape), 0, 255)
        left, top = max(0.0, x - scene.width / 2), max(0.0, SIZE[1] / 2 - scene.width / 2)
        right = min(SIZE[0], x + scene.width / 2)
        bottom = min(SIZE[1], SIZE[1] / 2 + scene.width / 2)
        truth = Box(round(left), round(top), round(right - left), round(bottom - top))
        yield image.astype(np.uint8), truth


def searches_of(name: str, detector: Detector) -> dict[str, Search]:
    """Return what the package does with a photo, and all looks of a stream's thorough search."""
    return {
        f"{name}, photo": lambda grey: [d.box for d in detector.search_photo(brightened(grey))],
        f"{name}, stream": lambda grey: [d.box for d in _looks(detector, brightened(grey))],
    }


def _looks(detector: Detector, grey: np.ndarray) -> list[Detection]:
    """Return what a thorough search of a stream sees, whose looks are taken one a frame."""
    parts, turned = detector.parts, detector.turned_looks
    found = detector.search_frame(grey, range(parts))
    found = found or detector.search_frame(grey, range(parts, parts + turned), True)
    for look in range(detector.small_looks(grey.shape[0])):
        found = found or detector.search_frame(grey, [parts + turned + look], True)
    return found


class _Resting:
    """A classifier that takes no time: only finding faces is to be measured."""

    labels = ("neutral",)

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        return Prediction("neutral", 1.0, {"neutral": 1.0})


def costs(video: Path, choices: dict[str, DetectorChoice]) -> Iterator[str]:
    """Yield a row for each detector: ms a frame of 640x480 while a face is followed, and alone."""
    capture = cv2.VideoCapture(str(video))
    frames = []
    while (frame := capture.read()[1]) is not None:
        frames.append(cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), SIZE))
    room = cv2.GaussianBlur(
        np.random.default_rng(0).integers(0, 255, SIZE[::-1], np.uint8), (0, 0), 3
    )
    empty = [np.roll(room, 5 * k, axis=1) for k in range(len(frames))]
    spent = {name: [0.0, 0.0, 0.0] for name in choices}
    for place, stream in enumerate((frames, empty)):
        settings = RecognizerSettings.from_values({"min_confidence": 0.0})
        readers = {name: make_recognizer(replace(settings, detector=choice), _Resting())
                   for name, choice in choices.items()}  # fmt: skip
        for k, grey in enumerate(stream):
            for name, reader in readers.items():
                begin = time.process_time()
                found = reader.read(grey, k / 30).faces
                if k:  # the first asks everything once
                    spent[name][place] += time.process_time() - begin
                spent[name][2] += bool(found) and place == 0
    base = next(iter(spent.values()))
    for name, (followed, nobody, found) in spent.items():
        n = (len(frames) - 1) / 1000
        yield (f"| {name} | {followed / n:.2f} ms, {followed / base[0]:.2f} | {nobody / n:.2f} ms, "
               f"{nobody / base[1]:.2f} | {found:.0f} of {len(frames)} |")  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Print a row for each scene; return 0."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="zip or folder of portraits")
    parser.add_argument("--portraits", type=int, default=12, help="how many (default: 12)")
    parser.add_argument("--yunet", help="weights of YuNet, measured as well")
    parser.add_argument("--centerface", help="weights of CenterFace, measured as well")
    parser.add_argument("--video", type=Path, help="a video with one face, for the cost")
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    choices = {name: DetectorChoice(name, getattr(args, name, None) or "") for name in DETECTORS
               if name == CASCADES or getattr(args, name)}  # fmt: skip
    detector = FaceDetector()
    searches: dict[str, Search] = {}
    for name, choice in choices.items():
        searches |= searches_of(name, choice.make(min_face=0.06))
    faces = []
    for portrait in portraits(args.data, args.portraits):
        found = detector.search_photo(portrait)
        if len(found) == 1:
            faces.append((portrait, found[0].box))
    print("| scene | " + " | ".join(f"{name}: found, width, false" for name in searches) + " |")
    print("|---|" + "---|" * len(searches))
    for name, scene in SCENES.items():
        shown = list(images(faces, scene))
        cells = [_cell(search, shown) for search in searches.values()]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if args.video:
        print(
            "\n| detector | a face is followed: ms, ratio | nobody in view | frames with a face |"
        )
        print("|---|---|---|---|")
        print("\n".join(costs(args.video, choices)))
    return 0


def _cell(search: Search, shown: list[tuple[np.ndarray, Box]]) -> str:
    widths, false = [], 0
    for image, truth in shown:
        boxes = search(image)
        hits = [box for box in boxes if overlap(box, truth) > FOUND]
        widths += [hits[0].w / truth.w] if hits else []
        false += len(boxes) - len(hits[:1])
    width = f"{np.median(widths):.2f}" if widths else "-"
    return f"{len(widths)} of {len(shown)}, {width}, {false}"


if __name__ == "__main__":
    sys.exit(main())
