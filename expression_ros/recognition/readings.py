"""What was read in a frame: the faces, and what each shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from expression_ros.recognition.boxes import Box


@dataclass(frozen=True)
class FaceReading:
    """One face of one frame.

    Attributes:
        id: the face's number, the same from frame to frame; 0 in a still image.
        box: where it is, in pixels of the frame.
        label: the smoothed label, or ``unknown``.
        score: probability of the leading label, smoothed over time, 0..1.
        scores: the same for every label the model can say; they add to 1.
        votes: of an ensemble, the share of votes of every label in this frame; else empty.
    """

    id: int
    box: Box
    label: str
    score: float
    scores: Mapping[str, float]
    votes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class FrameReading:
    """What was read in one frame.

    Attributes:
        faces: largest first.
        stage_s: how long each stage took, in seconds; read-only.
        primary: the face that a robot answers; None when nobody is there, or while the one it
            answered is being waited for.
    """

    faces: tuple[FaceReading, ...]
    stage_s: Mapping[str, float] = field(default_factory=dict)
    primary: FaceReading | None = None

    def __post_init__(self) -> None:
        """Keep a copy of stage_s that nobody can change."""
        object.__setattr__(self, "stage_s", MappingProxyType(dict(self.stage_s)))
