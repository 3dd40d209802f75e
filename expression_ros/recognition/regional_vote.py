"""Two votes: one on the whole face, one on what is above the mouth.

The second one takes over while a person speaks (a speaking mouth is not a smile) and where a mask
or a hand covers the mouth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from expression_ros.parameters.choices import AUTO, FULL_FACE, REGIONS, UPPER_FACE
from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.descriptors import Descriptor
from expression_ros.recognition.face_preparation import (
    UPPER,
    FacePreparation,
    prepare_face,
    without_mouth,
)
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelError, ModelManifest
from expression_ros.recognition.mouth import MouthCover, read_mouth_cover
from expression_ros.resources import models_path

_COVER = "mouth_cover"  # in the settings of the upper vote's manifest


class WholeFaceVote(Protocol):
    """What is asked of the vote on the whole face: an ensemble, or one adapted to a person."""

    face: FacePreparation
    descriptor: Descriptor
    manifest: ModelManifest | None

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can answer, in the order of its scores."""
        ...

    def predict_descriptor(self, vector: np.ndarray) -> Prediction:
        """Return the answer to a (1, D) float32 descriptor."""
        ...


class RegionalVote:
    """A classifier that reads the whole face, or what is above the mouth.

    Args:
        whole: the vote on the whole face.
        upper: the vote on the upper face, with the same descriptor and face size.
        cover: tells from the descriptor of the whole face whether the mouth is covered.
        region: one of REGIONS.

    Raises:
        ModelError: the two votes do not fit together.
    """

    def __init__(
        self, whole: WholeFaceVote, upper: FisherfaceEnsemble, cover: MouthCover, region: str
    ) -> None:
        if region not in REGIONS:
            raise ModelError(f"region must be one of {', '.join(REGIONS)}, not {region!r}")
        if upper.labels != whole.labels or upper.face.region != UPPER:
            raise ModelError("these Fisherfaces do not fit those of the upper face")
        if replace(upper.face, region=whole.face.region) != whole.face:
            raise ModelError("the Fisherfaces of the upper face want other crops")
        self.whole = whole
        self.upper = upper
        self.cover = cover
        self.region = region
        self.person = getattr(whole, "person", None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels both votes can say."""
        return self.whole.labels

    @property
    def manifest(self) -> ModelManifest | None:
        """What is known of the vote on the whole face."""
        return self.whole.manifest

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of a face in a single image; see Classifier.read."""
        return self.predict(prepare_face(grey_frame, box, self.whole.face))

    def read_watched(
        self, grey_frame: np.ndarray, box: Sequence[int], speaking: bool
    ) -> Prediction:
        """Return the expression of a face of which is known whether the person speaks.

        Args:
            grey_frame: (H, W) uint8, the frame.
            box: (x, y, w, h) of the face in px.
            speaking: as MouthWatch has it.
        """
        face = prepare_face(grey_frame, box, self.whole.face)
        return self._upper(face) if speaking and self.region == AUTO else self.predict(face)

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8, of which nothing is known."""
        if self.region == UPPER_FACE:
            return self._upper(face)
        vector = self.whole.descriptor.describe(face)
        if self.region == AUTO and self.cover.is_covered(vector):
            return self._upper(face)
        return self.whole.predict_descriptor(vector)

    def _upper(self, face: np.ndarray) -> Prediction:
        vector = self.whole.descriptor.describe(without_mouth(face))
        return self.upper.predict_descriptor(vector)


def regional(whole: object, region: str, folder: str | Path = "") -> RegionalVote:
    """Return a classifier that reads by region.

    Args:
        whole: the vote on the whole face.
        region: one of REGIONS.
        folder: of the Fisherfaces of the upper face; empty for the shipped ones.

    Raises:
        ModelError: there is no vote on the upper face for this classifier, or it is missing or
            corrupt.
    """
    if not isinstance(getattr(whole, "face", None), FacePreparation) or not hasattr(
        whole, "predict_descriptor"
    ):
        raise ModelError(f"only the classifier {KIND} reads by region; set region to {FULL_FACE}")
    folder = Path(folder) if folder else models_path("fisherfaces_upper")
    upper = FisherfaceEnsemble.load(folder)
    assert upper.manifest is not None
    entry = upper.manifest.settings.get(_COVER)
    if not isinstance(entry, dict) or "sha256" not in entry:
        raise ModelError(
            f"{folder} does not say how a covered mouth is told: expression-ros train mouth-cover"
        )
    cover = read_mouth_cover(folder, str(entry["sha256"]), upper.descriptor.size)
    return RegionalVote(whole, upper, cover, region)  # type: ignore[arg-type]
