"""How Fisherfaces are trained, and from what: needs neither scikit-learn nor SciPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.training.data.faces import DataError

ENSEMBLES = BAGGED, BOOSTED, OPENCV = ("bagged", "boosted", "opencv")
SINGLE, MAJORITY, VOTES = LEARN_CHOICES = ("single", "majority", "votes")


@dataclass(frozen=True)
class FisherfaceSettings:
    """How the ensemble is trained.

    Attributes:
        members: number of models.
        seed: of everything random; the same seed gives the same models.
        ensemble: "bagged": each member is trained on its own random subset; "boosted": SAMME;
            "opencv": each by OpenCV's own trainer on its own random images.
        folds: the faces are dealt at random into so many folds ...
        left_out: ... and each member is trained without so many of them (10 and 2: 80 %).
        feature_share: share of the principal components that a member looks at (random subspaces;
            Ho, 1998), 0..1.
        components: principal components that are kept before the discriminant analysis; as many
            as the descriptor has numbers, if those are fewer.
        shrinkage: share of the mean variance that is added to every variance.
        images: that each member of "opencv" is trained on.
        prior_weight: 0 treats all classes as equally frequent, 1 as frequent as in training;
            refining begins from 1.
        refine: steps of refining the directions, see refining; 0 leaves them as the
            discriminant analysis finds them.
        pull: what holds refined directions where they were.
        prior_offsets: class numbers and what is added to the logarithm of their prior: more than
            0 where missing the class is worse than seeing it too often.
    """

    members: int = 10
    seed: int = 1
    ensemble: str = BAGGED
    folds: int = 10
    left_out: int = 2
    feature_share: float = 0.8
    components: int = 128
    shrinkage: float = 0.05
    images: int = 1200
    prior_weight: float = 1.0
    refine: int = 0
    pull: float = 0.1
    prior_offsets: Mapping[int, float] = field(default_factory=dict)

    def used(self) -> dict[str, Any]:
        """Return what an ensemble of this kind depends on, but for ``prior_offsets``."""
        common = ("members", "seed", "ensemble")
        names = {
            BAGGED: ("folds", "left_out", "feature_share", "components", "shrinkage"),
            BOOSTED: ("feature_share", "components", "shrinkage", "prior_weight"),
            OPENCV: ("images",),
        }[self.ensemble]
        if self.ensemble == BAGGED:
            names += ("refine", "pull") if self.refine else ("prior_weight", "refine")
        return {name: getattr(self, name) for name in common + names}


@dataclass(frozen=True)
class FisherfaceConfig:
    """What an ensemble is trained from, and how.

    Attributes:
        data: the data set, whose name goes into the manifest.
        output: model folder to write.
        settings: of the members; without ``prior_offsets``, which is given by label here.
        face: how faces are cut out.
        learn: one of LEARN_CHOICES, see training_set.training_set_of.
        leave_out: labels that are not learnt.
        without_copies: leave out training faces that resemble one that is calibrated or tested on.
        descriptor: what the members look at, one of descriptors.DESCRIPTOR_NAMES.
        network: ONNX file of the descriptor ``embedding``.
        power: to which the numbers of ``embedding`` are raised.
        prior_offsets: labels and what is added to the logarithm of their prior.
        more: zip of more faces to train on, cropped, a folder per label.
        more_per_label: at most so many of them.
        portraits: zip of whole portraits to measure on, a folder per label.
        learn_portraits: learn from the portraits as well.
        portrait_copies: crops of each portrait that is learnt.
        portrait_groups: CSV that says who is what on the portraits.
        command: what rebuilds the models, for their card.

    Raises:
        DataError: some of these do not go together.
    """

    data: Path
    output: Path
    settings: FisherfaceSettings = field(default_factory=FisherfaceSettings)
    face: FacePreparation = field(default_factory=FacePreparation)
    learn: str = SINGLE
    leave_out: tuple[str, ...] = ()
    without_copies: bool = False
    descriptor: str = "embedding"
    network: Path = Path("models/embedding/embedding.onnx")
    power: float = 1.0
    prior_offsets: Mapping[str, float] = field(default_factory=dict)
    more: Path | None = None
    more_per_label: int = 1000
    portraits: Path | None = None
    learn_portraits: bool = False
    portrait_copies: int = 12
    portrait_groups: Path | None = None
    command: str = ""

    def __post_init__(self) -> None:
        settings = self.settings
        if self.learn != SINGLE and self.more:
            raise DataError(
                f"--more: nobody was asked about these faces; with --learn {SINGLE} only"
            )
        if settings.ensemble != BAGGED and (self.learn == VOTES or settings.refine):
            raise DataError("--learn votes and --refine go with --ensemble bagged only")
        if self.learn_portraits and not self.portraits:
            raise DataError("--learn-portraits: of which? give --portraits ZIP")
