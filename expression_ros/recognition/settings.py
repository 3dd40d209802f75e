"""What of the recognition may be changed while it runs."""

from __future__ import annotations

from dataclasses import dataclass

from expression_ros.parameters.choices import LARGEST


@dataclass
class RecognitionSettings:
    """What of the reading may be changed while it runs.

    Attributes:
        redetect_interval: seconds between searches of the whole frame while a face is known.
        smoothing: time constant of the score smoothing in seconds; 0 for none.
        switch_margin: by how much another label must lead before it takes over.
        min_confidence: from this score on a face's label is said.
        talking_time: for how many seconds a label must last while the person speaks.
        doubt_time: seconds of the strongest doubt after which a label becomes ``unknown``.
        resting_state: whether a face is read relative to its own resting state.
        primary: which face is the primary one, one of PRIMARY_CHOICES.
        primary_id: of the face for the choice "id".
        background: search the whole frame for newcomers in a thread of its own, so that no frame
            waits for it. What it finds counts a few frames later; without, the same frames always
            give the same readings.
    """

    redetect_interval: float = 1.0
    smoothing: float = 0.25
    switch_margin: float = 0.1
    min_confidence: float = 0.0
    talking_time: float = 1.0
    doubt_time: float = 1.0
    resting_state: bool = True
    primary: str = LARGEST
    primary_id: int = 0
    background: bool = False
