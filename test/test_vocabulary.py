import pytest

from expression_ros.vocabulary import (
    EMOTIONS,
    UNKNOWN,
    UnknownLabelError,
    canonical_label,
    label_from_ck_plus,
    label_from_fer2013,
)


@pytest.mark.parametrize("label", [*EMOTIONS, UNKNOWN])
def test_every_label_is_its_own_name(label):
    assert canonical_label(label) == label


@pytest.mark.parametrize(
    ("alias", "label"),
    [("happy", "happiness"), ("Angry", "anger"), (" SAD ", "sadness"), ("Surprised", "surprise"),
     ("scared", "fear"), ("disgusted", "disgust")],
)  # fmt: skip
def test_names_of_other_data_sets_are_understood(alias, label):
    assert canonical_label(alias) == label


def test_unknown_name_says_which_labels_there_are():
    with pytest.raises(UnknownLabelError, match=r"'grumpy'.*neutral, anger.*surprise"):
        canonical_label("grumpy")


def test_numbers_of_fer2013():
    assert [label_from_fer2013(n) for n in range(7)] == [
        "anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral",
    ]  # fmt: skip


def test_numbers_of_ck_plus():
    assert [label_from_ck_plus(float(n)) for n in range(8)] == list(EMOTIONS)


@pytest.mark.parametrize("number", [-1, 7, 2.5])
def test_number_out_of_range_is_refused(number):
    with pytest.raises(UnknownLabelError, match="FER2013 has no class"):
        label_from_fer2013(number)
