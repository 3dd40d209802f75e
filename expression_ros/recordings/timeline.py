"""What was read in a recording: rows of a CSV file, and the numbers for plot and summary.

Imports no ROS.
"""

from __future__ import annotations

import csv
import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from expression_ros.recognition.readings import FaceReading, FrameReading
from expression_ros.recordings.recorded_frames import SECOND_NS, RecordedFrame
from expression_ros.whole_files import whole_file

NO_FACE = -1  # in place of a label's number

COLUMNS = ("frame", "time_s", "stamp", "id", "primary", "x", "y", "w", "h", "label", "score")


class FaceRows:
    """Writes a CSV file with a row for each face of each frame, while they are read.

    A frame without a face has one row in which all but frame, time and stamp is empty.

    If the block fails in which it is used, no file is left behind.

    Args:
        path: the file; one that is there is replaced at the end.
        labels: what the classifier can say; ``score_<label>`` follow the other columns.
        with_files: end each row with the name of the image file.
    """

    def __init__(self, path: Path, labels: Sequence[str], with_files: bool = False):
        self._labels = tuple(labels)
        self._with_files = with_files
        self._whole = whole_file(path)
        part = self._whole.__enter__()
        self._file = part.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        scores = [f"score_{label}" for label in self._labels]
        self._writer.writerow([*COLUMNS, *scores, *(["file"] if with_files else [])])

    def write(self, frame: RecordedFrame, seconds: float, reading: FrameReading) -> None:
        """Write the rows of a frame, ``seconds`` after the first."""
        stamp = f"{Decimal(frame.stamp_ns).scaleb(-9):.9f}"  # all digits, to find the image by
        start = [frame.index, f"{seconds:.6f}", stamp]
        end = [frame.file] if self._with_files else []
        for face in reading.faces:
            primary = int(reading.primary is not None and face.id == reading.primary.id)
            scores = [f"{face.scores.get(label, 0.0):.4f}" for label in self._labels]
            self._writer.writerow(
                [*start, face.id, primary, *map(int, face.box), face.label, f"{face.score:.4f}"]
                + scores
                + end
            )
        if not reading.faces:
            self._writer.writerow(
                start + [""] * (len(COLUMNS) - len(start) + len(self._labels)) + end
            )

    def __enter__(self) -> FaceRows:
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            self._file.close()
        except OSError:  # the last rows found no room
            self._whole.__exit__(*sys.exc_info())
            raise
        self._whole.__exit__(*error)


class FaceTimes:
    """When one face was seen and what it said.

    Attributes:
        places: (N,) int, which of the frames that were read.
        labels: (N,) int, numbers of labels.
    """

    def __init__(self) -> None:
        self.places = array("l")
        self.labels = array("b")


class Timeline:
    """The labels over time, in some twenty bytes a frame.

    Attributes:
        names: the labels by their number.
        seconds: (N,) float, of the frames that were read, after the first.
        primary: (N,) int, the number of the primary face's label, NO_FACE without one.
        scores: (N,) float, the score of that label, NaN without one.
        faces: by id, in the order of their coming.
        unreadable: how many frames could not be decoded, by the reason in one word.
        problems: of each reason the first, as a sentence.
        looked_at: how many frames were looked at, the unreadable ones among them.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self.seconds = array("d")
        self.primary = array("b")
        self.scores = array("f")
        self.faces: dict[int, FaceTimes] = {}
        self.unreadable: Counter[str] = Counter()
        self.problems: dict[str, str] = {}
        self.looked_at = 0
        self._with_face = 0
        self._first_ns: int | None = None

    def seconds_of(self, frame: RecordedFrame) -> float:
        """Return how long after the first frame that could be read this one was taken."""
        if self._first_ns is None:
            self._first_ns = frame.counted_ns
        return (frame.counted_ns - self._first_ns) / SECOND_NS

    def add(self, seconds: float, reading: FrameReading) -> None:
        """Take in what was read in a frame."""
        self.looked_at += 1
        place = len(self.seconds)
        self.seconds.append(seconds)
        face = reading.primary
        self.primary.append(NO_FACE if face is None else self._number(face))
        self.scores.append(float("nan") if face is None else face.score)
        self._with_face += bool(reading.faces)
        for seen in reading.faces:
            times = self.faces.setdefault(seen.id, FaceTimes())
            times.places.append(place)
            times.labels.append(self._number(seen))

    def add_unreadable(self, index: int, reason: str, problem: str) -> None:
        """Count a frame that could not be read: why in one word, and as a sentence."""
        self.looked_at += 1
        self.unreadable[reason] += 1
        self.problems.setdefault(reason, f"frame {index}: {problem}")

    def summary(self) -> dict[str, Any]:
        """Return the figures of the whole recording, fit for JSON.

        The shares of the labels are of all rows with a face; those of a face of its own.
        """
        counts: Counter[int] = Counter()
        for face in self.faces.values():
            counts.update(face.labels)
        return {
            "frames": self.looked_at,
            "frames_with_face": self._with_face,
            "span_s": round(max(self.seconds) - min(self.seconds), 6) if self.seconds else 0.0,
            "labels": self._shares(counts),
            "faces": [
                {
                    "id": number,
                    "frames": len(face.places),
                    "first_s": round(self.seconds[face.places[0]], 6),
                    "last_s": round(self.seconds[face.places[-1]], 6),
                    "labels": self._shares(Counter(face.labels)),
                }
                for number, face in self.faces.items()
            ],
            "unreadable": dict(self.unreadable),
        }

    def _number(self, face: FaceReading) -> int:
        return self.names.index(face.label)

    def _shares(self, counts: Counter[int]) -> dict[str, float]:
        total = counts.total()
        return {self.names[k]: round(count / total, 4) for k, count in counts.most_common()}
