"""The rules in numpy say what scikit-learn says, label for label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from expression_ros.recognition.classifier import above_thresholds, softmax
from expression_ros.recognition.vector_classifier import write_vector_model
from expression_ros.recognition.vector_rules import (
    LinearRule,
    NeighbourRule,
    PerceptronRule,
    RbfRule,
    RuleError,
    Standardization,
    rule_from_arrays,
)

pytest.importorskip("sklearn", reason="needs scikit-learn: pip install scikit-learn")

from expression_ros.training.vectors.fitting import (
    VectorRuleSettings,
    best_temperature,
    fit_linear_svm,
    fit_perceptron,
    fit_rbf_svm,
    fit_standardization,
    linear_rule,
    perceptron_rule,
    rbf_rule,
    train_vector_rule,
    without_basis,
)


@pytest.fixture(params=[2, 3, 5], ids="{} classes".format)
def clouds(request):
    """Overlapping clouds of 400 known and 300 other (N, 6) float32 vectors, with numbers."""
    rng = np.random.default_rng(request.param)
    centres = rng.normal(0, 1.2, (request.param, 6))
    numbers = np.arange(700) % request.param
    vectors = (centres[numbers] + rng.normal(0, 1, (700, 6))).astype(np.float32)
    return vectors[:400], numbers[:400], vectors[400:], numbers[400:]


def settings(**changes):
    return VectorRuleSettings(**{"rule": "linear", **changes})


def quiet(_text):
    pass


def test_linear_svm_says_what_scikit_learn_says(clouds):
    known, numbers, others, _ = clouds
    svm = fit_linear_svm(known, numbers, settings(), quiet)
    rule = linear_rule(svm)
    assert (rule.probabilities(others).argmax(1) == svm.predict(others)).all()
    decisions = svm.decision_function(others)
    found = rule.decisions(others)[:, 1] if decisions.ndim == 1 else rule.decisions(others)
    np.testing.assert_allclose(found, decisions, atol=1e-4)


def test_rbf_svm_says_what_scikit_learn_says(clouds):
    known, numbers, others, _ = clouds
    svm = fit_rbf_svm(known, numbers, settings(rule="rbf", cost=3.0), quiet)
    rule = rbf_rule(svm)
    assert (rule.probabilities(others).argmax(1) == svm.predict(others)).all()
    if rule.classes > 2:
        np.testing.assert_allclose(rule.decisions(others), svm.decision_function(others), atol=1e-3)


def test_neighbours_say_what_scikit_learn_says(clouds):
    from sklearn.neighbors import KNeighborsClassifier

    known, numbers, others, _ = clouds
    reference = KNeighborsClassifier(7, algorithm="brute").fit(known, numbers)
    rule = NeighbourRule(known, numbers, int(numbers.max()) + 1, 7)
    np.testing.assert_allclose(rule.probabilities(others), reference.predict_proba(others))
    assert (rule.probabilities(others).argmax(1) == reference.predict(others)).all()


def test_perceptron_says_what_scikit_learn_says(clouds):
    known, numbers, others, other_numbers = clouds
    held_out = (others, other_numbers)
    chosen = settings(rule="perceptron", hidden=(12, 8), epochs=10)
    network = fit_perceptron(known, numbers, held_out, chosen, quiet)
    rule = perceptron_rule(network)
    np.testing.assert_allclose(rule.probabilities(others), network.predict_proba(others), atol=1e-5)
    assert (rule.probabilities(others).argmax(1) == network.predict(others)).all()


def test_standardization_is_scikit_learns_scaler(clouds):
    from sklearn.preprocessing import StandardScaler

    known, _, others, _ = clouds
    expected = StandardScaler().fit(known).transform(others)
    found = fit_standardization(known, settings()).apply(others)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_number_that_never_changes_stays_zero():
    vectors = np.ones((20, 3), np.float32)
    assert (fit_standardization(vectors, settings()).apply(vectors) == 0).all()


def test_linear_rule_without_its_basis_says_the_same(clouds):
    known, numbers, others, _ = clouds
    trained = train_vector_rule(known, numbers, settings(components=3))
    assert trained.model.standardization.basis is None
    chosen = settings(rule="neighbours", components=3)
    assert train_vector_rule(known, numbers, chosen).model.rule.size == 3
    rule = LinearRule(np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 3)))[0].astype(np.float32)
    scaled = Standardization(known.mean(0), known.std(0), basis)
    from expression_ros.recognition.vector_classifier import VectorModel

    model = VectorModel(scaled, rule)
    np.testing.assert_allclose(
        without_basis(model).probabilities(others), model.probabilities(others), atol=1e-5
    )


@pytest.mark.parametrize("rule", ["linear", "rbf", "neighbours", "perceptron"])
def test_every_rule_learns_and_its_probabilities_add_to_one(clouds, rule):
    known, numbers, others, other_numbers = clouds
    trained = train_vector_rule(known, numbers, settings(rule=rule))
    probabilities = trained.model.probabilities(others)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    right = (probabilities.argmax(1) == other_numbers).mean()
    assert right > 1.5 / probabilities.shape[1] or right > 0.8
    assert abs(trained.accuracy - right) < 0.25


def test_temperature_makes_probabilities_right_that_often():
    rng = np.random.default_rng(0)
    decisions = rng.normal(0, 1, (4000, 3))
    numbers = np.array([rng.choice(3, p=p) for p in softmax(decisions, 0.4)])
    assert best_temperature(decisions, numbers) == pytest.approx(0.4, rel=0.15)


def test_images_and_their_mirror_images_are_held_out_together():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 4)).astype(np.float32)
    numbers, pairs = np.tile(np.arange(30) % 2, 2), np.tile(np.arange(30), 2)
    trained = train_vector_rule(vectors, numbers, settings(rule="neighbours"), pairs)
    assert trained.held_out % 2 == 0 and len(trained.model.rule.numbers) == 60 - trained.held_out


@pytest.mark.parametrize("numbers", [[0] * 9, [0, 0, 0, 0, 1, 1]])
def test_too_few_faces_or_labels_are_named(numbers):
    vectors = np.zeros((len(numbers), 2), np.float32)
    with pytest.raises(ValueError, match="two classes or more with 3 faces"):
        train_vector_rule(vectors, np.array(numbers), settings())


ONE = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("name", "arrays", "what"),
    [
        ("forest", {}, "not known"),
        ("linear", {"weights": ONE}, "'temperature'"),
        ("linear", {"weights": ONE, "bias": ONE, "temperature": 1}, "bias"),
        ("linear", {"weights": ONE * np.nan, "bias": ONE[:, 0], "temperature": 1}, "not finite"),
        ("linear", {"weights": ONE, "bias": ONE[:, 0], "temperature": 0}, "temperature"),
        ("linear", {"weights": ONE, "bias": ONE[:, 0], "temperature": ONE}, "one number"),
        ("rbf", {"support": ONE, "weights": ONE, "bias": ONE[0], "gamma": 1, "class_count": 3,
                 "temperature": 1}, "weights"),
        ("neighbours", {"examples": ONE, "numbers": np.array([0, 5]), "class_count": 2,
                        "neighbours": 1}, "0..1"),
        ("neighbours", {"examples": ONE, "numbers": np.array([0, 1]), "class_count": 2,
                        "neighbours": 9}, "9 neighbours"),
        ("perceptron", {"temperature": 1}, "layers"),
        ("perceptron", {"weights_0": ONE, "bias_0": ONE[0], "weights_1": ONE, "bias_1": ONE[0],
                        "temperature": 1}, "weights_1"),
    ],
)  # fmt: skip
def test_arrays_that_make_no_rule(name, arrays, what):
    with pytest.raises(RuleError, match=what) as caught:
        rule_from_arrays(name, {key: np.asarray(value) for key, value in arrays.items()})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rule", [
    LinearRule(ONE, ONE[:, 0], 0.5),
    RbfRule(ONE, np.ones((3, 2), np.float32), ONE[0], 0.1, 3, 2.0),
    NeighbourRule(ONE, np.array([0, 1]), 2, 1),
    PerceptronRule((ONE, ONE.T), (ONE[0], ONE[:, 0]), 1.5),
], ids=lambda rule: rule.name)  # fmt: skip
def test_arrays_give_the_rule_back(rule):
    again = rule_from_arrays(rule.name, rule.arrays())
    vectors = np.random.default_rng(0).normal(size=(5, rule.size)).astype(np.float32)
    np.testing.assert_array_equal(again.probabilities(vectors), rule.probabilities(vectors))


def test_thresholds_withhold_labels_and_scores_agree_with_the_label():
    labels = ("anger", "happiness", "neutral")
    limits = {"anger": 0.5, "happiness": 0.3}
    found = above_thresholds(labels, np.array([0.45, 0.35, 0.2]), limits)
    np.testing.assert_allclose(found, [0, 0.35 / 0.55, 0.2 / 0.55])
    nothing = above_thresholds(labels, np.array([0.45, 0.25, 0.3]), {**limits, "neutral": 0.9})
    np.testing.assert_allclose(nothing, [0, 0, 1])
    without_neutral = above_thresholds(labels[:2], np.array([0.45, 0.55]), {"happiness": 0.9,
                                       "anger": 0.9})  # fmt: skip
    np.testing.assert_allclose(without_neutral, [0.45, 0.55])


OTHER_SETTINGS = {
    "components": 3, "cost": 0.01, "gamma": 0.5, "neighbours": 3, "hidden": (5, 4), "epochs": 2,
    "weight_decay": 9.0, "seed": 2,
}  # fmt: skip


@pytest.mark.parametrize("rule", ["linear", "rbf", "neighbours", "perceptron"])
def test_the_recorded_settings_are_those_that_the_rule_depends_on(tmp_path, clouds, rule):
    known, numbers, _, _ = clouds
    chosen = settings(rule=rule, components=4, hidden=(6,), epochs=3)

    def trained(chosen: VectorRuleSettings) -> bytes:
        write_vector_model(tmp_path / "a.npz", train_vector_rule(known, numbers, chosen).model)
        return (tmp_path / "a.npz").read_bytes()

    model = trained(chosen)
    for name, value in OTHER_SETTINGS.items():
        changed = trained(replace(chosen, **{name: value}))
        assert (changed != model) == (name in chosen.used()), name
