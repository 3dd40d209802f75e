"""``network.yaml``: what somebody's expression network wants to see and what its answers mean.

    file: network.onnx            # beside this file, or a path relative to it
    labels: [angry, disgust, scared, happy, sad, surprised, neutral]   # in the order of the outputs
    input:
      size: 48                    # px, side of the square face
      colour: grey                # grey, bgr or rgb
      layout: nchw                # nchw (PyTorch) or nhwc (Keras)
      scale: 0.00392156862745098  # value = (pixel * scale - mean) / std
      mean: 0.0                   # one number, or one per channel
      std: 1.0
      per_face: false             # true: each face to mean 0 and deviation 1; no scale, mean, std
    output:
      name: ""                    # of the ONNX output, where there are several
      kind: auto                  # logits, probabilities, or auto: whichever they look like
    face:                         # how the face is cut out; see FacePreparation
      margin: 0.04

Any name or alias of the vocabulary is a label; ``unknown`` (or null) marks an output that is no
emotion and is left out. Frames are read in grey: a colour network is given grey in each channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from expression_ros.recognition.face_preparation import FaceError, FacePreparation
from expression_ros.recognition.model_manifest import ModelError
from expression_ros.vocabulary import UNKNOWN, UnknownLabelError, canonical_label

DESCRIPTION_NAME = "network.yaml"
COLOURS = {"grey": 1, "bgr": 3, "rgb": 3}  # and their channels
LAYOUTS = ("nchw", "nhwc")
OUTPUT_KINDS = ("auto", "logits", "probabilities")

_FLAT_SPREAD = 1.0  # grey levels; with per_face, a flatter face is not amplified


@dataclass(frozen=True)
class NetworkDescription:
    """The content of ``network.yaml``; see the module.

    Attributes:
        file: the ONNX file, relative to the folder of the description.
        labels: one per output, of the vocabulary; "unknown" for an output that is left out.
        size: side of the face in px.
        colour: a key of COLOURS.
        layout: one of LAYOUTS.
        scale, mean, std: value = (pixel * scale - mean) / std; mean and std one number per channel.
        per_face: each face gets mean 0 and standard deviation 1 instead.
        output_name: ONNX output to read; empty for the only one.
        output_kind: one of OUTPUT_KINDS.
        face: how the face is cut out; its size is ``size``.

    Raises:
        ValueError: an entry makes no sense.
    """

    file: str
    labels: tuple[str, ...]
    size: int = 48
    colour: str = "grey"
    layout: str = "nchw"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    per_face: bool = False
    output_name: str = ""
    output_kind: str = "auto"
    face: FacePreparation = field(default_factory=FacePreparation)

    def __post_init__(self) -> None:
        said = [label for label in self.labels if label != UNKNOWN]
        if len(said) < 2 or len(set(said)) != len(said):
            raise ValueError(f"the labels are fewer than two or repeated: {list(self.labels)}")
        _check_choice("colour", self.colour, COLOURS)
        _check_choice("layout", self.layout, LAYOUTS)
        _check_choice("kind", self.output_kind, OUTPUT_KINDS)
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, COLOURS[self.colour]):
                raise ValueError(f"{name} must be one number or {COLOURS[self.colour]}")
        if not all(np.isfinite([self.scale, *self.mean, *self.std])) or 0 in self.std:
            raise ValueError("scale, mean and std must be finite, and std not 0")
        if not isinstance(self.per_face, bool):
            raise ValueError(f"per_face must be true or false, not {self.per_face!r}")

    @classmethod
    def from_mapping(cls, content: Any) -> NetworkDescription:
        """Return the description that a YAML file holds.

        Raises:
            ValueError: an entry is missing, unknown or makes no sense.
        """
        parts = _section(content, "the file", ("file", "labels", "input", "output", "face"))
        for name in ("file", "labels"):
            if not parts.get(name):
                raise ValueError(f"it has no {name!r}")
        if not isinstance(parts["labels"], list):
            raise ValueError("labels must be a list, one label per output of the network")
        entries = ("size", "colour", "layout", "scale", "mean", "std", "per_face")
        seen = _section(parts.get("input"), "input", entries)
        output = _section(parts.get("output"), "output", ("name", "kind"))
        size = seen.get("size", cls.size)
        face = dict(_section(parts.get("face"), "face", None))
        if face.setdefault("size", size) != size:
            raise ValueError(f"face size {face['size']} is not the input's, {size}")
        labels = (UNKNOWN if name is None else canonical_label(name) for name in parts["labels"])
        return cls(
            file=str(parts["file"]),
            labels=tuple(labels),
            size=size,
            colour=seen.get("colour", cls.colour),
            layout=seen.get("layout", cls.layout),
            scale=_numbers("scale", seen.get("scale", cls.scale))[0],
            mean=_numbers("mean", seen.get("mean", 0.0)),
            std=_numbers("std", seen.get("std", 1.0)),
            per_face=seen.get("per_face", False),
            output_name=str(output.get("name") or ""),
            output_kind=output.get("kind", cls.output_kind),
            face=FacePreparation.from_mapping(face),
        )

    def as_mapping(self) -> dict[str, Any]:
        """Return what ``from_mapping`` reads, as plain values fit for YAML."""
        seen: dict[str, Any] = {"size": self.size, "colour": self.colour, "layout": self.layout}
        if self.per_face:
            seen["per_face"] = True
        else:
            seen |= {"scale": self.scale, "mean": list(self.mean), "std": list(self.std)}
        return {
            "file": self.file,
            "labels": list(self.labels),
            "input": seen,
            "output": {"name": self.output_name, "kind": self.output_kind},
            "face": self.face.as_mapping(),
        }

    def blob_shape(self) -> tuple[int, int, int, int]:
        """Return the shape of what the network is given for one face."""
        channels = COLOURS[self.colour]
        if self.layout == "nhwc":
            return (1, self.size, self.size, channels)
        return (1, channels, self.size, self.size)

    def blob(self, faces: np.ndarray) -> np.ndarray:
        """Return what the network is given for faces.

        Args:
            faces: (N, S, S) uint8 prepared faces.

        Returns:
            (N, channels, S, S) float32, or (N, S, S, channels) with layout nhwc.
        """
        values = faces.astype(np.float32)
        if self.per_face:
            mean = values.mean(axis=(1, 2), keepdims=True)
            spread = np.maximum(values.std(axis=(1, 2), keepdims=True), _FLAT_SPREAD)
            values = (values - mean) / spread
        channels = np.repeat(values[:, None], COLOURS[self.colour], axis=1)
        if not self.per_face:
            mean, std = (np.reshape(v, (1, -1, 1, 1)) for v in (self.mean, self.std))
            channels = ((channels * self.scale - mean) / std).astype(np.float32)
        if self.layout == "nhwc":
            channels = channels.transpose(0, 2, 3, 1)
        return np.ascontiguousarray(channels)


def read_description(folder: Path) -> NetworkDescription:
    """Read ``network.yaml`` of a folder.

    Raises:
        ModelError: it is missing, or an entry is missing or makes no sense.
    """
    path = folder / DESCRIPTION_NAME
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelError(
            f"{path} is missing; it says what the network wants to see: file, labels, input (size, "
            "colour, layout, scale, mean, std), output (name, kind), face (margin)"
        ) from None
    # YAMLError, UnicodeDecodeError, what int(), float() and datetime() raise, RecursionError
    except Exception as error:
        raise ModelError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    try:
        return NetworkDescription.from_mapping(content)
    except (ValueError, TypeError, OverflowError, FaceError, UnknownLabelError) as error:
        raise ModelError(f"{path} cannot be used: {error}; correct that entry") from error


def write_description(folder: Path, description: NetworkDescription) -> Path:
    """Write ``network.yaml`` into an existing folder and return its path."""
    path = folder / DESCRIPTION_NAME
    text = yaml.safe_dump(description.as_mapping(), sort_keys=False, default_flow_style=None)
    path.write_text(text, encoding="utf-8")
    return path


def _section(content: Any, name: str, known: tuple[str, ...] | None) -> Mapping[str, Any]:
    if content is None and name != "the file":
        return {}
    if not isinstance(content, dict):
        raise ValueError(f"{name} is not a YAML mapping")
    if known is not None and (unknown := sorted(str(key) for key in content if key not in known)):
        raise ValueError(f"{name} has the unknown entry {unknown[0]!r}; known: {', '.join(known)}")
    return content


def _numbers(name: str, value: Any) -> tuple[float, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in values):
        raise ValueError(f"{name} must be a number or a list of numbers, not {value!r}")
    return tuple(float(v) for v in values)


def _check_choice(name: str, value: object, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")
