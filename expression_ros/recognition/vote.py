"""How an ensemble's answers become one label, with a score that is right that often.

The label is the mode of the answers. The share of votes alone says little: the members learnt from
mostly the same faces and are often wrong together. So the scores also look at how much nearer each
class is, with two weights fitted on faces that nothing was trained on (a logistic calibration in
the manner of Platt, 1999, and Guo et al., 2017).

An ensemble expects everyday faces, or expressions that are posed: people who live with a robot look
neutral or smile most of the time; people who try it make faces. The same face, lips a little
tighter than at rest, is neutral in everyday life and acted anger in front of a camera. An
expectation adds to the logarithm of the prior of each label, as Bayes's rule has it, so that
nothing is trained again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np

from expression_ros.parameters.choices import EVERYDAY, EXPECTATIONS
from expression_ros.recognition.classifier import Prediction, softmax
from expression_ros.recognition.model_manifest import ModelError


@dataclass(frozen=True)
class Ballot:
    """What M members answer about one face, with C classes to choose from.

    Attributes:
        choices: (M,) int, the column of the class that each member says.
        distances: (M, C) float64, from the face to the nearest projection of each class; inf where
            a member does not know the class.
    """

    choices: np.ndarray
    distances: np.ndarray

    def expecting(self, priors: np.ndarray) -> Ballot:
        """Return the ballot of members with (C,) amounts added to the log priors of the classes.

        All distances grow so that no square is negative; that changes no answer and no score.
        """
        if not priors.any():
            return self
        square = self.distances**2 + 2 * (priors.max() - priors)
        return Ballot(square.argmin(axis=1), np.sqrt(square))

    def shares(self, weights: np.ndarray) -> np.ndarray:
        """Return (C,) shares of the votes, adding to 1, of members with (M,) weights."""
        counts = np.bincount(self.choices, weights, minlength=self.distances.shape[1])
        return np.asarray(counts / counts.sum())

    def winner(self, weights: np.ndarray) -> int:
        """Return the column of the mode; a tie goes to the class that all members see nearest."""
        shares = self.shares(weights)
        tied = np.flatnonzero(shares >= shares.max() - 1e-9)
        if len(tied) == 1:
            return int(tied[0])
        return int(tied[np.argmax(evidence_of(self, weights)[tied])])


@dataclass(frozen=True)
class VoteCalibration:
    """Two weights that turn votes and distances into probabilities.

    Attributes:
        distance: weight of the mean of -d^2 / 2, the log-likelihood of a class as a member sees it.
        share: weight of the share of votes.
    """

    distance: float
    share: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise ValueError(f"calibration weight {name} must be a number, not {value!r}")
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"calibration weight {name} must be 0 or more, not {value!r}")

    @classmethod
    def from_mapping(cls, settings: Mapping[str, Any]) -> VoteCalibration:
        """Return the calibration that ``as_mapping`` wrote; ValueError if it is none."""
        if not isinstance(settings, Mapping) or set(settings) != {"distance", "share"}:
            raise ValueError("the calibration needs the two weights 'distance' and 'share'")
        return cls(**settings)

    def as_mapping(self) -> dict[str, float]:
        """Return the weights as plain values, fit for YAML."""
        return asdict(self)

    def probabilities(self, evidence: np.ndarray, shares: np.ndarray) -> np.ndarray:
        """Return (N, C) probabilities.

        Args:
            evidence: (N, C), see ``evidence_of``.
            shares: (N, C), shares of the votes.
        """
        return softmax(self.distance * evidence + self.share * shares)


def evidence_of(ballot: Ballot, weights: np.ndarray) -> np.ndarray:
    """Return (C,) means over the members of -d^2 / 2; -1e6 for classes that nobody knows."""
    square = np.minimum(ballot.distances**2, 2e6)
    return np.asarray(weights @ square / (-2 * weights.sum()))


def count_votes(
    ballot: Ballot,
    labels: Sequence[str],
    weights: np.ndarray | None = None,
    calibration: VoteCalibration | None = None,
) -> Prediction:
    """Return what the ensemble says.

    Args:
        ballot: the answers of the members.
        labels: C labels, one per column.
        weights: (M,) of the members, positive; all alike when left out.
        calibration: how scores are computed; they are the shares of votes when left out.
    """
    weights = np.ones(len(ballot.choices)) if weights is None else weights
    shares = ballot.shares(weights)
    winner = ballot.winner(weights)
    scores = shares
    if calibration is not None:
        evidence = evidence_of(ballot, weights)
        scores = calibration.probabilities(evidence[None], shares[None])[0]
        # Where distances and votes disagree the two are about equal, and the mode has the say:
        # any reader that smooths the scores over time must come to the same label.
        best = int(np.argmax(scores))
        scores[[winner, best]] = scores[[best, winner]]
    by_label = {label: float(score) for label, score in zip(labels, scores, strict=True)}
    votes = {label: float(share) for label, share in zip(labels, shares, strict=True)}
    return Prediction(labels[winner], by_label[labels[winner]], by_label, votes)


@dataclass(frozen=True)
class Expectation:
    """What an ensemble expects.

    Attributes:
        priors: what is added to the logarithm of the prior of each label; 0 for those left out.
        calibration: how scores come from votes then; None: they are shares of votes.
    """

    priors: Mapping[str, float] = field(default_factory=dict)
    calibration: VoteCalibration | None = None

    @classmethod
    def from_mapping(cls, settings: Any) -> Expectation:
        """Return the expectation that ``as_mapping`` wrote; ValueError if it is none."""
        if not isinstance(settings, Mapping) or set(settings) != {"priors", "calibration"}:
            raise ValueError("an expectation needs 'priors' and 'calibration'")
        priors = settings["priors"]
        if not isinstance(priors, Mapping) or not all(
            isinstance(value, (int, float)) and math.isfinite(value) for value in priors.values()
        ):
            raise ValueError(f"priors must be numbers by label, not {priors!r}")
        return cls(dict(priors), VoteCalibration.from_mapping(settings["calibration"]))

    def as_mapping(self) -> dict[str, Any]:
        """Return plain values, fit for YAML."""
        assert self.calibration is not None
        return {"priors": dict(self.priors), "calibration": self.calibration.as_mapping()}


@runtime_checkable
class Expectant(Protocol):
    """A vote that can be told what to expect, such as an ensemble of Fisherfaces."""

    @property
    def expectations(self) -> Mapping[str, Expectation]:
        """What may be expected of faces, by name."""
        ...

    def expect(self, expectation: Expectation) -> None:
        """Read faces from now on with these priors and scores."""
        ...


def expect(classifier: object, name: str) -> None:
    """Let a classifier expect everyday faces or posed ones, from the next face on.

    Args:
        classifier: any; its ensembles of Fisherfaces are told, also through a region or a person.
        name: one of EXPECTATIONS.

    Raises:
        ModelError: there is no such expectation, or this classifier's model has not learnt it.
    """
    check_expectation(classifier, name)
    for vote in _expectant_parts(classifier):
        vote.expect(vote.expectations[name])


def check_expectation(classifier: object, name: str) -> None:
    """Raise what ``expect`` would; nothing is changed."""
    if name not in EXPECTATIONS:
        raise ModelError(f"expectation must be {' or '.join(EXPECTATIONS)}, not {name!r}")
    votes = _expectant_parts(classifier)
    if name != EVERYDAY and not (votes and all(name in vote.expectations for vote in votes)):
        raise ModelError(
            f"this model does not know what {name} faces are like; set expectation to {EVERYDAY}, "
            "or train Fisherfaces with people's votes: expression-ros train fisherfaces --votes "
            "FILE"
        )


def _expectant_parts(classifier: object) -> list[Expectant]:
    if isinstance(classifier, Expectant):
        return [classifier]
    # A RegionalVote wraps whole and upper, an AdaptedVote, which is not known here, an ensemble.
    parts = (getattr(classifier, name, None) for name in ("whole", "upper", "ensemble"))
    return [vote for part in parts if part is not None for vote in _expectant_parts(part)]
