import pytest

from expression_ros.recognition.settling import LabelSettler

SMILE = {"happiness": 1.0, "neutral": 0.0}
REST = {"happiness": 0.0, "neutral": 1.0}


def labels_of(settler, frames, rate=30.0):
    return [settler.update(scores, k / rate)[0] for k, scores in enumerate(frames)]


def test_the_first_frame_has_a_label_at_once():
    assert LabelSettler().update(SMILE, 0.0) == ("happiness", 1.0)


def test_one_stray_frame_does_not_change_the_label():
    assert set(labels_of(LabelSettler(), [REST] * 10 + [SMILE] + [REST] * 10)) == {"neutral"}


def test_a_held_expression_is_taken_up_within_half_a_second():
    labels = labels_of(LabelSettler(), [REST] * 15 + [SMILE] * 15)
    assert labels[:15] == ["neutral"] * 15
    assert labels[-1] == "happiness"


def test_a_tie_that_wavers_does_not_flicker():
    wavering = [{"happiness": 0.5 + d, "neutral": 0.5 - d} for d in (0.04, -0.04)] * 40
    labels = labels_of(LabelSettler(), wavering)
    assert len(set(labels)) == 1


def test_no_smoothing_follows_every_frame():
    settler = LabelSettler(time_constant=0.0, margin=0.0)
    assert labels_of(settler, [REST, SMILE, REST]) == ["neutral", "happiness", "neutral"]


def test_a_low_score_is_unknown():
    settler = LabelSettler(min_confidence=0.6)
    assert settler.update({"fear": 0.4, "anger": 0.35, "neutral": 0.25}, 0.0) == ("unknown", 0.4)


def test_smoothed_scores_still_add_to_one():
    settler = LabelSettler()
    labels_of(settler, [REST, SMILE, SMILE, REST])
    assert sum(settler.scores.values()) == pytest.approx(1.0)


def test_smoothing_does_not_depend_on_the_frame_rate():
    slow, fast = LabelSettler(), LabelSettler()
    labels_of(slow, [REST] + [SMILE] * 10, rate=10)
    labels_of(fast, [REST] + [SMILE] * 100, rate=100)
    assert slow.scores["happiness"] == pytest.approx(fast.scores["happiness"], abs=1e-9)


@pytest.mark.parametrize("back_to", [1.0, 99.6, 99.999])
def test_time_that_goes_back_starts_anew(back_to):
    settler = LabelSettler()
    settler.update(REST, 100.0)
    assert settler.update(SMILE, back_to) == ("happiness", 1.0)


@pytest.mark.parametrize("margin", [0.0, 0.1, 0.5])
def test_another_label_takes_over_when_it_leads_by_more_than_the_margin(margin):
    settler = LabelSettler(time_constant=0.0, margin=margin)
    settler.update({"happiness": 0.2, "neutral": 0.8}, 0.0)
    for stamp, (lead, label) in enumerate([(margin - 0.02, "neutral"), (margin + 0.02, "happiness"),
                                           (0.02 - margin, "happiness")], 1):  # fmt: skip
        scores = {"happiness": 0.5 + lead / 2, "neutral": 0.5 - lead / 2}
        if margin or stamp > 1:
            assert settler.update(scores, stamp)[0] == label


def test_a_margin_that_is_changed_counts_from_the_next_frame():
    settler = LabelSettler(time_constant=0.0, margin=0.5)
    leading = {"happiness": 0.6, "neutral": 0.4}
    assert settler.update({"happiness": 0.4, "neutral": 0.6}, 0.0)[0] == "neutral"
    assert settler.update(leading, 1.0)[0] == "neutral"
    settler.margin = 0.1
    assert settler.update(leading, 2.0)[0] == "happiness"
