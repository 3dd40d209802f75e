"""A face is read relative to its own rest."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expression_ros.recognition.smoothing import RestingState

LABELS = ("neutral", "happiness", "sadness")
PLAIN = {"neutral": 0.998, "happiness": 0.001, "sadness": 0.001}
FAINT_SMILE = {"neutral": 0.7, "happiness": 0.299, "sadness": 0.001}
GLOOMY = {"neutral": 0.4, "happiness": 0.01, "sadness": 0.59}  # at rest
CRYING = {"neutral": 0.15, "happiness": 0.01, "sadness": 0.84}


def top(scores):
    return max(scores, key=scores.__getitem__)


def read(state, scores, seconds, start=0.0, rate=30.0, speaking=False):
    """Return what is read last of scores that stay."""
    for k in range(round(seconds * rate)):
        found = state.read(scores, start + k / rate, speaking)
    return found


def rested(scores, rate=30.0):
    state = RestingState()
    read(state, scores, 4.0, rate=rate)
    return state


def test_in_the_first_second_a_face_is_read_as_it_is():
    assert read(RestingState(), GLOOMY, 0.9) == GLOOMY


@pytest.mark.parametrize("rate", [2, 5, 30, 60])
def test_a_face_that_looks_a_little_sad_at_rest_is_neutral_within_seconds(rate):
    state = RestingState()
    assert top(read(state, GLOOMY, 4.0, rate=rate)) == "neutral"
    assert top(read(state, CRYING, 1.0, 4.0, rate)) == "sadness"  # and still can cry


@pytest.mark.parametrize("rate", [2, 5, 30, 60])
def test_a_smile_on_a_plain_face_is_seen_earlier(rate):
    state = rested(PLAIN, rate)
    assert top(read(state, PLAIN, 1.0, 4.0, rate)) == "neutral"
    assert state.read(FAINT_SMILE, 5.0, False)["happiness"] > 0.6


def test_who_shows_an_expression_all_the_time_is_not_at_rest():
    assert read(RestingState(), CRYING, 20.0) == CRYING


def test_a_faint_smile_that_lasts_does_not_become_the_rest():
    assert top(read(rested(PLAIN), FAINT_SMILE, 20.0, 4.0)) == "happiness"


def test_another_light_is_learnt():
    state = rested(PLAIN)
    dimmer = {"neutral": 0.9, "happiness": 0.01, "sadness": 0.09}
    first = state.read(dimmer, 4.0, False)["sadness"]
    assert read(state, dimmer, 10.0, 4.0)["sadness"] < first / 2


def test_of_who_speaks_or_wavers_nothing_is_learnt():
    assert read(RestingState(), GLOOMY, 10.0, speaking=True) == GLOOMY
    state = RestingState()
    for k in range(300):
        scores = GLOOMY if k % 10 < 5 else PLAIN
        assert state.read(scores, k / 30, False) == scores


def test_time_that_goes_back_and_other_labels_start_anew():
    assert rested(GLOOMY).read(GLOOMY, 1.0, False) == GLOOMY
    other = {**GLOOMY, "anger": 0.0}
    assert rested(GLOOMY).read(other, 5.0, False) == other


def test_a_model_that_cannot_say_neutral_is_left_alone():
    scores = {"happiness": 0.6, "sadness": 0.4}
    assert read(RestingState(), scores, 10.0) == scores


SHARES = st.lists(st.floats(0.001, 1.0), min_size=3, max_size=3)
RUNS = st.lists(st.tuples(SHARES, st.integers(1, 120)), min_size=1, max_size=6)


@settings(deadline=None)
@given(RUNS, st.floats(2.0, 60.0))
def test_scores_add_to_one_and_move_by_a_bounded_amount(runs, rate):
    state, k = RestingState(), 0
    for shares, count in runs:
        scores = dict(zip(LABELS, (share / sum(shares) for share in shares), strict=True))
        for _ in range(count):
            found, k = state.read(scores, k / rate, False), k + 1
            assert tuple(found) == LABELS and sum(found.values()) == pytest.approx(1.0)
            for label in LABELS:
                raised = math.log(found[label] / found["neutral"])
                raised -= math.log(scores[label] / scores["neutral"])
                assert -1.0 - 1e-6 <= raised <= 2.0 + 1e-6


@settings(deadline=None)
@given(RUNS, st.floats(2.0, 60.0), st.permutations(range(3)))
def test_the_order_of_the_labels_does_not_matter(runs, rate, order):
    state, other, k = RestingState(), RestingState(), 0
    for shares, count in runs:
        scores = dict(zip(LABELS, (share / sum(shares) for share in shares), strict=True))
        turned = {LABELS[place]: scores[LABELS[place]] for place in order}
        for _ in range(count):
            found, k = state.read(scores, k / rate, False), k + 1
            assert other.read(turned, (k - 1) / rate, False) == pytest.approx(found)
