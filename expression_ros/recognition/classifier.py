"""What the pipeline asks of a classifier: an interface, so that it knows none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one face.

    Attributes:
        label: the label that won, one of the classifier's labels.
        score: probability that the label is right, 0..1, as far as the model was calibrated.
        scores: the same for every label the classifier can say; they add to 1.
        votes: of an ensemble, the share of votes of every label; empty for other classifiers.
    """

    label: str
    score: float
    scores: Mapping[str, float]
    votes: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class Classifier(Protocol):
    """Names the expression of one face of a frame.

    Attributes:
        labels: the labels it can say, all of them of the vocabulary.
    """

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can answer, in the order of its scores."""
        ...

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box.

        Args:
            grey_frame: (H, W) uint8, the whole frame; the classifier cuts the face out itself.
            box: (x, y, w, h) in px.

        Raises:
            FaceError: the frame is not grey uint8, or the box is empty or outside of it.
        """
        ...
