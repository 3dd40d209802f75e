"""The vote of an ensemble: the mode, ties, weights, and scores that are right that often."""

from __future__ import annotations

import numpy as np
import pytest

from expression_ros.recognition.vote import Ballot, VoteCalibration, count_votes, evidence_of

LABELS = ("anger", "happiness", "neutral")
ANGER, HAPPINESS, NEUTRAL = range(3)


def ballot(*votes: tuple[int, float], other: float = 20.0) -> Ballot:
    """Return a ballot of (class, distance) answers; all other classes are ``other`` away."""
    distances = np.full((len(votes), 3), other)
    for row, (choice, distance) in enumerate(votes):
        distances[row, choice] = distance
    return Ballot(np.array([choice for choice, _ in votes]), distances)


def test_mode_of_the_votes_wins_with_its_share_as_score():
    prediction = count_votes(ballot(*[(NEUTRAL, 9.0)] * 6, *[(ANGER, 1.0)] * 4), LABELS)
    assert (prediction.label, prediction.score) == ("neutral", 0.6)
    assert prediction.scores == {"anger": 0.4, "happiness": 0.0, "neutral": 0.6}
    assert prediction.votes == prediction.scores


@pytest.mark.parametrize(
    ("anger", "neutral", "winner"), [(3.0, 2.0, "neutral"), (2.0, 3.0, "anger")]
)
def test_tie_goes_to_the_label_that_is_nearest(anger, neutral, winner):
    votes = [(ANGER, anger - 1), (NEUTRAL, neutral), (ANGER, anger + 1), (NEUTRAL, neutral)]
    for order in (votes, votes[::-1]):
        assert count_votes(ballot(*order), LABELS).label == winner


def test_in_a_tie_the_members_that_said_something_else_are_asked_as_well():
    votes = np.array([ANGER, ANGER, NEUTRAL, NEUTRAL, HAPPINESS])
    distances = np.full((5, 3), 9.0)
    distances[[0, 1], ANGER] = 1.0  # nearer than the voters for neutral ...
    distances[[2, 3], NEUTRAL] = 2.0
    distances[[0, 1, 4], NEUTRAL] = 3.0  # ... but to the others neutral is not far
    distances[4, HAPPINESS] = 1.0
    assert count_votes(Ballot(votes, distances), LABELS).label == "neutral"


def test_third_label_with_the_nearest_vote_does_not_win_a_tie_of_others():
    votes = [(ANGER, 5.0)] * 2 + [(NEUTRAL, 4.0)] * 2 + [(HAPPINESS, 0.1)]
    assert count_votes(ballot(*votes), LABELS).label == "neutral"


def test_weights_of_the_members_decide():
    votes = ballot((ANGER, 1.0), (NEUTRAL, 1.0), (NEUTRAL, 1.0))
    assert count_votes(votes, LABELS).label == "neutral"
    prediction = count_votes(votes, LABELS, np.array([3.0, 1.0, 1.0]))
    assert prediction.label == "anger" and prediction.score == pytest.approx(0.6)


def test_evidence_is_a_mean_in_which_only_the_proportion_of_the_weights_counts():
    votes = ballot((ANGER, 1.0), (NEUTRAL, 2.0), other=4.0)
    weights = np.array([3.0, 1.0])
    expected = [-(3 * 1 + 16) / 8, -16 / 2, -(3 * 16 + 4) / 8]  # means of -d^2 / 2
    calibration = VoteCalibration(0.4, 0.3)
    scores = count_votes(votes, LABELS, weights, calibration).scores
    for factor in (1.0, 0.1, 7.0):
        assert evidence_of(votes, factor * weights) == pytest.approx(expected)
        again = count_votes(votes, LABELS, factor * weights, calibration)
        assert again.scores == pytest.approx(scores)


def test_calibrated_scores_add_to_one_and_the_mode_has_the_largest():
    rng = np.random.default_rng(4)
    calibration = VoteCalibration(distance=0.4, share=0.3)
    disagreements = 0
    for _ in range(300):
        distances = rng.uniform(1.0, 3.0, (10, 3))
        prediction = count_votes(
            Ballot(distances.argmin(axis=1), distances), LABELS, calibration=calibration
        )
        evidence = evidence_of(Ballot(distances.argmin(axis=1), distances), np.ones(10))
        disagreements += LABELS[int(evidence.argmax())] != prediction.label
        assert sum(prediction.scores.values()) == pytest.approx(1.0)
        assert prediction.score == max(prediction.scores.values())
        assert max(prediction.votes, key=prediction.votes.__getitem__) == prediction.label or (
            sorted(prediction.votes.values())[-1] == prediction.votes[prediction.label]
        )
    assert disagreements > 0  # the case that the exchange of two scores is there for


def test_nearer_faces_get_higher_scores_though_all_members_agree():
    calibration = VoteCalibration(distance=0.4, share=0.3)
    near, far = (
        count_votes(ballot(*[(ANGER, d)] * 10, other=4.0), LABELS, calibration=calibration)
        for d in (1.0, 3.5)
    )
    assert near.votes == far.votes and near.score > far.score + 0.1


def test_class_that_no_member_knows_is_never_said():
    votes = ballot((ANGER, 1.0), (ANGER, 2.0))
    votes.distances[:, HAPPINESS] = np.inf
    prediction = count_votes(votes, LABELS, calibration=VoteCalibration(0.4, 0.3))
    assert prediction.scores["happiness"] == pytest.approx(0.0, abs=1e-9)


def test_evidence_of_a_class_that_nobody_knows_is_finite():
    votes = ballot((ANGER, 1.0), (ANGER, 2.0))
    votes.distances[:, HAPPINESS] = np.inf
    assert evidence_of(votes, np.ones(2))[HAPPINESS] == -1e6


def test_calibration_survives_being_written_and_read():
    calibration = VoteCalibration(0.4, 0.3)
    assert VoteCalibration.from_mapping(calibration.as_mapping()) == calibration


@pytest.mark.parametrize(
    "settings",
    [{}, {"distance": 1.0}, {"distance": -1.0, "share": 0.0}, {"distance": "1", "share": 0.0},
     {"distance": float("nan"), "share": 0.0}, {"distance": 1.0, "share": 0.0, "more": 1.0}],
)  # fmt: skip
def test_calibration_that_is_none_is_refused(settings):
    with pytest.raises(ValueError, match="calibration"):
        VoteCalibration.from_mapping(settings)
