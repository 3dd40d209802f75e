"""Person and robot beside each other: a contact sheet and a video. Imports no ROS."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from expression_ros.whole_files import whole_file

_HEIGHT = 360  # of the video
_SHEET_HEIGHT = 240
_SHEET_COLUMNS, _SHEET_ROWS = 2, 4


@dataclass(frozen=True)
class Moment:
    """One frame of the person and what the robot showed then, both JPEG-coded, time in seconds."""

    seconds: float
    person: bytes
    robot: bytes | None


def write_contact_sheet(moments: Sequence[Moment], path: Path) -> None:
    """Write a PNG with up to eight pairs, evenly spaced over time."""
    count = min(len(moments), _SHEET_COLUMNS * _SHEET_ROWS)
    if not count:
        return
    chosen = [moments[round(k)] for k in np.linspace(0, len(moments) - 1, count)]
    pairs = [_stamped(side_by_side(m, _SHEET_HEIGHT), m.seconds) for m in chosen]
    pairs += [np.full_like(pairs[0], 255)] * (-count % _SHEET_COLUMNS)
    rows = [np.hstack(pairs[k : k + _SHEET_COLUMNS]) for k in range(0, len(pairs), _SHEET_COLUMNS)]
    with whole_file(path) as part:
        part.write_bytes(cv2.imencode(".png", np.vstack(rows))[1].tobytes())


def write_video(moments: Sequence[Moment], path: Path) -> None:
    """Write an MP4 of all pairs at the mean rate at which they were seen."""
    if len(moments) < 2:
        return
    lasted = moments[-1].seconds - moments[0].seconds
    rate = (len(moments) - 1) / lasted if lasted > 0 else 10.0
    first = side_by_side(moments[0], _HEIGHT)
    size = (first.shape[1], first.shape[0])
    with tempfile.TemporaryDirectory() as folder, whole_file(path) as part:
        made = Path(folder, "video.mp4")  # OpenCV crashes on names that are not UTF-8
        writer = cv2.VideoWriter(str(made), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
        for moment in moments:
            writer.write(cv2.resize(side_by_side(moment, _HEIGHT), size))
        writer.release()
        shutil.copyfile(made, part)


def side_by_side(moment: Moment, height: int) -> np.ndarray:
    """Return person and robot as one BGR image of that height; the robot blank while unknown."""
    person = _scaled(_decoded(moment.person), height)
    if moment.robot is None:
        robot = np.zeros((height, height * 4 // 3, 3), np.uint8)
    else:
        robot = _scaled(_decoded(moment.robot), height)
    return np.hstack([person, robot])


def _stamped(image: np.ndarray, seconds: float) -> np.ndarray:
    place = (6, 18)
    for colour, thickness in (((20, 20, 20), 3), ((240, 240, 240), 1)):
        cv2.putText(
            image, f"{seconds:.1f} s", place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, thickness,
            cv2.LINE_AA,
        )  # fmt: skip
    return image


def _decoded(jpeg: bytes) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "an image this program has encoded itself"
    return image


def _scaled(image: np.ndarray, height: int) -> np.ndarray:
    width = max(2, round(image.shape[1] * height / image.shape[0]) // 2 * 2)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
