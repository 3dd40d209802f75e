"""Scores against figures worked out by hand: accuracy, F1, calibration error, coverage."""

from __future__ import annotations

import numpy as np
import pytest

from expression_ros.training.evaluation.metrics import (
    calibration_bins,
    coverage_curve,
    evaluate,
    expected_calibration_error,
)

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")

# Three answers in the bin 0.8 to 0.867, one in 0.6 to 0.667, two in the last.
SCORES = np.array([0.82, 0.84, 0.86, 0.65, 1.0, 0.98])
RIGHT = np.array([True, False, False, True, True, True])


def test_accuracy_is_of_faces_and_macro_f1_of_labels():
    truth = ["neutral"] * 8 + ["disgust"] * 2
    scores = evaluate(truth, ["neutral"] * 9 + ["disgust"], ("neutral", "disgust", "fear"))
    assert scores.accuracy == 0.9
    assert scores.per_label["neutral"].precision == pytest.approx(8 / 9)
    assert scores.per_label["disgust"].recall == 0.5
    # fear does not occur: it counts neither for nor against
    assert scores.macro_f1 == pytest.approx((16 / 17 + 2 / 3) / 2)
    assert scores.as_mapping()["confusion"] == [[8, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_a_label_that_was_said_and_never_true_lowers_precision_of_nobody_else():
    scores = evaluate(["neutral", "neutral"], ["fear", "neutral"], ("neutral", "fear"))
    assert scores.per_label["neutral"].precision == 1.0
    assert scores.per_label["neutral"].recall == 0.5
    assert scores.per_label["fear"].faces == 0 and scores.per_label["fear"].precision == 0.0


def test_expected_calibration_error_by_hand():
    apart = 3 * abs((0.82 + 0.84 + 0.86) / 3 - 1 / 3) + 1 * abs(0.65 - 1) + 2 * abs(0.99 - 1)
    assert expected_calibration_error(SCORES, RIGHT) == pytest.approx(apart / 6)


def test_scores_that_are_right_as_often_as_they_say_have_no_error():
    scores = np.repeat([0.25, 0.75], [400, 400])
    right = np.concatenate([np.arange(400) % 4 == 0, np.arange(400) % 4 != 0])
    assert expected_calibration_error(scores, right) == pytest.approx(0)
    assert expected_calibration_error(scores, ~right) == pytest.approx(0.5)


def test_bins_hold_every_answer_once():
    bins = calibration_bins(SCORES, RIGHT)
    assert len(bins) == 15 and sum(b.count for b in bins) == len(SCORES)
    filled = [b for b in bins if b.count]
    assert [b.count for b in filled] == [1, 3, 2]
    assert filled[1].low == pytest.approx(0.8) and filled[1].right == pytest.approx(1 / 3)
    assert filled[2].high == 1.0 and filled[2].score == pytest.approx(0.99)


def test_coverage_by_hand():
    curve = {row.threshold: row for row in coverage_curve(SCORES, RIGHT)}
    assert curve[0.0].said == 1.0 and curve[0.0].right == pytest.approx(4 / 6)
    assert curve[0.65].said == 1.0  # a score that reaches the threshold is said
    assert curve[0.7].said == pytest.approx(5 / 6) and curve[0.7].right == pytest.approx(3 / 5)
    assert curve[0.95].said == pytest.approx(2 / 6) and curve[0.95].right == 1.0


def test_coverage_where_nothing_is_left_has_no_share_of_right_ones():
    last = coverage_curve(np.array([0.4]), np.array([True]))[-1]
    assert last.said == 0.0 and np.isnan(last.right)
