"""Measuring one classifier or several, each a model folder, on a part of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from expression_ros.parameters.choices import CLASSIFIERS
from expression_ros.recognition.detector_choice import DetectorChoice
from expression_ros.recognition.model_manifest import MANIFEST_NAME, ModelError, kind_of
from expression_ros.recognition.models import ONNX, load_classifier
from expression_ros.recognition.network_description import DESCRIPTION_NAME
from expression_ros.training.data.data_sets import AUTO, open_data_set
from expression_ros.training.data.faces import DataError, need_scikit_learn, report_progress
from expression_ros.training.data.labelled_images import TEST, DataSet, Dropped, fault_lines
from expression_ros.training.evaluation.measurement import (
    MIN_FACE,
    MeasuredClassifier,
    Measurement,
    measure,
)
from expression_ros.training.evaluation.people_groups import read_groups
from expression_ros.training.evaluation.report import figures_of

ALL = "all"


@dataclass(frozen=True)
class Entry:
    """A classifier to be measured.

    Attributes:
        name: what it is called in tables.
        kind: of the classifier.
        folder: of its model; None for the shipped one.
    """

    name: str
    kind: str
    folder: Path | None

    @property
    def model(self) -> str:
        """The name of the model folder, "shipped" if it is none of the user's."""
        return self.folder.resolve().name if self.folder else "shipped"


@dataclass(frozen=True)
class EvaluationConfig:
    """What is measured, and on what.

    Attributes:
        entries: the classifiers.
        data: the data set.
        form: of the data set, see data_sets.FORMATS.
        votes: file with what people see on its faces.
        groups: CSV that says who is what.
        faces: "cropped", "detect", or "auto": by the data.
        split: one of labelled_images.SPLITS, "all", or "auto": its test, or all without splits.
        min_face: width of the smallest face that is searched, as a share of the image's height.
        detector: which one finds the faces.
    """

    entries: tuple[Entry, ...]
    data: Path
    form: str = AUTO
    votes: Path | None = None
    groups: Path | None = None
    faces: str = AUTO
    split: str = AUTO
    min_face: float = MIN_FACE
    detector: DetectorChoice | None = None


@dataclass(frozen=True)
class Evaluated:
    """What was measured of a classifier.

    Attributes:
        entry: which one.
        data: on what.
        figures: all of them, fit for JSON.
        result: every single answer.
    """

    entry: Entry
    data: DataSet
    figures: dict[str, Any]
    result: Measurement


def evaluate_classifiers(config: EvaluationConfig) -> Iterator[Evaluated]:
    """Measure one classifier after the other; what is damaged is named on stderr, once.

    Raises:
        DataError: the data, the votes or the groups cannot be read or do not fit, or there is no
            face to judge; scikit-learn is missing.
        ModelError, DescriptorError, CascadeError: a model or a detector cannot be loaded.
    """
    # What can be wrong is told at once, not after minutes of work.
    need_scikit_learn("evaluation")
    loaded = [load_classifier(entry.kind, entry.folder or "") for entry in config.entries]
    groups = read_groups(config.groups) if config.groups else None
    whole = open_data_set(config.data, config.form, votes=config.votes)
    data = _part(whole, config.split)
    faces = data.faces if config.faces == AUTO else config.faces
    _name_faults(data.dropped)
    named: set[str] = set()
    for entry, classifier in zip(config.entries, loaded, strict=True):
        measured = cast(MeasuredClassifier, classifier)
        result = measure(measured, data, faces, config.min_face, config.detector)
        _name_faults([drop for drop in result.unreadable if drop.source not in named])
        named |= {drop.source for drop in result.unreadable}
        if not result.truth:
            raise DataError(_nothing_to_judge(result, data, entry))
        figures = {
            "classifier": entry.kind,
            "model": entry.model,
            "faces": faces,
            "split": _name_of_split(data),
            **figures_of(result, data, groups),
        }
        yield Evaluated(entry, data, figures, result)


def kind_in(folder: Path) -> str:
    """Return which classifier a model folder is of; ModelError if it is none."""
    if (folder / MANIFEST_NAME).is_file():
        kind = kind_of(folder)
        if kind not in CLASSIFIERS:
            raise ModelError(
                f"{folder / MANIFEST_NAME}: its kind {kind!r} is not a classifier; there are: "
                f"{', '.join(CLASSIFIERS)}"
            )
        return kind
    if (folder / DESCRIPTION_NAME).is_file() or folder.name == DESCRIPTION_NAME:
        return ONNX
    raise ModelError(
        f"{folder} is neither a classifier ({', '.join(CLASSIFIERS)}) nor a model folder with a "
        f"{MANIFEST_NAME} or {DESCRIPTION_NAME}; train one: expression-ros train CLASSIFIER "
        f"--output {folder}"
    )


def _part(data: DataSet, split: str) -> DataSet:
    """Return one split of a data set; of one without splits, all of it."""
    has = data.splits()
    if split == ALL or (split == AUTO and set(has) <= {""}):
        return data
    wanted = TEST if split == AUTO else split
    if wanted not in has:
        there = ", ".join(name or "images without a split" for name in has) or "nothing"
        raise DataError(f"{data.name} has no split {wanted}, but {there}; see --split")
    return data.of_split(wanted)


def _name_of_split(data: DataSet) -> str:
    """Return the split that all of the data are of, or "all"."""
    has = data.splits()
    return next(iter(has)) or ALL if len(has) == 1 else ALL


def _name_faults(dropped: Sequence[Dropped]) -> None:
    for line in fault_lines(dropped):
        report_progress(f"left out: {line}")


def _nothing_to_judge(result: Measurement, data: DataSet, entry: Entry) -> str:
    reasons = {
        "without exactly one face (--faces cropped, if they are crops)": len(result.no_face),
        "unreadable": len(result.unreadable),
        "with a label that the model cannot say": sum(result.cannot_say.values()),
    }
    counted = ", ".join(f"{count:,} {reason}" for reason, count in reasons.items() if count)
    return f"{data.name}: {entry.name} has no face to judge; {counted or 'there are no images'}"
