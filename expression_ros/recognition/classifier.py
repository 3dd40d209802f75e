"""What the pipeline asks of a classifier: an interface, so that it knows none of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True)
class Prediction:
    """What a classifier says about one face.

    Attributes:
        label: the label that won, one of the classifier's labels.
        score: how much speaks for it, 0..1; of an ensemble, its share of the votes.
        scores: the share of every label the classifier can say; they add to 1.
    """

    label: str
    score: float
    scores: Mapping[str, float]


@runtime_checkable
class Classifier(Protocol):
    """Names the expression of one face of a frame.

    Attributes:
        labels: the labels it can say, all of them of the vocabulary.
    """

    @property
    def labels(self) -> tuple[str, ...]: ...

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box.

        Args:
            grey_frame: (H, W) uint8, the whole frame; the classifier cuts the face out itself.
            box: (x, y, w, h) in px.

        Raises:
            FaceError: the frame is not grey uint8, or the box is empty or outside of it.
        """
        ...
