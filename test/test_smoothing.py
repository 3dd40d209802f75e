import math
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from expression_ros.recognition.smoothing import LabelSmoother

SMILE = {"happiness": 1.0, "neutral": 0.0}
REST = {"happiness": 0.0, "neutral": 1.0}


def labels_of(smoother, frames, rate=30.0):
    return [smoother.update(scores, k / rate)[0] for k, scores in enumerate(frames)]


def test_the_first_frame_has_a_label_at_once():
    assert LabelSmoother().update(SMILE, 0.0) == ("happiness", 1.0)


def test_one_stray_frame_does_not_change_the_label():
    assert set(labels_of(LabelSmoother(), [REST] * 10 + [SMILE] + [REST] * 10)) == {"neutral"}


def test_a_held_expression_is_taken_up_within_half_a_second():
    labels = labels_of(LabelSmoother(), [REST] * 15 + [SMILE] * 15)
    assert labels[:15] == ["neutral"] * 15
    assert labels[-1] == "happiness"


def test_a_tie_that_wavers_does_not_flicker():
    wavering = [{"happiness": 0.5 + d, "neutral": 0.5 - d} for d in (0.04, -0.04)] * 40
    labels = labels_of(LabelSmoother(), wavering)
    assert len(set(labels)) == 1


def test_no_smoothing_follows_every_frame():
    smoother = LabelSmoother(time_constant=0.0, margin=0.0)
    assert labels_of(smoother, [REST, SMILE, REST]) == ["neutral", "happiness", "neutral"]


def test_a_low_score_is_unknown():
    smoother = LabelSmoother(min_confidence=0.6)
    assert smoother.update({"fear": 0.4, "anger": 0.35, "neutral": 0.25}, 0.0) == ("unknown", 0.4)


def test_smoothed_scores_still_add_to_one():
    smoother = LabelSmoother()
    labels_of(smoother, [REST, SMILE, SMILE, REST])
    assert sum(smoother.scores.values()) == pytest.approx(1.0)


def test_smoothing_does_not_depend_on_the_frame_rate():
    slow, fast = LabelSmoother(), LabelSmoother()
    labels_of(slow, [REST] + [SMILE] * 10, rate=10)
    labels_of(fast, [REST] + [SMILE] * 100, rate=100)
    assert slow.scores["happiness"] == pytest.approx(fast.scores["happiness"], abs=1e-9)


@pytest.mark.parametrize("back_to", [1.0, 99.6, 99.999])
def test_time_that_goes_back_starts_anew(back_to):
    smoother = LabelSmoother()
    smoother.update(REST, 100.0)
    assert smoother.update(SMILE, back_to) == ("happiness", 1.0)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_another_label_takes_over_when_it_leads_by_more_than_the_margin(margin):
    smoother = LabelSmoother(time_constant=0.0, margin=margin)
    smoother.update({"happiness": 0.2, "neutral": 0.8}, 0.0)
    for stamp, (lead, label) in enumerate([(margin - 0.02, "neutral"), (margin + 0.02, "happiness"),
                                           (0.02 - margin, "happiness")], 1):  # fmt: skip
        scores = {"happiness": 0.5 + lead / 2, "neutral": 0.5 - lead / 2}
        if margin or stamp > 1:
            assert smoother.update(scores, stamp)[0] == label


def test_a_margin_that_is_changed_counts_from_the_next_frame():
    smoother = LabelSmoother(time_constant=0.0, margin=0.5)
    leading = {"happiness": 0.6, "neutral": 0.4}
    assert smoother.update({"happiness": 0.4, "neutral": 0.6}, 0.0)[0] == "neutral"
    assert smoother.update(leading, 1.0)[0] == "neutral"
    smoother.margin = 0.1
    assert smoother.update(leading, 2.0)[0] == "happiness"


# Whatever the scores, the labels and the frame rate

LABELS = ("neutral", "happiness", "sadness", "surprise")
RATES = st.floats(2.0, 60.0)
LEAST = 0.6


def scores_of(label, share, labels=LABELS):
    """Return scores in which a label has this share, and the others what is left alike."""
    rest = (1 - share) / (len(labels) - 1)
    return {one: share if one == label else rest for one in labels}


def smoother_of(**settings):
    return LabelSmoother(min_confidence=LEAST, **settings)


SCORES = st.lists(st.floats(0.001, 1.0), min_size=4, max_size=4).map(
    lambda values: {label: v / sum(values) for label, v in zip(LABELS, values, strict=True)}
)
# Runs of one expression: which, how surely, for how many frames.
RUNS = st.lists(
    st.tuples(st.sampled_from(LABELS), st.floats(0.3, 1.0), st.integers(1, 40)), max_size=8
)


def frames_of(runs):
    return [scores_of(label, share) for label, share, count in runs for _ in range(count)]


@settings(deadline=None)
@given(RUNS, st.sampled_from(LABELS), st.floats(0.75, 1.0), RATES)
def test_what_stays_is_said_before_long_whatever_was_before(runs, label, share, rate):
    smoother, before = smoother_of(), frames_of(runs)
    for k, scores in enumerate(before):
        smoother.update(scores, k / rate)
    count = 4 + math.ceil(1.5 * rate)
    said = [smoother.update(scores_of(label, share), (len(before) + k) / rate)[0]
            for k in range(count)]  # fmt: skip
    assert said[-1] == label


@settings(deadline=None)
@given(RUNS, st.sampled_from(LABELS), st.floats(0.3, 0.5), st.floats(5.0, 60.0))
def test_what_stays_in_doubt_becomes_unknown(runs, label, share, rate):
    smoother, before = smoother_of(), frames_of(runs)
    for k, scores in enumerate(before):
        smoother.update(scores, k / rate)
    for k in range(math.ceil(9 * rate)):
        said, _ = smoother.update(scores_of(label, share), (len(before) + k) / rate)
    assert said == "unknown"


@settings(deadline=None)
@given(RUNS, st.floats(5.0, 60.0))
def test_a_label_that_no_frame_showed_for_long_is_not_said(runs, rate):
    smoother, shown = smoother_of(), {}
    for k, scores in enumerate(frames_of(runs)):
        for label in LABELS:
            if scores[label] == max(scores.values()):
                shown[label] = k
        label, _ = smoother.update(scores, k / rate)
        assert label == "unknown" or k - shown.get(label, -math.inf) <= 9 * rate


@settings(deadline=None)
@given(st.sampled_from(LABELS), st.floats(0.7, 1.0), SCORES,
       st.lists(st.floats(1 / 60, 0.5), min_size=4, max_size=30), st.integers(2, 28))  # fmt: skip
def test_one_frame_never_changes_the_label_however_long_it_lasts(label, share, stray, gaps, at):
    smoother = smoother_of()
    stamps = np.cumsum([0.0, *gaps])
    frames = [stray if k == at else scores_of(label, share) for k in range(len(stamps))]
    said = {smoother.update(s, t)[0] for s, t in zip(frames, stamps, strict=True)}
    assert said == {label}


@settings(deadline=None)
@given(st.lists(SCORES, min_size=1, max_size=60), st.permutations(LABELS), RATES)
def test_other_names_for_the_labels_change_nothing_else(frames, names, rate):
    name = dict(zip(LABELS, names, strict=True)) | {"unknown": "unknown"}
    renamed = [{name[label]: share for label, share in scores.items()} for scores in frames]
    first, second = smoother_of(), smoother_of()
    assert [name[label] for label in labels_of(first, frames, rate)] == (
        labels_of(second, renamed, rate)
    )


@settings(deadline=None)
@given(st.lists(SCORES, min_size=1, max_size=40), st.lists(SCORES, min_size=1, max_size=40), RATES)
def test_after_time_went_back_nothing_is_left_of_what_was_before(before, after, rate):
    smoother = smoother_of()
    for k, scores in enumerate(before):
        smoother.update(scores, 100 + k / rate)
    assert labels_of(smoother, after, rate) == labels_of(smoother_of(), after, rate)


# How long it takes


def seconds_until(label, scores, rate, speaking=False, before="neutral"):
    smoother = smoother_of()
    for k in range(round(2 * rate)):
        smoother.update(scores_of(before, 0.95), k / rate, speaking)
    for k in range(round(5 * rate)):
        if smoother.update(scores, 2 + k / rate, speaking)[0] == label:
            return k / rate
    return math.inf


@pytest.mark.parametrize("rate", [10, 15, 24, 30, 60])
def test_a_strong_smile_is_said_within_four_tenths_of_a_second(rate):
    assert 0.1 < seconds_until("happiness", scores_of("happiness", 0.95), rate) <= 0.4


def test_a_weaker_change_takes_longer():
    times = [seconds_until("happiness", scores_of("happiness", share), 30)
             for share in (0.95, 0.75, 0.65)]  # fmt: skip
    assert times == sorted(times) and times[-1] > 1.2 * times[0]


@pytest.mark.parametrize("rate", [10, 30])
def test_who_speaks_must_smile_for_a_second_and_may_cease_at_once(rate):
    smile = scores_of("happiness", 0.95)
    assert 0.85 < seconds_until("happiness", smile, rate, speaking=True) < 1.3
    rest = scores_of("neutral", 0.95)
    assert seconds_until("neutral", rest, rate, speaking=True, before="sadness") <= 0.4


@pytest.mark.parametrize("rate", [10, 30])
def test_a_mouth_that_is_coming_to_rest_is_waited_for(rate):
    """A third of a second into the smile the mouth is still: little later than half a second."""
    smoother = smoother_of()
    for k in range(2 * rate):
        smoother.update(scores_of("neutral", 0.95), k / rate)
    smile = scores_of("happiness", 0.95)
    said = [smoother.update(smile, 2 + k / rate, moving=k < rate / 3)[0] for k in range(2 * rate)]
    assert 1 / 3 < said.index("happiness") / rate <= 0.6
    away = scores_of("neutral", 0.95)
    back = [smoother.update(away, 4 + k / rate, moving=True)[0] for k in range(rate)]
    assert back.index("neutral") / rate <= 0.4  # a face at rest needs no waiting for


def test_what_speech_does_to_a_mouth_changes_nothing():
    syllables = [scores_of("surprise" if k % 15 < 6 else "neutral", 0.9) for k in range(300)]
    smoother = smoother_of()
    smoother.update(scores_of("neutral", 0.9), 0.0)
    said = {smoother.update(s, k / 30, speaking=True)[0] for k, s in enumerate(syllables, 1)}
    assert said == {"neutral"}


def test_a_dip_below_the_confidence_is_no_doubt_yet_and_a_lasting_one_is():
    smoother = smoother_of()
    smoother.update(scores_of("sadness", 0.9), 0.0)
    said = [smoother.update(scores_of("sadness", 0.4), k / 30)[0] for k in range(1, 200)]
    assert set(said[:30]) == {"sadness"} and said[-1] == "unknown"
    assert set(said[said.index("unknown") :]) == {"unknown"}


def test_who_speaks_is_doubted_later():
    def first_doubt(speaking):
        smoother = smoother_of()
        smoother.update(scores_of("neutral", 0.9), 0.0)
        doubtful = scores_of("neutral", 0.3)
        said = (smoother.update(doubtful, k / 30, speaking)[0] for k in count(1))
        return next(k for k, label in enumerate(said) if label == "unknown")

    assert first_doubt(True) > 1.5 * first_doubt(False)


def test_of_two_who_are_nearly_even_the_one_said_stays():
    frames = [REST] * 10 + [scores_of("happiness", 0.55)] * 3 + [scores_of("neutral", 0.55)] * 3
    assert set(labels_of(LabelSmoother(), frames)) == {"neutral"}
