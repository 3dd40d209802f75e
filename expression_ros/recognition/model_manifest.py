"""The manifest of a model folder: what the files are, and whether they are what was trained.

``manifest.yaml`` names the labels, the descriptor, the face preparation and every file with its
SHA-256, so that a model is used only with the crops and the descriptor it was trained on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from expression_ros.recognition.face_preparation import FaceError, FacePreparation
from expression_ros.vocabulary import UNKNOWN, UnknownLabelError, canonical_label

MANIFEST_NAME = "manifest.yaml"
FORMAT = 1
SHIPPED_KINDS = ("fisherfaces",)


class ModelError(ValueError):
    """A model cannot be used: one line with the file, what is wrong with it and the remedy."""


@dataclass(frozen=True)
class ModelFile:
    """A file of a model: its path, relative to the folder of the manifest, and SHA-256 in hex."""

    path: str
    sha256: str


@dataclass(frozen=True)
class ModelManifest:
    """What a model folder holds.

    Attributes:
        kind: the classifier, for example "fisherfaces".
        labels: the model's number of each label of the vocabulary it can say.
        descriptor: name of the descriptor.
        descriptor_size: length D of its vectors.
        descriptor_settings: see descriptors.make_descriptor.
        face: how faces are prepared.
        files: the members, in order.
        descriptor_file: the file that the descriptor needs, if it needs one.
        training: facts about the training, for people.
        settings: of the classifier itself, such as its thresholds; meant to be edited by hand.
    """

    kind: str
    labels: Mapping[int, str]
    descriptor: str
    descriptor_size: int
    descriptor_settings: Mapping[str, Any]
    face: FacePreparation
    files: tuple[ModelFile, ...]
    descriptor_file: ModelFile | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


def remedy(kind: str) -> str:
    """Return the end of every ModelError: what to do about it."""
    train = f"expression-ros train {kind} --data fer2013.npz --output models/{kind}"
    if kind not in SHIPPED_KINDS:
        return f"train one: {train}"
    return (
        f"restore the shipped models/{kind} (git checkout -- models/{kind}) or train them anew: "
        f"{train}"
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_manifest(folder: Path, manifest: ModelManifest) -> None:
    """Write ``manifest.yaml`` into an existing folder."""
    content: dict[str, Any] = {
        "format": FORMAT,
        "kind": manifest.kind,
        "labels": dict(manifest.labels),
        "descriptor": {
            "name": manifest.descriptor,
            "size": manifest.descriptor_size,
            "settings": dict(manifest.descriptor_settings),
        },
        "face": manifest.face.as_mapping(),
        "files": [_file_content(file) for file in manifest.files],
        "training": dict(manifest.training),
    }
    if manifest.settings:
        content["settings"] = dict(manifest.settings)
    if manifest.descriptor_file:
        content["descriptor"]["file"] = _file_content(manifest.descriptor_file)
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=100)
    heading = "# Written by the training command; the files are checked against it when loaded.\n"
    (folder / MANIFEST_NAME).write_text(heading + text, encoding="utf-8")


def read_manifest(folder: str | Path, kind: str = "fisherfaces") -> ModelManifest:
    """Read the manifest of a model folder and check every file against it.

    Args:
        folder: the model folder.
        kind: the kind of model that is expected there.

    Raises:
        ModelError: the folder, the manifest or a file is missing, corrupt or of another kind.
    """
    path = Path(folder) / MANIFEST_NAME
    try:
        manifest = _parsed(path, kind)
    except (FaceError, UnknownLabelError) as error:
        raise ModelError(f"{path}: {error}; {remedy(kind)}") from error
    checked = [*manifest.files, *([manifest.descriptor_file] if manifest.descriptor_file else [])]
    for file in checked:
        _check_file(Path(folder) / file.path, file.sha256, kind)
    return manifest


def kind_of(folder: str | Path) -> str:
    """Return which classifier the model of a folder is for; ModelError if it has no manifest."""
    path = Path(folder) / MANIFEST_NAME
    return str(_loaded(path, SHIPPED_KINDS[0]).get("kind"))


def _file_content(file: ModelFile) -> dict[str, str]:
    return {"path": file.path, "sha256": file.sha256}


def _parsed(path: Path, kind: str) -> ModelManifest:
    content = _loaded(path, kind)
    if content.get("format") != FORMAT:
        raise _wrong(path, f"format {content.get('format')!r} is not {FORMAT}", kind)
    if content.get("kind") != kind:
        raise _wrong(path, f"it is a model of kind {content.get('kind')!r}, not {kind!r}", kind)
    try:
        descriptor = content["descriptor"]
        file = descriptor.get("file")
        return ModelManifest(
            kind=kind,
            labels=_labels(content["labels"], path, kind),
            descriptor=str(descriptor["name"]),
            descriptor_size=int(descriptor["size"]),
            descriptor_settings=dict(descriptor.get("settings") or {}),
            face=FacePreparation.from_mapping(content["face"]),
            files=_files(content["files"], path, kind),
            descriptor_file=_file(file, path, kind) if file is not None else None,
            training=dict(content.get("training") or {}),
            settings=dict(content.get("settings") or {}),
        )
    except KeyError as error:
        raise _wrong(path, f"it has no {error.args[0]!r}", kind) from error
    except (TypeError, ValueError, AttributeError) as error:
        if isinstance(error, (ModelError, FaceError, UnknownLabelError)):
            raise
        raise _wrong(path, f"an entry has the wrong type ({error})", kind) from error


def _loaded(path: Path, kind: str) -> dict[str, Any]:
    if not path.parent.is_dir():
        raise ModelError(f"model folder {path.parent} does not exist; {remedy(kind)}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(f"model file {path} is missing; {remedy(kind)}") from None
    # YAMLError, UnicodeDecodeError, what int(), float() and datetime() raise, RecursionError
    except Exception as error:
        reason = " ".join(str(error).split())
        raise _wrong(path, f"it cannot be read ({reason})", kind) from error
    if not isinstance(content, dict):
        raise _wrong(path, "it is not a YAML mapping", kind)
    return content


def _labels(content: Any, path: Path, kind: str) -> dict[int, str]:
    labels = {int(number): canonical_label(name) for number, name in dict(content).items()}
    if len(labels) < 2 or len(set(labels.values())) != len(labels) or UNKNOWN in labels.values():
        raise _wrong(path, "the labels are fewer than two, repeated or 'unknown'", kind)
    return labels


def _files(content: Any, path: Path, kind: str) -> tuple[ModelFile, ...]:
    if not isinstance(content, list) or not content:
        raise _wrong(path, "it lists no model files", kind)
    return tuple(_file(entry, path, kind) for entry in content)


def _file(entry: Any, path: Path, kind: str) -> ModelFile:
    file = ModelFile(str(entry["path"]), str(entry["sha256"]))
    if Path(file.path).is_absolute() or not re.fullmatch(r"[0-9a-f]{64}", file.sha256):
        raise _wrong(path, f"the entry of {file.path!r} needs a relative path and a SHA-256", kind)
    return file


def _check_file(path: Path, sha256: str, kind: str) -> None:
    try:
        found = sha256_of(path)
    except FileNotFoundError:
        raise ModelError(f"model file {path} is missing; {remedy(kind)}") from None
    except OSError as error:
        raise _wrong(path, f"it cannot be read ({error.strerror})", kind) from error
    if found != sha256:
        raise _wrong(path, f"its SHA-256 is {found[:12]}..., the manifest says {sha256[:12]}...",
                     kind)  # fmt: skip


def _wrong(path: Path, what: str, kind: str) -> ModelError:
    return ModelError(f"model file {path} cannot be used: {what}; {remedy(kind)}")
