"""What is expected of faces: everyday ones, or expressions that are posed.

People who live with a robot look neutral or smile most of the time; people who try it make faces.
The same face, lips a little tighter than at rest, is neutral in everyday life and acted anger in
front of a camera. An expectation adds to the logarithm of the prior of each label, as Bayes's rule
has it, so that nothing is trained again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from expression_ros.parameters.choices import EVERYDAY, EXPECTATIONS
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.vote import VoteCalibration


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
