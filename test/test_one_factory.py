"""One place makes recognizers, from one set of settings, and knows how sure is enough."""

from __future__ import annotations

import ast
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest

from expression_ros.parameters.choices import YUNET
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.recognition.settings import RecognitionSettings
from expression_ros.session.recognizer import (
    PARAMETERS,
    PLAIN_CONFIDENCE,
    RUN_TIME_NAMES,
    RecognizerSettings,
    as_in_force,
    card_confidence,
    fisherfaces_of,
    make_recognizer,
    run_time_settings,
)

REPOSITORY = Path(__file__).resolve().parent.parent
PACKAGE = REPOSITORY / "expression_ros"
# What turns files into a classifier that reads, or makes another of it.
LOADING = {"load_classifier", "adapted", "regional"}
CLASSIFIERS = {"FisherfaceEnsemble", "VectorClassifier", "NetworkClassifier"}
READING = {"ExpressionRecognizer", "make_recognizer"}


# Who makes recognizers


def broken_rule(source: str, in_package: bool = True) -> str:
    """Return which rule a file outside of session/ and recognition/ breaks, empty for none.

    1. Nobody else constructs an ExpressionRecognizer.
    2. Of the package, who loads a classifier or adapts one measures it by itself on labelled faces:
       it imports from training (or is in there), and has nothing to do with a recognizer.
    """
    tree = ast.parse(source)
    real = {alias.asname or alias.name.rpartition(".")[2]: alias.name.rpartition(".")[2]
            for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))
            for alias in node.names}  # fmt: skip
    modules = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    loads = False
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        *owners, name = ast.unparse(call.func).split(".")
        name = real.get(name, name)
        if name == "ExpressionRecognizer":
            return "constructs an ExpressionRecognizer"
        of_class = bool(owners) and real.get(owners[-1], owners[-1]) in CLASSIFIERS
        loads |= name in LOADING or (of_class and name.startswith("load"))
    if not in_package or not loads:
        return ""
    if READING & set(real.values()):
        return "loads a classifier beside a recognizer"
    measures = any(module.startswith("expression_ros.training") for module in modules)
    return "" if measures else "loads a classifier, but not to measure it"


def files_outside():
    for path in PACKAGE.rglob("*.py"):
        if path.relative_to(PACKAGE).parts[0] not in ("session", "recognition"):
            yield path
    for folder in ("tools", "benchmarks"):
        yield from (REPOSITORY / folder).glob("*.py")


@pytest.mark.parametrize(
    "path", list(files_outside()), ids=lambda path: str(path.relative_to(REPOSITORY))
)
def test_nobody_else_makes_a_recognizer(path):
    assert not broken_rule(path.read_text(encoding="utf-8"), path.is_relative_to(PACKAGE))


RECOGNIZER = "from expression_ros.recognition.pipeline import ExpressionRecognizer"
LOADER = "from expression_ros.recognition.models import load_classifier"
FISHERFACES = "from expression_ros.recognition.fisherfaces import FisherfaceEnsemble"
MEASURING = "from expression_ros.training.data.faces import FaceSet"


@pytest.mark.parametrize(
    ("lines", "in_package", "rule"),
    [
        ([RECOGNIZER, "ExpressionRecognizer(1, 2)"], True, "constructs"),
        ([RECOGNIZER + " as E", "E(1, 2)"], False, "constructs"),
        (["import x.pipeline as p", "p.ExpressionRecognizer()"], True, "constructs"),
        ([LOADER, "load_classifier('knn')"], True, "loads a classifier, but"),
        ([FISHERFACES, "FisherfaceEnsemble.load('a')"], True, "loads a classifier, but"),
        ([RECOGNIZER, LOADER, MEASURING, "load_classifier('knn')"], True, "loads a classifier be"),
        ([MEASURING, LOADER, "load_classifier('knn')"], True, ""),
        ([LOADER, "load_classifier('knn')"], False, ""),
        ([RECOGNIZER, "def read(r: ExpressionRecognizer): r.read(1)"], True, ""),
    ],
)
def test_the_rule_sees_who_breaks_it(lines, in_package, rule):
    assert broken_rule("\n".join(lines), in_package).startswith(rule)
    assert bool(rule) == bool(broken_rule("\n".join(lines), in_package))


# What it is made of


def test_what_is_left_out_has_the_default_of_its_parameter():
    settings = RecognizerSettings.from_values({"region": "auto", "smoothing": 1})
    assert settings.region == "auto" and settings.run_time.smoothing == 1
    assert settings.classifier == PARAMETERS["classifier"].default
    assert settings.detector == DetectorChoice()
    assert settings == RecognizerSettings.from_values(
        {name: spec.default for name, spec in PARAMETERS.items()}
        | {"region": "auto", "smoothing": 1}
    )


def test_every_value_arrives_where_it_belongs():
    given = {"classifier": "svm", "model": "m", "label_thresholds": "fear=0.3", "person": "ada",
             "region": "upper"}  # fmt: skip
    detector = {"detector": YUNET, "detector_model": "y.onnx", "detector_sha256": "00"}
    settings = RecognizerSettings.from_values(given | detector)
    assert {name: getattr(settings, name) for name in given} == given
    assert settings.detector == DetectorChoice(*detector.values())
    other = {
        "redetect_interval": 3.0, "smoothing": 0.5, "switch_margin": 0.2, "min_confidence": 0.3,
        "talking_time": 2.0, "doubt_time": 4.0, "resting_state": False, "primary": "id",
        "primary_id": 7, "face_selection": "single", "min_face": 0.3, "expectation": "posed",
    }  # fmt: skip
    assert set(other) == set(RUN_TIME_NAMES)
    assert all(PARAMETERS[name].run_time for name in RUN_TIME_NAMES)
    run_time = RecognizerSettings.from_values(other, background=True).run_time
    assert run_time == RecognitionSettings(background=True, **other)
    assert run_time == run_time_settings({**other, "model": "x"}, background=True)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"min_face": 7.0}, "min_face must be from 0.02 to 1"),
        ({"min_confidence": -2.0}, "min_confidence must be from -1 to 1"),
        ({"smooting": 1.0}, "there is no parameter smooting; did you mean smoothing?"),
        ({"classifier": "tarot"}, "classifier must be one of fisherfaces"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(given, words):
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        RecognizerSettings.from_values(given)
    assert words in str(error.value)


def test_settings_are_changed_whole_or_not_at_all():
    settings = RecognizerSettings.from_values()
    for thing, name in ((settings, "model"), (settings.run_time, "smoothing")):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, 1)


# How sure is enough


class Said:
    """A classifier whose manifest says this under settings."""

    labels = ("neutral", "happiness")

    def __init__(self, **settings):
        self.manifest = type("Manifest", (), {"settings": settings})()


class Silent:
    labels = ("neutral", "happiness")


def test_by_default_the_card_of_the_model_says_how_sure_is_enough():
    ensemble = fisherfaces_of()
    said = ensemble.manifest.settings["min_confidence"]
    settings = RecognizerSettings.from_values()
    assert make_recognizer(settings, ensemble).settings.min_confidence == said == 0.6
    for region in ("auto", "upper"):
        reader = make_recognizer(replace(settings, region=region), ensemble)
        assert reader.settings.min_confidence == said


@pytest.mark.parametrize(
    ("classifier", "least"),
    [(Said(min_confidence=0.8), 0.8), (Said(min_confidence=0), 0.0), (Said(min_confidence=1), 1.0),
     (Said(), PLAIN_CONFIDENCE), (Silent(), PLAIN_CONFIDENCE)],
)  # fmt: skip
def test_what_is_set_wins_over_the_card(classifier, least):
    assert card_confidence(classifier) == least
    wanted = RecognizerSettings.from_values().run_time
    assert as_in_force(wanted, classifier) == replace(wanted, min_confidence=least)
    for given in (0.0, 0.3, 1.0):
        explicit = replace(wanted, min_confidence=given)
        assert as_in_force(explicit, classifier) == explicit


@pytest.mark.parametrize("value", ["much", -0.1, 1.1, float("nan"), True, None, [0.6]])
def test_a_card_that_says_nonsense_is_told_in_one_line(value):
    wanted = RecognizerSettings.from_values().run_time
    with pytest.raises(ModelError, match=r"min_confidence.*0 to 1; correct it there, or set"):
        as_in_force(wanted, Said(min_confidence=value))
    as_in_force(replace(wanted, min_confidence=0.5), Said(min_confidence=value))  # the remedy works


def test_a_photo_is_told_its_likeliest_label():
    chosen = RecognizerSettings.from_values({"model": "m", "face_selection": "single"})
    photos = chosen.for_photos()
    assert photos.model == "m" and photos.run_time.face_selection == "all"
    reader = make_recognizer(photos, Silent())
    assert reader.settings.min_confidence == 0.0
    assert reader.detector.min_face == 0.06
    assert not reader.read_still(np.zeros((60, 80), np.uint8)).faces


def test_paths_may_be_given_as_paths(tmp_path):
    settings = RecognizerSettings.from_values({"model": tmp_path})
    assert settings == RecognizerSettings.from_values({"model": str(tmp_path)})
