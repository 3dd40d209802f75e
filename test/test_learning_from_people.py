"""Fisherfaces that learn from people's votes: drawn labels, refined directions, expectations."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import yaml
from generated_faces import write_drawn_fer2013

from expression_ros.cli import main
from expression_ros.parameters.choices import EVERYDAY, POSED
from expression_ros.recognition.adapted_vote import ProjectedVote
from expression_ros.recognition.descriptors import DescriptorError, make_descriptor
from expression_ros.recognition.face_preparation import FacePreparation
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.models import load_classifier
from expression_ros.recognition.regional_vote import regional
from expression_ros.recognition.vote import Ballot, Expectation, VoteCalibration, expect
from expression_ros.resources import models_path
from expression_ros.training.data.faces import DataError, FaceSet
from expression_ros.training.data.people_votes import VOTE_NAMES
from expression_ros.training.fisherfaces.settings import FisherfaceSettings
from expression_ros.vocabulary import FER2013_ORDER

pytest.importorskip("sklearn", reason="training needs scikit-learn: pip install '.[train]'")

from expression_ros.training.fisherfaces.ensemble import drawn_labels, train_fisherfaces
from expression_ros.training.fisherfaces.opencv_model_file import write_opencv_model
from expression_ros.training.fisherfaces.refining import _LogLoss, refined
from expression_ros.training.fisherfaces.training_set import (
    seen_by_most,
    training_set_of,
    truth_of,
    without_copies,
)

CLASSES = {0: "anger", 1: "happiness", 2: "neutral"}
ALONE = FisherfaceSettings(members=1, feature_share=1.0, left_out=0)


def skewed(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return vectors of three classes whose clouds are skewed and of different size."""
    rng = np.random.default_rng(seed)
    numbers = rng.choice(3, count, p=[0.2, 0.3, 0.5])
    centres = np.random.default_rng(0).normal(0, 0.8, (3, 12))
    spread = rng.exponential(1.0, (count, 12)) ** 2 * np.array([0.3, 1.0, 2.0])[numbers][:, None]
    return (centres[numbers] + spread).astype(np.float32), numbers


# Refining


def test_gradient_is_that_of_the_surprise():
    rng = np.random.default_rng(0)
    onehot = np.eye(3, dtype=np.float32)[rng.integers(0, 3, 50)]
    start = rng.normal(0, 1, (5, 2))
    surprise = _LogLoss(
        rng.normal(0, 1, (50, 5)).astype(np.float32), rng.normal(0, 1, (3, 5)), onehot, start, 0.3
    )
    at = np.append(start.ravel() + rng.normal(0, 0.3, 10), rng.normal(0, 1, 3))
    _, gradient = surprise(at)
    step = 1e-3
    for place in range(len(at)):
        move = step * np.eye(len(at))[place]
        slope = (surprise(at + move)[0] - surprise(at - move)[0]) / (2 * step)
        assert gradient[place] == pytest.approx(slope, abs=2e-3)


def test_refined_discriminants_are_right_more_often_and_opencv_agrees(tmp_path):
    vectors, numbers = skewed(1500, 1)
    test, truth = skewed(1500, 2)

    def right(steps: int) -> float:
        settings = FisherfaceSettings(members=1, feature_share=1.0, left_out=0, refine=steps)
        (model,) = train_fisherfaces(vectors, numbers, settings)
        write_opencv_model(tmp_path / "model.xml", model, CLASSES)
        opencv = cv2.face.FisherFaceRecognizer.create()
        opencv.read(str(tmp_path / "model.xml"))
        said = model.predict(test)[0]
        assert [opencv.predict(vector[None])[0] for vector in test[:200]] == said[:200].tolist()
        return float(np.mean(said == truth))

    assert right(40) > right(0) + 0.03


def test_class_means_stay_the_means_of_their_faces():
    vectors, numbers = skewed(600, 1)
    (plain,) = train_fisherfaces(vectors, numbers, ALONE)
    model = refined(plain, vectors, numbers, FisherfaceSettings(refine=20))
    projected = (vectors - model.mean) @ model.eigenvectors
    for number, projection in zip(model.numbers, model.projections, strict=True):
        mean = projected[numbers == number].mean(axis=0)
        assert np.allclose(mean[:-1], projection[:-1], atol=1e-3)
    assert not np.allclose(model.eigenvectors, plain.eigenvectors, atol=1e-2)


def test_a_strong_pull_leaves_the_directions_where_they_were():
    vectors, numbers = skewed(600, 1)
    (plain,) = train_fisherfaces(vectors, numbers, ALONE)
    held = refined(plain, vectors, numbers, FisherfaceSettings(refine=20, pull=1e6))
    assert np.allclose(held.eigenvectors, plain.eigenvectors, atol=1e-3)


def test_a_refined_member_looks_at_its_own_features_only():
    vectors, numbers = skewed(600, 1)
    settings = FisherfaceSettings(members=2, feature_share=0.5, refine=5)
    for model in train_fisherfaces(vectors, numbers, settings):
        assert np.count_nonzero(model.eigenvectors.any(axis=1)) == 6


def test_prior_offset_is_added_after_refining():
    vectors, numbers = skewed(900, 1)
    test, _ = skewed(900, 2)

    def said_happiness(amount: float) -> int:
        settings = FisherfaceSettings(members=1, refine=20, prior_offsets={1: amount})
        return int(np.sum(train_fisherfaces(vectors, numbers, settings)[0].predict(test)[0] == 1))

    assert said_happiness(-1.0) < said_happiness(0.0) < said_happiness(1.0)


# Votes


def test_labels_are_drawn_as_often_as_people_say_them():
    votes = np.tile([[6, 4, 0], [0, 0, 10], [1, 1, 1]], (4000, 1))
    pairs = np.arange(len(votes))
    drawn = drawn_labels(votes, pairs, np.random.default_rng(0)).reshape(-1, 3)
    for place, expected in enumerate(([0.6, 0.4, 0.0], [0.0, 0.0, 1.0], [1 / 3] * 3)):
        shares = np.bincount(drawn[:, place], minlength=3) / len(drawn)
        assert np.allclose(shares, expected, atol=0.03)
    # A face and its mirror image get the same label; nobody's class is never drawn.
    both = drawn_labels(np.tile(votes, (2, 1)), np.tile(pairs, 2), np.random.default_rng(1))
    assert np.array_equal(both[: len(votes)], both[len(votes) :])
    assert not (drawn[:, 0] == 2).any()


def test_members_disagree_where_people_do():
    rng = np.random.default_rng(0)
    vectors = rng.normal(0, 1, (400, 6)).astype(np.float32)
    vectors[:, 0] *= 3
    chance = 1 / (1 + np.exp(-1.5 * vectors[:, 0]))  # of the second of two classes
    yes = rng.binomial(10, chance)
    votes = np.stack([10 - yes, yes], axis=1)
    settings = FisherfaceSettings(feature_share=1.0)
    models = train_fisherfaces(vectors, votes.argmax(1), settings, votes=votes)
    test = rng.normal(0, 1, (400, 6)).astype(np.float32)
    test[:, 0] *= 3
    agree = np.mean([model.predict(test)[0] for model in models], axis=0)
    unanimous = (agree == 0) | (agree == 1)
    assert np.abs(test[~unanimous, 0]).mean() < 0.5 * np.abs(test[unanimous, 0]).mean()
    assert 5 < (~unanimous).sum() < 200
    clear = np.abs(test[:, 0]) > 2
    assert np.mean((agree > 0.5)[clear] == (test[:, 0] > 0)[clear]) > 0.98


def test_faces_without_a_vote_are_refused():
    vectors, numbers = skewed(200, 1)
    votes = np.eye(3, dtype=int)[numbers] * 10
    with pytest.raises(ValueError, match="without any vote"):
        train_fisherfaces(vectors, numbers, votes=np.vstack([votes[:-1], np.zeros((1, 3), int)]))
    with pytest.raises(ValueError, match="majority on no face"):
        train_fisherfaces(vectors, numbers, votes=np.pad(votes, ((0, 0), (0, 1))))


def ten(**counts: int) -> list[int]:
    return [counts.get(name, 0) for name in VOTE_NAMES]


def asked() -> FaceSet:
    """Return six faces and what people see on them."""
    votes = [
        ten(anger=7, neutral=3), ten(neutral=9, contempt=1), ten(neutral=5, anger=5),
        ten(contempt=8, anger=2), ten(NF=8, neutral=2), [-1] * 10,
    ]  # fmt: skip
    images = np.random.default_rng(0).integers(0, 256, (6, 48, 48)).astype(np.uint8)
    return FaceSet(images, np.array(["anger"] * 3 + ["sadness"] * 3), np.array(votes, np.int16))


def test_what_is_learnt():
    faces = asked()
    assert seen_by_most(faces).tolist() == ["anger", "neutral", "", "contempt", "", ""]
    single = training_set_of(faces, "single")
    assert (len(single.faces), single.labels, single.votes) == (6, ["anger", "sadness"], None)
    most = training_set_of(faces, "majority", ["contempt"])
    assert most.labels == ["anger", "neutral"] and most.numbers.tolist() == [0, 1]
    votes = training_set_of(faces, "votes", ["contempt"])
    assert votes.labels == ["anger", "neutral"]
    assert votes.votes.tolist() == [[7, 3], [0, 9], [5, 5]]  # not where contempt or no face is seen
    assert training_set_of(faces, "votes").votes.tolist()[-1] == [2, 0, 8]
    with pytest.raises(DataError, match="give --votes"):
        training_set_of(FaceSet(faces.images, faces.labels), "votes")


def test_what_is_right():
    faces = asked()
    judged, truth = truth_of(faces, "votes", ["anger", "neutral"])
    assert truth.tolist() == ["anger", "neutral"] and len(judged) == 2
    judged, truth = truth_of(faces, "single", ["anger"])
    assert truth.tolist() == ["anger"] * 3


def test_faces_that_resemble_others_are_left_out():
    faces = asked()
    copy = FaceSet(faces.images[2:3, :, ::-1] // 2 + 40, faces.labels[:1])  # mirrored and paler
    assert without_copies(faces, copy).images.tolist() == np.delete(faces.images, 2, 0).tolist()
    small = FaceSet(faces.images[:, :24, :24].copy(), faces.labels)
    with pytest.raises(DataError, match="48 px"):
        without_copies(small, copy)


# The root of the embedding


def test_power_is_a_root_of_the_numbers():
    folder = models_path("embedding")
    face = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    plain = make_descriptor("embedding", {"file": "embedding.onnx"}, 48, folder)
    rooted = make_descriptor("embedding", {"file": "embedding.onnx", "power": 0.25}, 48, folder)
    expected = (np.maximum(plain.describe(face), 0) + 0.01) ** 0.25
    assert np.allclose(rooted.describe(face), expected, atol=1e-4)
    assert np.allclose(rooted.describe_batch(face[None]), expected, atol=1e-3)
    assert rooted.settings == {"file": "embedding.onnx", "power": 0.25}
    assert plain.settings == {"file": "embedding.onnx"}


@pytest.mark.parametrize("power", [0, -1, 1.5, True, "half", float("nan")])
def test_power_out_of_range_is_refused(power):
    with pytest.raises(DescriptorError, match="power must be above 0"):
        make_descriptor("embedding", {"file": "embedding.onnx", "power": power}, 48,
                        models_path("embedding"))  # fmt: skip


# Expectations


@pytest.fixture
def ensemble(tmp_path) -> tuple[FisherfaceEnsemble, np.ndarray]:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 3, 600)
    vectors = rng.normal(0, 0.3, (600, 2304)).astype(np.float32)
    vectors[:, :3] = np.eye(3)[numbers] + rng.normal(0, 0.7, (600, 3))
    members = []
    for place, model in enumerate(train_fisherfaces(vectors, numbers, FisherfaceSettings())):
        write_opencv_model(tmp_path / f"{place}.xml", model, CLASSES)
        members.append(cv2.face.FisherFaceRecognizer.create())
        members[-1].read(str(tmp_path / f"{place}.xml"))
    calibration = VoteCalibration(0.5, 1.0)
    descriptor = make_descriptor("pixels", {}, 48)
    found = FisherfaceEnsemble(members, CLASSES, descriptor, FacePreparation(),
                               calibration=calibration)  # fmt: skip
    return found, vectors[:200]


def test_priors_move_the_border_as_bayes_has_it(ensemble):
    fisherfaces, vectors = ensemble
    before = [fisherfaces.ballot(vector[None]) for vector in vectors]
    fisherfaces.expect(Expectation({"happiness": 1.5}, fisherfaces.calibration))
    gained = 0
    for vector, was in zip(vectors, before, strict=True):
        now = fisherfaces.ballot(vector[None])
        posterior = -0.5 * was.distances**2 + np.array([0.0, 1.5, 0.0])
        assert now.choices.tolist() == posterior.argmax(axis=1).tolist()
        gained += int((now.choices == 1).sum() - (was.choices == 1).sum())
        said = fisherfaces.predict_descriptor(vector[None])
        assert sum(said.scores.values()) == pytest.approx(1.0)
        assert said.label == max(said.scores, key=said.scores.__getitem__)
    assert gained > 20
    fisherfaces.expect(fisherfaces.expectations[EVERYDAY])
    again = [fisherfaces.ballot(vector[None]) for vector in vectors]
    assert all(np.array_equal(a.distances, b.distances)
               for a, b in zip(before, again, strict=True))  # fmt: skip


def test_priors_of_all_alike_change_nothing():
    ballot = Ballot(np.array([1, 0]), np.array([[2.0, 1.0], [0.5, np.inf]]))
    same = ballot.expecting(np.array([2.0, 2.0]))
    assert np.array_equal(same.distances, ballot.distances)
    assert same.choices.tolist() == [1, 0]
    assert ballot.expecting(np.array([9.0, -9.0])).choices.tolist() == [0, 0]


def test_whoever_is_adapted_to_a_person_expects_the_same(ensemble):
    fisherfaces, vectors = ensemble
    vote = ProjectedVote(fisherfaces)
    for expectation in (Expectation({"anger": 2.0}, VoteCalibration(0.3, 0.7)),
                        fisherfaces.expectations[EVERYDAY]):  # fmt: skip
        fisherfaces.expect(expectation)
        ours = vote.predict(vote.project(vectors))
        theirs = [fisherfaces.predict_descriptor(vector[None]) for vector in vectors]
        assert [one.label for one in ours] == [one.label for one in theirs]
        assert np.allclose([one.score for one in ours], [one.score for one in theirs], atol=1e-4)


def test_priors_are_found_again_in_labels_that_have_them(ensemble):
    from expression_ros.training.fisherfaces.calibration import fit_priors

    fisherfaces, vectors = ensemble
    names = np.array(fisherfaces.labels)
    rng = np.random.default_rng(3)
    fisherfaces.expect(Expectation({"neutral": 2.0}, VoteCalibration(1.0, 0.0)))
    scores = [fisherfaces.predict_descriptor(vector[None]).scores for vector in vectors]
    drawn = np.array([rng.choice(names, p=[one[name] for name in names]) for one in scores])
    fisherfaces.expect(fisherfaces.expectations[EVERYDAY])
    priors = fit_priors(fisherfaces, vectors, drawn)
    assert sum(priors.values()) == pytest.approx(0.0, abs=0.03)
    assert priors["neutral"] - priors["anger"] == pytest.approx(2.0, abs=0.8)
    assert priors["happiness"] - priors["anger"] == pytest.approx(0.0, abs=0.8)


def test_shipped_fisherfaces_expect_posed_faces_if_asked():
    whole = load_classifier("fisherfaces")
    both = regional(whole, "auto")
    for classifier in (whole, both):
        expect(classifier, POSED)
        assert whole.priors.any()
        assert whole.priors[whole.labels.index("neutral")] < 0
        expect(classifier, EVERYDAY)
        assert not whole.priors.any()
    expect(both, POSED)
    assert both.upper.priors.any()
    with pytest.raises(ModelError, match="everyday or posed"):
        expect(whole, "sleepy")


def test_models_that_know_nothing_of_posed_faces_say_so(ensemble):
    fisherfaces, _ = ensemble
    expect(fisherfaces, EVERYDAY)
    expect(object(), EVERYDAY)
    for classifier in (fisherfaces, object()):
        with pytest.raises(ModelError, match="set expectation to everyday"):
            expect(classifier, POSED)


# The command


@pytest.fixture
def drawn(tmp_path):
    """Return drawn faces of three expressions, and people who see mostly what was drawn."""
    data = write_drawn_fer2013(tmp_path / "fer2013.npz", 240, 60)
    with np.load(data) as arrays:
        labels = arrays["labels"]
    rng = np.random.default_rng(0)
    votes = np.stack([rng.multinomial(10, 0.9 * np.eye(9)[n] + 0.1 / 9) for n in labels])
    np.savez(tmp_path / "votes.npz", ferplus_votes=votes,
             ferplus_names=[*FER2013_ORDER, "unknown", "NF"])  # fmt: skip
    return data, tmp_path / "votes.npz"


def run(*words: object) -> int:
    return main(["train", "fisherfaces", *(str(word) for word in words)])


def test_train_on_votes(tmp_path, drawn, capsys):
    data, votes = drawn
    model = tmp_path / "model"
    words = ("--data", data, "--votes", votes, "--output", model, "--members", 3,
             "--descriptor", "hog", "--components", 30, "--refine", 10,
             "--leave-out", "fear", "--shrinkage", 0.2)  # fmt: skip
    assert run(*words) == 0
    ensemble = FisherfaceEnsemble.load(model)
    facts = ensemble.manifest.training
    assert (facts["learn"], facts["refine"], facts["shrinkage"]) == ("votes", 10, 0.2)
    card = (model / "README.md").read_text()
    assert card.index("right by what most people see") < card.index("accuracy of the vote")
    for words in ("--votes votes.npz --leave-out fear", "--shrinkage 0.2 --refine 10"):
        assert words in card
    assert str(tmp_path) not in card
    assert "what most people see" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--learn", "majority"), "needs people's votes"),
        (("--votes", "VOTES", "--ensemble", "boosted"), "go with --ensemble bagged only"),
        (("--refine", 3, "--ensemble", "opencv"), "go with --ensemble bagged only"),
        (("--votes", "VOTES", "--more", "x.zip"), "nobody was asked about these faces"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path, drawn, capsys, words, message):
    data, votes = drawn
    words = [votes if word == "VOTES" else word for word in words]
    assert run("--data", data, "--output", tmp_path / "m", "--descriptor", "pixels", *words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("expression-ros: ") and message in error


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sleepy": {}}, "expectations are everyday, posed, not 'sleepy'"),
        (["posed"], "expectations are everyday, posed"),
        ({"posed": {"priors": {}}}, "needs 'priors' and 'calibration'"),
        ({"posed": {"priors": {"anger": "much"},
                    "calibration": {"distance": 1, "share": 1}}}, "must be numbers by label"),
        ({"posed": {"priors": {"contempt": 1.0},
                    "calibration": {"distance": 1, "share": 1}}}, "'contempt', not a label"),
    ],
)  # fmt: skip
def test_damaged_expectations_are_refused(tmp_path, given, message):
    import shutil

    folder = tmp_path / "fisherfaces"
    shutil.copytree(models_path("fisherfaces"), folder)
    shutil.copytree(models_path("embedding"), tmp_path / "embedding")
    manifest = yaml.safe_load((folder / "manifest.yaml").read_text())
    manifest["settings"]["expectations"] = given
    (folder / "manifest.yaml").write_text(yaml.safe_dump(manifest))
    with pytest.raises(ModelError, match=message):
        FisherfaceEnsemble.load(folder)
