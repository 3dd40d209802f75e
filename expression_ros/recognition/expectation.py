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
from typing import Any

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
