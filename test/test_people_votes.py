"""What people see on faces: their votes are read, kept, and answers are judged by them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from generated_faces import write_drawn_fer2013
from hypothesis import given
from hypothesis import strategies as st
from labelled_data import csv_row, write_csv

from expression_ros.cli import main
from expression_ros.training.data.data_sets import load_split_faces, open_data_set
from expression_ros.training.data.faces import DataError
from expression_ros.training.data.labelled_images import TEST
from expression_ros.training.data.people_votes import (
    VOTE_NAMES,
    majority_of,
    read_votes,
)
from expression_ros.training.evaluation.metrics import coverage_at, people_figures
from expression_ros.vocabulary import EMOTIONS, FER2013_ORDER

# Microsoft's order and names, which differ from the vocabulary's.
MICROSOFT = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt",
             "unknown", "NF")  # fmt: skip
SEVEN = tuple(label for label in EMOTIONS if label != "contempt")


def ten(**counts: int) -> np.ndarray:
    """Return one row of votes in the order of VOTE_NAMES."""
    return np.array([counts.get(name, 0) for name in VOTE_NAMES])


def figures(rows, said, scores, labels=SEVEN):
    return people_figures(rows, said, np.array(scores, float), labels)


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"neutral": 6, "sadness": 4}, "neutral"),
        ({"neutral": 5, "sadness": 5}, ""),
        ({"neutral": 5, "sadness": 4, "unknown": 1}, ""),  # of all ten, not of those who could tell
        ({"happiness": 6, "NF": 4}, "happiness"),
        ({"NF": 7, "anger": 3}, ""),
        ({"unknown": 10}, ""),
        ({"contempt": 6, "neutral": 4}, "contempt"),
        ({"fear": 3, "surprise": 2}, "fear"),  # five were asked
    ],
)
def test_most_people_are_more_than_half_of_all(counts, label):
    assert majority_of(ten(**counts)) == label


def test_figures_by_hand():
    rows = [
        ten(happiness=10),  # said, sure
        ten(neutral=6, sadness=4),  # sadness is said
        ten(anger=5, neutral=5),  # no majority: not in n, but a person can be drawn
        ten(contempt=8, neutral=2),  # cannot be said
        None,  # nobody was asked
        ten(NF=9, fear=1),  # one named an expression: nobody to compare with
    ]
    said = ["happiness", "sadness", "anger", "neutral", "fear", "surprise"]
    found = figures(rows, said, [0.9, 0.6, 0.5, 0.5, 1.0, 1.0])
    assert (found["n"], found["n_cannot_say"], found["n_voted"]) == (2, 1, 4)
    assert found["majority"] == 0.5
    assert found["recall"] == {"neutral": 0.0, "happiness": 1.0}
    assert found["faces"] == {"neutral": 1, "happiness": 1}
    assert found["one_person"] == pytest.approx((1 + 0.4 + 0.5 + 0.2) / 4)
    # Pairs of two voters of ten: 90 in all; 6 * 5 + 4 * 3, 5 * 4 * 2, 8 * 7 + 2 agree.
    assert found["second_person"] == pytest.approx((1 + 42 / 90 + 40 / 90 + 58 / 90) / 4)
    assert found["best"] == pytest.approx((1 + 0.6 + 0.5 + 0.8) / 4)
    assert found["coverage_90"] == found["coverage_95"] == 0.5
    assert found["ece"] == pytest.approx((abs(0.9 - 1) + 0.6) / 2)
    json.dumps(found, allow_nan=False)


def test_the_best_answer_reaches_the_best_figure_and_nobody_more():
    rng = np.random.default_rng(0)
    rows = list(rng.multinomial(10, [0.5, *[0.05] * 8, 0.1], 300))
    best = [EMOTIONS[int(row[:8].argmax())] for row in rows]
    found = figures(rows, best, np.ones(300), EMOTIONS)
    assert found["one_person"] == pytest.approx(found["best"])
    others = figures(rows, ["anger"] * 300, np.ones(300), EMOTIONS)
    assert others["one_person"] < found["best"]
    assert found["majority"] == found["coverage_95"] == 1.0 > others["majority"]


def test_a_second_person_agrees_as_often_as_one_who_is_drawn():
    rng = np.random.default_rng(1)
    rows = [row for row in rng.multinomial(10, [0.4, 0.3, 0, 0, 0, 0.2, 0.1, 0, 0, 0], 40)]
    agreed = total = 0
    for row in rows:
        people = [label for label, count in zip(EMOTIONS, row, strict=False) for _ in range(count)]
        for a in range(len(people)):
            for b in range(len(people)):
                agreed += a != b and people[a] == people[b]
                total += a != b
    found = figures(rows, ["neutral"] * 40, np.ones(40))
    assert found["second_person"] == pytest.approx(agreed / total)  # ten voters on each face


def test_nobody_was_asked():
    assert figures([None], ["neutral"], [1.0]) is None
    assert figures([ten(anger=5, neutral=5)], ["neutral"], [1.0]) is None


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9]), st.booleans()), min_size=1),
    st.sampled_from([0.5, 0.9, 0.95, 1.0]),
)
def test_coverage_is_that_of_the_best_threshold(answers, wanted):
    scores, right = (np.array(column) for column in zip(*answers, strict=True))
    shares = [0.0]
    for threshold in scores:
        said = scores >= threshold
        if right[said].mean() >= wanted - 1e-12:
            shares.append(said.mean())
    assert coverage_at(scores, right, wanted) == pytest.approx(max(shares))


# Reading votes


def write_microsoft(path, rows, usage="Training"):
    """Write rows of ten counts in Microsoft's order as fer2013new.csv."""
    lines = [f"{usage},fer{k:07d}.png,{','.join(map(str, row))}" for k, row in enumerate(rows)]
    path.write_text("\n".join([f"Usage,Image name,{','.join(MICROSOFT)}", *lines]) + "\n")
    return path


def drawn_votes(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).multinomial(10, np.full(10, 0.1), count)


def in_order(row: np.ndarray) -> list[int]:
    """Return votes of Microsoft's order in that of VOTE_NAMES."""
    return [int(row[MICROSOFT.index(name)]) for name in VOTE_NAMES]


def test_csv_and_npz_say_the_same(tmp_path):
    rows = drawn_votes(6)
    table = read_votes(write_microsoft(tmp_path / "fer2013new.csv", rows))
    np.savez(tmp_path / "votes.npz", ferplus_votes=rows.astype(np.int8), ferplus_names=MICROSOFT)
    assert table.votes.tolist() == [in_order(row) for row in rows]
    assert read_votes(tmp_path / "votes.npz").votes.tolist() == table.votes.tolist()
    assert table.of_csv_row(4).tolist() == in_order(rows[4]) and table.of_csv_row(6) is None


def test_rows_of_which_nothing_is_known_have_no_votes(tmp_path):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 4, 2)
    votes = drawn_votes(6).astype(np.int8)
    votes[5] = -1
    votes[3] = 0
    np.savez(tmp_path / "votes.npz", ferplus_votes=votes, ferplus_names=MICROSOFT)
    images = open_data_set(data, votes=tmp_path / "votes.npz").images
    assert [image.votes is None for image in images] == [False] * 3 + [True, False, True]


def test_votes_of_a_file_take_the_place_of_those_in_the_data(tmp_path):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 4, 2)
    with np.load(data) as arrays:
        known = dict(arrays)
    np.savez(data, **known, ferplus_votes=drawn_votes(6, 1), ferplus_names=MICROSOFT)
    np.savez(tmp_path / "v.npz", ferplus_votes=drawn_votes(6, 2), ferplus_names=MICROSOFT)
    inside, outside = open_data_set(data), open_data_set(data, votes=tmp_path / "v.npz")
    for data_set, seed in ((inside, 1), (outside, 2)):
        assert [p.votes.tolist() for p in data_set.images] == [
            in_order(row) for row in drawn_votes(6, seed)
        ]


def test_kaggles_csv_and_microsofts_go_together_row_by_row(tmp_path):
    rng = np.random.default_rng(0)
    faces = rng.integers(0, 256, (6, 48, 48))
    rows = [csv_row(face, FER2013_ORDER[k], "PublicTest") for k, face in enumerate(faces)]
    rows[2] = "7,1 2 3,PublicTest"  # a damaged row keeps its place
    rows.insert(4, "")  # an empty line has none
    kaggle = write_csv(tmp_path / "fer2013.csv", rows)
    votes = drawn_votes(6)
    microsoft = write_microsoft(tmp_path / "fer2013new.csv", votes, "PublicTest")
    out = tmp_path / "prepared.npz"
    words = ["prepare", "--data", kaggle, "--votes", microsoft, "--output", out]
    assert main([str(word) for word in words]) == 0
    prepared = open_data_set(out).of_split(TEST)
    kept = [in_order(votes[k]) for k in (0, 1, 3, 4, 5)]
    assert [image.votes.tolist() for image in prepared.images] == kept
    # By csv_row, an npz in another order serves as well.
    order = np.array([3, 5, 0, 1, 4, 2])
    np.savez(tmp_path / "v.npz", ferplus_votes=votes[order], ferplus_names=MICROSOFT, csv_row=order)
    again = open_data_set(kaggle, votes=tmp_path / "v.npz")
    assert [image.votes.tolist() for image in again.images] == kept


def test_votes_reach_training(tmp_path):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    np.savez(tmp_path / "v.npz", ferplus_votes=drawn_votes(42), ferplus_names=MICROSOFT)
    train, test = load_split_faces(data, votes=tmp_path / "v.npz")
    assert train.votes[0].tolist() == in_order(drawn_votes(42)[0])
    assert train.mirrored().take(np.array([2])).votes.tolist() == [train.votes[2].tolist()]
    unasked = type(train)(train.images, train.labels)
    assert unasked.plus(test).votes[:30].max() == -1
    assert unasked.plus(unasked).votes is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"ferplus_names": MICROSOFT}, "no array ferplus_votes"),
        ({"ferplus_votes": drawn_votes(3)}, "a column for each of ferplus_names"),
        ({"ferplus_votes": drawn_votes(3), "ferplus_names": MICROSOFT[:9]}, "a column for each"),
        ({"ferplus_votes": drawn_votes(3), "ferplus_names": ("hungry", *MICROSOFT[1:])}, "hungry"),
        ({"ferplus_votes": drawn_votes(3), "ferplus_names": MICROSOFT, "csv_row": [1]}, "csv_row"),
        ({"ferplus_votes": drawn_votes(3), "ferplus_names": MICROSOFT}, "3 faces, the data has 42"),
        ({"ferplus_votes": drawn_votes(3) / 2, "ferplus_names": MICROSOFT}, "whole numbers"),
    ],
)
def test_votes_that_do_not_fit_are_one_line(tmp_path, capsys, arrays, message):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    np.savez(tmp_path / "v.npz", **{name: np.array(value) for name, value in arrays.items()})
    assert main(["evaluate", "--data", str(data), "--votes", str(tmp_path / "v.npz")]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("expression-ros: ") and message in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("emotion,pixels,Usage\n", "this is no fer2013new.csv"),
        ("", "this is no fer2013new.csv"),
        (f"Usage,Image name,{','.join(MICROSOFT)}\nTraining,a.png,1,2\n", "csv:2: 4 columns"),
        (f"Usage,Image name,{','.join(MICROSOFT)}\nTraining,a.png{',x' * 10}\n", "csv:2: invalid"),
    ],
)
def test_damaged_csv_is_one_line(tmp_path, text, message):
    (tmp_path / "votes.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_votes(tmp_path / "votes.csv")


def test_votes_on_data_that_has_no_rows_are_refused(tmp_path):
    (tmp_path / "happy").mkdir()
    votes = write_microsoft(tmp_path / "votes.csv", drawn_votes(2))
    with pytest.raises(DataError, match="rows of FER2013"):
        open_data_set(tmp_path, votes=votes)
    with pytest.raises(DataError, match="does not say which rows"):
        np.savez(tmp_path / "v.npz", ferplus_votes=drawn_votes(1), ferplus_names=MICROSOFT)
        read_votes(tmp_path / "v.npz").of_csv_row(0)


def test_evaluate_leads_with_what_people_see(tmp_path, capsys):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    votes = np.zeros((42, 10), int)
    votes[:, MICROSOFT.index("happiness")] = 8
    votes[:, MICROSOFT.index("neutral")] = 2
    np.savez(tmp_path / "votes.npz", ferplus_votes=votes, ferplus_names=MICROSOFT)
    words = ["evaluate", "--data", data, "--votes", tmp_path / "votes.npz", "--json",
             tmp_path / "scores.json", "--report", tmp_path / "report"]  # fmt: skip
    assert main([str(word) for word in words]) == 0
    scores = json.loads((tmp_path / "scores.json").read_text())
    people = scores["people"]
    assert {"n", "majority", "one_person", "second_person", "best", "coverage_90", "coverage_95",
            "recall"} <= set(people)  # fmt: skip
    column = scores["labels"].index("happiness")
    said = sum(row[column] for row in scores["confusion"]) / 12
    assert people["n"] == 12 and people["majority"] == people["recall"]["happiness"] == said
    assert people["second_person"] == pytest.approx((8 * 7 + 2) / 90)
    out = capsys.readouterr().out
    assert out.startswith(f"what most people see: {said:.4f} of 12 faces")
    page = (tmp_path / "report" / "report.md").read_text()
    assert page.index("what most people see") < page.index("accuracy")
    assert "--votes votes.npz" in page and str(tmp_path) not in page


def test_without_votes_nothing_is_said_of_people(tmp_path, capsys):
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 30, 12)
    words = ["evaluate", "--data", data, "--json", tmp_path / "scores.json"]
    assert main([str(word) for word in words]) == 0
    assert "people" not in json.loads((tmp_path / "scores.json").read_text())
    assert "people" not in capsys.readouterr().out
