"""From the name of a classifier to one that is loaded and ready."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from expression_ros.recognition.classifier import Classifier
from expression_ros.recognition.fisherfaces import FisherfaceEnsemble
from expression_ros.recognition.model_manifest import ModelError, remedy
from expression_ros.resources import ResourceError, models_path

_LOADERS: Mapping[str, Callable[[Path], Classifier]] = {
    "fisherfaces": FisherfaceEnsemble.load,
}
CLASSIFIERS = tuple(_LOADERS)


def load_classifier(name: str, folder: str | Path = "") -> Classifier:
    """Load a classifier by name.

    Args:
        name: one of CLASSIFIERS.
        folder: where its model is; empty for the one shipped with the package.

    Raises:
        ModelError: there is no such classifier, or its model is missing, corrupt or unfit.
    """
    if name not in _LOADERS:
        raise ModelError(f"there is no classifier {name!r}; there are: {', '.join(CLASSIFIERS)}")
    if not folder:
        try:
            folder = models_path(name)
        except ResourceError as error:
            raise ModelError(f"{error}; or {remedy(name)}") from None
    return _LOADERS[name](Path(folder))


def model_facts(classifier: Classifier) -> dict[str, str]:
    """Return what a person may want to know of a loaded model, as texts by name."""
    facts = {"labels": ", ".join(classifier.labels)}
    manifest = getattr(classifier, "manifest", None)
    if manifest is not None:
        facts["descriptor"] = f"{manifest.descriptor} ({manifest.descriptor_size} numbers)"
        facts["members"] = str(len(manifest.files))
        facts |= {f"training: {k}": str(v) for k, v in manifest.training.items()}
    return facts
