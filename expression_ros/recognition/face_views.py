"""Views of a face: turned upright by the eyes that the detector saw, and its mirror image.

An expression mirrored is the same expression, but a classifier sees another image. What it says
of both, averaged, is right more often than what it says of one (test-time augmentation; Krizhevsky
et al., 2012). A photo is read both ways; a face of a stream in turns, each reading taken together
with the one before, at no cost.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from expression_ros.recognition.boxes import Box
from expression_ros.recognition.classifier import Classifier, Prediction
from expression_ros.recognition.face_preparation import turned

_LEAST = 4.0  # degrees; a smaller tilt is neither seen by a classifier nor worth the time
_AROUND_LEVELLED = 0.25  # of the box's size, kept on each side at least
# The same of a mirrored one: more than any margin or levelling looks at.
_AROUND_MIRRORED = 0.5


def levelled(grey: np.ndarray, box: Sequence[int], tilt: float) -> tuple[np.ndarray, Box]:
    """Return the surroundings of a face turned until its eyes are level, and where it is in them.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) in px.
        tilt: degrees by which the line of the eyes falls to the right.

    Returns:
        (h, w) uint8 and the box in it: the frame itself where there is little to turn.
    """
    x, y, w, h = (int(value) for value in box)
    if abs(tilt) < _LEAST or min(w, h) <= 0:
        return grey, Box(x, y, w, h)
    patch, placed = turned(grey, (x, y, w, h), _AROUND_LEVELLED, tilt)
    return patch, Box(*placed)


def mirrored(grey: np.ndarray, box: Sequence[int]) -> tuple[np.ndarray, Box]:
    """Return the surroundings of a face, mirrored, and where the face is in them.

    Args:
        grey: (H, W) uint8, the frame.
        box: (x, y, w, h) in px.

    Returns:
        (h, w) uint8, a copy; the box in it.
    """
    x, y, w, h = (int(value) for value in box)
    left, top = max(0, x - round(_AROUND_MIRRORED * w)), max(0, y - round(_AROUND_MIRRORED * h))
    right = min(grey.shape[1], x + w + round(_AROUND_MIRRORED * w))
    bottom = min(grey.shape[0], y + h + round(_AROUND_MIRRORED * h))
    around = np.ascontiguousarray(grey[top:bottom, left:right][:, ::-1])
    return around, Box(right - x - w, y - top, w, h)


def agreed(predictions: Sequence[Prediction]) -> Prediction:
    """Return the mean of what was said of several views of one face.

    The label is the mode of all votes, where there are votes, and the one with the best mean score
    otherwise.
    """
    labels = list(predictions[0].scores)
    scores = np.mean([[p.scores[label] for label in labels] for p in predictions], axis=0)
    votes = np.zeros(len(labels))
    if all(p.votes for p in predictions):
        votes = np.mean([[p.votes[label] for label in labels] for p in predictions], axis=0)
    best = int(np.argmax(scores))
    tied = np.flatnonzero(votes >= votes.max() - 1e-9)
    winner = int(tied[np.argmax(scores[tied])])
    # As in vote.count_votes: the mode has the say, and has the best score.
    scores[[winner, best]] = scores[[best, winner]]
    by_label = {label: float(score) for label, score in zip(labels, scores, strict=True)}
    shares = {label: float(share) for label, share in zip(labels, votes, strict=True)}
    return Prediction(labels[winner], by_label[labels[winner]], by_label,
                      shares if votes.any() else {})  # fmt: skip


def read_both_ways(classifier: Classifier, grey: np.ndarray, box: Sequence[int]) -> Prediction:
    """Return what is said of a face and of its mirror image; arguments as for Classifier.read."""
    return agreed([classifier.read(grey, box), classifier.read(*mirrored(grey, box))])
