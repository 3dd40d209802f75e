"""Moving the vote of the shipped Fisherfaces towards a person, on described faces."""

from __future__ import annotations

import numpy as np
import pytest

from expression_ros.personal.calibration import Calibration
from expression_ros.personal.fitting import fit
from expression_ros.recognition.adapted_vote import (
    AdaptedVote,
    ProjectedVote,
    adapted,
    descriptor_digest,
)
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.person import Person, PersonError, load_person, person_names


@pytest.fixture(scope="module")
def ensemble():
    return load_classifier("fisherfaces")


@pytest.fixture(scope="module")
def vote(ensemble):
    return ProjectedVote(ensemble)


def described(ensemble, label: str, count: int, seed: int, shift: np.ndarray | float = 0.0):
    """Return (count, D) vectors that the general models see at the mean of a class, with noise."""
    member = ensemble.members[0]
    number = next(n for n, name in ensemble.manifest.labels.items() if name == label)
    row = member.getLabels().ravel().tolist().index(number)
    axes, mean = member.getEigenVectors(), member.getMean().ravel()
    centre = mean + np.linalg.pinv(axes).T @ member.getProjections()[row].ravel()
    noise = np.random.default_rng(seed).normal(0, 0.05, (count, len(mean)))
    return centre + noise + shift


def odd_face(ensemble) -> np.ndarray:
    """Return what a face adds on which neutral looks like sadness."""
    neutral, sad = (described(ensemble, name, 1, 0)[0] for name in ("neutral", "sadness"))
    return 1.6 * (sad - neutral)


def person_of(ensemble, shift, count=10, session=0):
    emotions = ("neutral", "happiness", "sadness")
    vectors = [described(ensemble, e, count, 10 * session + k, shift)
               for k, e in enumerate(emotions)]  # fmt: skip
    labels = [e for e in emotions for _ in range(count)]
    return np.concatenate(vectors), labels, np.full(len(labels), session)


def test_the_arrays_vote_as_opencv_does(ensemble, vote):
    rng = np.random.default_rng(1)
    mean = ensemble.members[0].getMean().ravel()
    vectors = mean + rng.normal(0, 0.5, (200, len(mean)))
    ours = vote.predict(vote.project(vectors))
    theirs = [ensemble.predict_descriptor(vector[None]) for vector in vectors]
    assert [one.label for one in ours] == [one.label for one in theirs]
    assert len({one.label for one in ours}) > 2  # or it would prove little
    for one, other in zip(ours, theirs, strict=True):
        assert one.scores == pytest.approx(other.scores, abs=1e-6)
        assert one.votes == pytest.approx(other.votes)


def test_an_odd_face_is_read_right_after_calibration(ensemble, vote):
    vectors, labels, sessions = person_of(ensemble, odd_face(ensemble))
    result = fit(vote, vectors, labels, sessions)
    assert result.errors_before >= 10  # neutral is read as sadness, or worse
    assert result.errors_after <= result.errors_before * 2 / 3
    assert result.helps and result.folds == "block" and result.faces == 30
    assert sum(count for _, _, count in result.by_label.values()) == 30


@pytest.mark.parametrize(("count", "strength"), [(4, 3.0), (10, 10.0), (10, 0.5)])
def test_a_mean_moves_the_less_the_fewer_faces_there_are(ensemble, vote, count, strength):
    vectors, labels, _ = person_of(ensemble, odd_face(ensemble), count)
    projected = vote.project(vectors)
    still, gone, between = (
        vote.moved_means(projected, labels, value) for value in (1e12, 1e-12, strength)
    )
    share = count / (count + strength)
    neutral = vote.labels.index("neutral")
    for member, faces in enumerate(projected):
        own = faces[:count].mean(axis=0)  # neutral comes first
        assert gone[member][neutral] == pytest.approx(own)
        assert not np.allclose(still[member][neutral], own)
        assert between[member] == pytest.approx(
            still[member] + share * (gone[member] - still[member])
        )


def test_what_the_person_has_not_shown_moves_along(ensemble, vote):
    shift = odd_face(ensemble)
    vectors, labels, _ = person_of(ensemble, shift)
    person = Person("ada", vectors.astype(np.float32), tuple(labels), np.zeros(30),
                    descriptor_digest(ensemble), 3.0)  # fmt: skip
    vote = AdaptedVote(ensemble, person)
    surprised = described(ensemble, "surprise", 10, 99, shift)
    said = [vote.predict_descriptor(vector[None]).label for vector in surprised]
    assert said.count("surprise") >= 9
    assert vote.labels == ensemble.labels


@pytest.mark.filterwarnings("error")  # of numpy, on infinity less infinity
@pytest.mark.parametrize("lacking", [["happiness"], ["happiness", "neutral", "sadness"]])
def test_a_member_that_lacks_what_the_person_showed_keeps_the_rest(ensemble, lacking):
    vote = ProjectedVote(ensemble)
    columns = [vote.labels.index(label) for label in lacking]
    vote.means[0][columns] = np.inf  # as of a member that was trained without these
    vectors, labels, _ = person_of(ensemble, 0.0)
    projected = vote.project(vectors)
    means = vote.moved_means(projected, labels, 3.0)
    assert not any(np.isnan(one).any() for one in means)
    assert np.isinf(means[0][columns]).all() and np.isfinite(means[1]).all()
    rest = [k for k in range(len(vote.labels)) if k not in columns]
    assert np.isfinite(means[0][rest]).all()
    found = [prediction.label for prediction in vote.predict(projected, means)]
    assert np.mean([a == b for a, b in zip(found, labels, strict=True)]) > 0.9


def test_sessions_are_left_out_one_at_a_time(ensemble, vote):
    shift = odd_face(ensemble)
    parts = [person_of(ensemble, shift, 5, session) for session in range(3)]
    vectors, sessions = (np.concatenate([part[k] for part in parts]) for k in (0, 2))
    result = fit(vote, vectors, [label for part in parts for label in part[1]], sessions)
    assert result.folds == "session" and result.helps


def test_a_person_for_whom_it_gets_worse_is_not_saved(ensemble, tmp_path):
    calibration = Calibration(ensemble)
    vectors, labels, _ = person_of(ensemble, 0.0)
    shuffled = np.random.default_rng(0).permutation(labels).tolist()  # asked one, shown another
    for vector, label in zip(vectors, shuffled, strict=True):
        calibration.vectors.append(vector)
        calibration.labels.append(label)
        calibration.sessions.append(0)
    result = calibration.fit()
    assert not result.helps
    with pytest.raises(PersonError, match="ada is not saved: the general models read"):
        calibration.save("ada", result, tmp_path)
    assert person_names(tmp_path) == []


def test_a_saved_person_is_used(ensemble, tmp_path):
    calibration = Calibration(ensemble)
    vectors, labels, sessions = person_of(ensemble, odd_face(ensemble))
    calibration.vectors += list(vectors)
    calibration.labels += labels
    calibration.sessions += sessions.tolist()
    calibration.save("ada", calibration.fit(), tmp_path)
    classifier = adapted(ensemble, load_person("ada", tmp_path))
    neutral = described(ensemble, "neutral", 1, 1234, odd_face(ensemble))
    assert ensemble.predict_descriptor(neutral).label != "neutral"
    assert classifier.predict_descriptor(neutral).label == "neutral"


@pytest.mark.parametrize("labels", [["neutral"] * 8, ["neutral"] * 8 + ["happiness"] * 2])
def test_too_few_faces_are_told(ensemble, vote, labels):
    vectors = np.zeros((len(labels), ensemble.descriptor.size))
    with pytest.raises(PersonError, match="too few clear faces"):
        fit(vote, vectors, labels, np.zeros(len(labels)))


def test_another_model_or_classifier_is_refused(ensemble):
    person = Person("ada", np.zeros((1, 256), np.float32), ("neutral",), np.zeros(1), "0" * 64, 3.0)
    with pytest.raises(PersonError, match="calibrated with another model; calibrate again"):
        adapted(ensemble, person)
    with pytest.raises(PersonError, match="only the classifier fisherfaces"):
        adapted(object(), person)
