"""Scores of emotions as valence and arousal, and as the words of ROS4HRI.

The coordinates are the mean ratings of pleasure and arousal, -1 to 1, in table 4 of Russell and
Mehrabian ("Evidence for a three-factor theory of emotions", Journal of Research in Personality,
1977), taken from transcriptions of that table; their plane is the circumplex of Russell (1980).
They are ratings of words, not of faces. Neutral is the middle, and contempt is given the
coordinates of "skeptical", the word that stands for it in hri_msgs.
"""

from __future__ import annotations

from collections.abc import Mapping

from expression_ros.vocabulary import NEUTRAL

COORDINATES: Mapping[str, tuple[float, float]] = {
    NEUTRAL: (0.0, 0.0),
    "anger": (-0.51, 0.59),  # angry
    "contempt": (-0.22, 0.21),  # skeptical
    "disgust": (-0.60, 0.35),  # disgusted
    "fear": (-0.64, 0.60),  # fearful
    "happiness": (0.81, 0.51),  # happy
    "sadness": (-0.63, -0.27),  # sad
    "surprise": (0.40, 0.67),  # surprised
}

# hri_msgs/Expression lists the words of its field ``expression`` as constants; none is contempt.
_HRI_WORDS: Mapping[str, str] = {
    NEUTRAL: "neutral",
    "anger": "angry",
    "contempt": "skeptical",
    "disgust": "disgusted",
    "fear": "scared",
    "happiness": "happy",
    "sadness": "sad",
    "surprise": "surprised",
}


def valence_and_arousal(scores: Mapping[str, float]) -> tuple[float, float]:
    """Return the mean of the labels' coordinates, weighted with the scores: (valence, arousal).

    Args:
        scores: probability of each label; what is no label of the vocabulary, and what is not
            above 0, does not count.

    Returns:
        Both from -1 to 1; (0, 0), the middle, where nothing counts.
    """
    weights = {label: score for label, score in scores.items()
               if label in COORDINATES and score > 0}  # fmt: skip
    total = sum(weights.values())
    if total <= 0:
        return 0.0, 0.0
    valence = sum(score * COORDINATES[label][0] for label, score in weights.items()) / total
    arousal = sum(score * COORDINATES[label][1] for label, score in weights.items()) / total
    return valence, arousal


def hri_word(label: str) -> str:
    """Return the word of hri_msgs/Expression for a label; empty for ``unknown`` and strangers."""
    return _HRI_WORDS.get(label, "")
