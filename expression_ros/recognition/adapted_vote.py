"""The vote of the Fisherfaces with class means that have been moved towards one person.

Each Fisherface says the class whose mean is nearest in its projection. A person's own faces tell
where the means of this person lie. They are weighed against the general ones as in maximum a
posteriori estimation with a conjugate prior (Gauvain and Lee, "Maximum a posteriori estimation for
multivariate Gaussian mixture observations", 1994): all means move along with the person's face as
such, the mean difference over the emotions that were shown; then the mean of each of these moves to
where the person's are, a general mean counting as much as ``strength`` faces.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from expression_ros.recognition.classifier import Prediction
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.person import Person, PersonError
from expression_ros.recognition.vote import Ballot, count_votes


class ProjectedVote:
    """The members of an ensemble as arrays, so that their means can be moved.

    Its answers are those of the ensemble, which asks OpenCV.

    Args:
        ensemble: ten Fisherfaces, or more, or fewer.
    """

    def __init__(self, ensemble: FisherfaceEnsemble) -> None:
        self.labels = ensemble.labels
        self.weights = ensemble.weights
        self._ensemble = ensemble  # what it expects may change
        columns = ensemble.columns
        self._axes: list[np.ndarray] = []  # of each member, (D, P)
        self._offsets: list[np.ndarray] = []  # (P,), the mean face as projected
        self.means: list[np.ndarray] = []  # (C, P)
        for member in ensemble.members:
            axes = np.asarray(member.getEigenVectors(), np.float64)
            projections = [np.asarray(p, np.float64).ravel() for p in member.getProjections()]
            means = np.full((len(columns), axes.shape[1]), np.inf)
            for number, projection in zip(member.getLabels().ravel(), projections, strict=True):
                column = columns[int(number)]
                if np.isfinite(means[column]).all():
                    raise PersonError(
                        "these Fisherfaces keep several projections of a class; train them with "
                        "expression-ros train fisherfaces, which keeps the mean"
                    )
                means[column] = projection
            self._axes.append(axes)
            self._offsets.append(np.asarray(member.getMean(), np.float64).ravel() @ axes)
            self.means.append(means)

    def project(self, vectors: np.ndarray) -> list[np.ndarray]:
        """Return how each member sees (N, D) described faces, (N, P) each."""
        vectors = np.asarray(vectors, np.float64)
        return [
            vectors @ axes - offset for axes, offset in zip(self._axes, self._offsets, strict=True)
        ]

    def predict(
        self, projected: Sequence[np.ndarray], means: Sequence[np.ndarray] | None = None
    ) -> list[Prediction]:
        """Return what is voted on projected faces, with these means or the general ones."""
        means = self.means if means is None else means
        distances = np.stack(
            [
                np.linalg.norm(faces[:, None] - centres[None], axis=2)
                for faces, centres in zip(projected, means, strict=True)
            ],
            axis=1,
        )  # (N, M, C)
        priors, calibration = self._ensemble.priors, self._ensemble.calibration
        return [
            count_votes(
                Ballot(one.argmin(1), one).expecting(priors), self.labels, self.weights, calibration
            )
            for one in distances
        ]

    def moved_means(
        self, projected: Sequence[np.ndarray], labels: Sequence[str], strength: float
    ) -> list[np.ndarray]:
        """Return the (C, P) means of each member, moved towards the faces of a person.

        Args:
            projected: the person's faces as each member sees them.
            labels: N emotions; those that the ensemble cannot say are left out, of each member
                also those that it does not know itself.
            strength: how many faces a general mean counts as.
        """
        moved = []
        columns = np.array([_column(self.labels, label) for label in labels])
        shown = [column for column in np.unique(columns) if column >= 0]
        for faces, general in zip(projected, self.means, strict=True):
            known = [column for column in shown if np.isfinite(general[column]).all()]
            if not known:
                moved.append(general.copy())
                continue
            own = {column: faces[columns == column] for column in known}
            means = general + np.mean([own[c].mean(axis=0) - general[c] for c in known], axis=0)
            for column in known:
                share = len(own[column]) / (len(own[column]) + strength)
                means[column] += share * (own[column].mean(axis=0) - means[column])
            moved.append(means)
        return moved


def _column(labels: Sequence[str], label: str) -> int:
    return labels.index(label) if label in labels else -1


class AdaptedVote:
    """A classifier: an ensemble whose means have been moved towards a person.

    Args:
        ensemble: what the person was described with.
        person: whom to adapt to.

    Raises:
        PersonError: the person was described by another model, or shows nothing it can say.
    """

    def __init__(self, ensemble: FisherfaceEnsemble, person: Person) -> None:
        check_fits(ensemble, person)
        self.ensemble = ensemble
        self.manifest = ensemble.manifest
        self.face = ensemble.face
        self.descriptor = ensemble.descriptor
        self.person = person
        self._vote = ProjectedVote(ensemble)
        projected = self._vote.project(person.vectors)
        self._means = self._vote.moved_means(projected, person.labels, person.strength)

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels the ensemble can say."""
        return self.ensemble.labels

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box; see Classifier.read."""
        face = prepare_face(grey_frame, box, self.face)
        return self.predict_descriptor(self.descriptor.describe(face))

    def predict_descriptor(self, vector: np.ndarray) -> Prediction:
        """Return the expression of a described face, (1, D) float."""
        return self._vote.predict(self._vote.project(vector), self._means)[0]


def adapted(classifier: object, person: Person) -> AdaptedVote:
    """Return a classifier adapted to a person.

    Raises:
        PersonError: it is not the vote of Fisherfaces, or the person does not fit it.
    """
    if not isinstance(classifier, FisherfaceEnsemble):
        raise PersonError("only the classifier fisherfaces can be adapted to a person")
    return AdaptedVote(classifier, person)


def check_fits(ensemble: FisherfaceEnsemble, person: Person) -> None:
    """Raise PersonError unless the person was described as this ensemble describes faces."""
    if person.descriptor != descriptor_digest(ensemble):
        raise PersonError(
            f"{person.name} was calibrated with another model; calibrate again: "
            f"expression-ros calibrate {person.name}"
        )
    if not set(person.labels) & set(ensemble.labels):
        raise PersonError(f"{person.name} has shown nothing that this model can say")


def descriptor_digest(ensemble: FisherfaceEnsemble) -> str:
    """Return a SHA-256 of all that turns a face into a vector: other Fisherfaces may follow."""
    manifest = ensemble.manifest
    if manifest is None:
        raise PersonError("only Fisherfaces that were loaded from a model folder can be adapted")
    file = manifest.descriptor_file
    settings = {k: v for k, v in manifest.descriptor_settings.items() if k != "file"}
    parts = {
        "descriptor": [manifest.descriptor, manifest.descriptor_size, settings],
        "file": file.sha256 if file else None,
        "face": manifest.face.as_mapping(),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
