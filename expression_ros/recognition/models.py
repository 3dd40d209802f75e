"""From the name of a classifier to one that is loaded and ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from expression_ros.parameters.choices import CLASSIFIERS
from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.fisherfaces import KIND, FisherfaceEnsemble
from expression_ros.recognition.model_manifest import SHIPPED_KINDS, ModelError, remedy
from expression_ros.recognition.network_classifier import CNN, NetworkClassifier
from expression_ros.recognition.vector_classifier import KINDS, VectorClassifier, checked_thresholds
from expression_ros.recognition.vector_rules import RuleError
from expression_ros.resources import ResourceError, models_path
from expression_ros.vocabulary import canonical_label

ONNX = "onnx"

_LOADERS: Mapping[str, Callable[[Path], Classifier]] = {
    KIND: FisherfaceEnsemble.load,
    **{kind: partial(VectorClassifier.load, kind=kind) for kind in KINDS},
    CNN: NetworkClassifier.load_cnn,
    ONNX: NetworkClassifier.load,
}


def load_classifier(name: str, folder: str | Path = "", thresholds: str = "") -> Classifier:
    """Load a classifier by name.

    Args:
        name: one of CLASSIFIERS.
        folder: where its model is; empty for the one shipped with the package.
        thresholds: from which probability on a label is said, ``"surprise=0.4, anger=0.3"``, in
            place of those of the model; for the classifiers on descriptors.

    Raises:
        ModelError: there is no such classifier, its model is missing, corrupt or unfit, or the
            thresholds are.
    """
    if name not in _LOADERS:
        raise ModelError(f"there is no classifier {name!r}; there are: {', '.join(CLASSIFIERS)}")
    if not folder:
        folder = _shipped_folder(name)
    classifier = _LOADERS[name](Path(folder))
    if thresholds.strip():
        if not isinstance(classifier, VectorClassifier):
            raise ModelError(
                f"classifier {name} has no threshold for each label; set min_confidence instead"
            )
        classifier.thresholds = parsed_thresholds(thresholds, classifier.labels)
    return classifier


def parsed_thresholds(text: str, labels: Sequence[str]) -> dict[str, float]:
    """Return thresholds by label of a text like ``surprise=0.4, anger=0.3``.

    Raises:
        ModelError: it is not of this form, or names a label that cannot be said.
    """
    thresholds = {}
    for part in text.replace(",", " ").split():
        label, _, share = part.partition("=")
        try:
            thresholds[canonical_label(label)] = float(share)
        except ValueError as error:
            raise ModelError(f"{part!r} is not a threshold like surprise=0.4 ({error})") from None
    try:
        return checked_thresholds(thresholds, labels)
    except RuleError as error:
        raise ModelError(str(error)) from error


def _shipped_folder(name: str) -> Path:
    if name == ONNX:
        raise ModelError(
            "classifier onnx has no model of its own; give the folder of an ONNX network and its "
            "network.yaml (--model DIR, or the parameter model)"
        )
    try:
        return models_path(name)
    except ResourceError as error:
        if name in SHIPPED_KINDS:
            raise ModelError(f"{error}; or {remedy(name)}") from None
        raise ModelError(
            f"no model of classifier {name} is shipped; {remedy(name)}, and give its folder "
            "(--model DIR, or the parameter model)"
        ) from None


def model_facts(classifier: Classifier) -> dict[str, str]:
    """Return what a person may want to know of a loaded model, as texts by name."""
    facts = {"labels": ", ".join(classifier.labels)}
    manifest = getattr(classifier, "manifest", None)
    if manifest is not None:
        facts["descriptor"] = f"{manifest.descriptor} ({manifest.descriptor_size} numbers)"
        if manifest.kind == KIND:
            facts["members"] = str(len(manifest.files))
        facts |= {f"training: {k}": str(v) for k, v in manifest.training.items()}
    person = getattr(classifier, "person", None)  # of a classifier that was adapted to one
    if person is not None:
        facts["person"] = f"{person.name}, {len(person.labels)} faces"
    return facts
