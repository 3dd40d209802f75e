"""How Fisherfaces are trained, as plain numbers: needs neither scikit-learn nor SciPy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ENSEMBLES = ("bagged", "boosted", "opencv")


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
        clusters: clusters per class; 1 compares with the means of the classes.
        shrinkage: share of the mean variance that is added to every variance.
        images: that each member of "opencv" is trained on.
        prior_weight: 0 treats all classes as equally frequent, 1 as frequent as in training.
        refine: steps of refining the directions, see fisherface_refining; 0 leaves them as the
            discriminant analysis finds them.
        pull: what holds refined directions where they were.
        favour: class numbers and what is added to the logarithm of their prior: more than 0 where
            missing the class is worse than seeing it too often.
    """

    members: int = 10
    seed: int = 1
    ensemble: str = ENSEMBLES[0]
    folds: int = 10
    left_out: int = 2
    feature_share: float = 0.8
    components: int = 128
    clusters: int = 1
    shrinkage: float = 0.05
    images: int = 1200
    prior_weight: float = 1.0
    refine: int = 0
    pull: float = 0.1
    favour: Mapping[int, float] = field(default_factory=dict)
