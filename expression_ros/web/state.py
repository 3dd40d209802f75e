"""What the page shows, kept in memory between those who find it out and those who look at it.

Part of ``expression_ros.web``: imports no ROS. All methods may be called from any thread, and none
waits for anything: a reader of frames is not held up by a browser.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from expression_ros.recognition.overlay import COLOURS
from expression_ros.vocabulary import EMOTIONS

OVERLAY, ROBOT = "overlay", "robot"
IMAGES = (OVERLAY, ROBOT)

HISTORY_S = 60.0
_SAMPLE_S = 0.25  # between two points of the last minute
_POINTS = round(HISTORY_S / _SAMPLE_S)

CAMERA, RECOGNIZER = "camera", "recognizer"  # who is silent when no frame is read any more

OK, WARNING, ERROR = "ok", "warning", "error"
_LEVELS = (OK, WARNING, ERROR)


@dataclass(frozen=True)
class Diagnostic:
    """One sentence about one part.

    Attributes:
        name: of the part, such as ``recognizer: input``.
        level: ``ok``, ``warning`` or ``error``.
        message: for a person.
    """

    name: str
    level: str
    message: str


@dataclass(frozen=True)
class Person:
    """Who is seen.

    Attributes:
        label: of the face that is answered; empty when nobody is there.
        scores: of that face, label to probability.
        faces: (id, label, score) of all faces in view, the largest first.
    """

    label: str = ""
    scores: Mapping[str, float] = field(default_factory=dict)
    faces: Sequence[tuple[str, str, float]] = ()


NOBODY = Person()


class WebState:
    """The newest of everything, and how many are looking.

    Args:
        source: where the frames come from, in words.
        robots, styles: the names that can be chosen from.
    """

    def __init__(self, source: str, robots: Sequence[str], styles: Sequence[str]):
        self._lock = threading.Lock()
        self._watchers = 0
        self._person = NOBODY
        self._read_at: float | None = None  # when the newest frame was read
        self._silent = CAMERA
        self._robot = {"name": "", "style": "", "expression": "", "intensity": 1.0}
        self._frame_number = 0
        self._info: dict[str, Any] = {
            "source": source,
            "problem": "",
            "robots": list(robots),
            "styles": list(styles),
            "diagnostics": [],
            "calibration": None,
            "labels": list(EMOTIONS),
            "colours": {label: _css(colour) for label, colour in COLOURS.items()},
        }
        self._info_number = 1
        self._images: dict[str, tuple[int, bytes]] = {name: (0, b"") for name in IMAGES}
        self._history: deque[tuple[float, Mapping[str, float]]] = deque(maxlen=_POINTS)

    # Who looks

    @property
    def is_watched(self) -> bool:
        """Whether anybody looks, that is, whether images are worth their while."""
        return self._watchers > 0

    @property
    def watchers(self) -> int:
        """How many browsers look."""
        return self._watchers

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Count one who looks for the duration of the block."""
        with self._lock:
            self._watchers += 1
        try:
            yield
        finally:
            with self._lock:
                self._watchers -= 1

    # What is found out

    def frame_read(self, now: float | None = None) -> None:
        """Take that a frame was read, face or none. ``now`` in seconds of time.monotonic()."""
        self._read_at = time.monotonic() if now is None else now

    def suspect(self, silent: str) -> None:
        """Take who is silent while no frame is read: CAMERA or RECOGNIZER."""
        self._silent = silent

    def person_seen(self, person: Person, now: float | None = None) -> None:
        """Take who is seen; ``NOBODY`` for nobody. ``now`` in seconds of time.monotonic()."""
        now = time.monotonic() if now is None else now
        with self._lock:
            if person != self._person:
                self._person = person
                self._frame_number += 1
            if not self._history or now - self._history[-1][0] >= _SAMPLE_S:
                self._history.append((now, dict(person.scores)))

    def robot_shows(self, **changes: Any) -> None:
        """Take what the robot is and shows: any of name, style, expression and intensity."""
        with self._lock:
            if any(self._robot[key] != value for key, value in changes.items()):
                self._robot.update(changes)
                self._frame_number += 1

    def told(self, **changes: Any) -> None:
        """Take what changes rarely.

        Args:
            changes: source, problem (a sentence; empty when all is well), or calibration (see
                PageCalibration).
        """
        with self._lock:
            if any(self._info[key] != value for key, value in changes.items()):
                self._info.update(changes)
                self._info_number += 1

    def diagnosed(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Take all that is to be told about how it is doing, the worst first."""
        ranked = sorted(diagnostics, key=lambda d: (-_LEVELS.index(d.level), d.name))
        rows = [{"name": d.name, "level": d.level, "message": d.message} for d in ranked]
        self.told(diagnostics=rows)

    def image_made(self, name: str, jpeg: bytes) -> None:
        """Take an image (one of IMAGES) as JPEG; the one before it is forgotten.

        An overlay that became ready after the last one left is not kept: it shows people.
        """
        with self._lock:
            if name == OVERLAY and not self._watchers:
                return
            self._images[name] = self._images[name][0] + 1, jpeg
            self._frame_number += 1

    def forget_image(self, name: str) -> None:
        """Forget an image; its number goes on counting."""
        with self._lock:
            self._images[name] = self._images[name][0], b""

    # What is looked at

    @property
    def frame_number(self) -> int:
        """Grows whenever ``frame()`` would tell something else."""
        return self._frame_number

    @property
    def info_number(self) -> int:
        """Grows whenever ``info()`` would tell something else."""
        return self._info_number

    def image(self, name: str) -> tuple[int, bytes]:
        """Return the number of an image and its JPEG, which is empty where there is none."""
        with self._lock:
            return self._images[name]

    def pulse(self, now: float | None = None) -> dict[str, Any]:
        """Return how old the newest frame is, and who is silent if it grows old.

        Told again and again, so that nothing old looks like new; in seconds, None before the first.
        """
        now = time.monotonic() if now is None else now
        read_at = self._read_at
        age = None if read_at is None else round(max(0.0, now - read_at), 2)
        return {"age": age, "silent": self._silent}

    def frame(self) -> dict[str, Any]:
        """Return what changes from frame to frame, as JSON takes it."""
        with self._lock:
            person = self._person
            return {
                "label": person.label,
                "scores": _rounded(person.scores),
                "faces": [
                    {"id": number, "label": label, "score": round(score, 3)}
                    for number, label, score in person.faces
                ],
                "robot": dict(self._robot),
                "pictures": {name: number for name, (number, _) in self._images.items()},
            }

    def info(self) -> dict[str, Any]:
        """Return what changes rarely, as JSON takes it."""
        with self._lock:
            return dict(self._info)

    def history(self, now: float | None = None) -> list[dict[str, Any]]:
        """Return the scores of the last minute, oldest first: age in seconds, scores by label."""
        now = time.monotonic() if now is None else now
        with self._lock:
            points = list(self._history)
        return [
            {"age": round(now - stamp, 2), "scores": _rounded(scores)}
            for stamp, scores in points
            if now - stamp <= HISTORY_S
        ]


def _rounded(scores: Mapping[str, float]) -> dict[str, float]:
    return {label: round(float(score), 3) for label, score in scores.items()}


def _css(colour: tuple[int, int, int]) -> str:
    """Return a colour of blue, green, red as CSS writes it."""
    blue, green, red = colour
    return f"#{red:02x}{green:02x}{blue:02x}"
