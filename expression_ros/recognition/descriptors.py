"""Descriptors: a prepared face becomes the vector that the Fisherfaces work on.

``pixels`` is the classic Fisherface input, ``hog`` describes edges, ``embedding`` asks a small
network, ``landmarks`` (optional, needs dlib) finds 68 points.
A descriptor is built from the name and the settings that a model's manifest holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelManifest,
    remedy,
)

DESCRIPTOR_NAMES = ("pixels", "hog", "embedding", "landmarks")

# Measured on FER2013: a 48 px face enlarged to 96 px gains a point over HOG at 48 px (smoother
# gradients), signed gradients three to four points over unsigned ones.
HOG_DEFAULTS = {"window": 96, "cell": 16, "block": 32, "stride": 8, "bins": 12, "signed": True}


class DescriptorError(ValueError):
    """There is no such descriptor, its settings make no sense, or its file cannot be used."""


class PackageMissingError(DescriptorError):
    """A descriptor needs an optional package that is not installed."""


class Descriptor(Protocol):
    """What every descriptor can do.

    Attributes:
        name: one of DESCRIPTOR_NAMES.
        size: length D of the vectors.
        settings: plain values from which ``make_descriptor`` builds the same descriptor again.
    """

    name: str
    size: int
    settings: dict[str, Any]

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return the (1, D) float32 vector of a face, (S, S) uint8.

        Raises:
            DescriptorError: the face has the wrong size or type.
        """
        ...


class PixelDescriptor:
    """The grey values themselves, as in Belhumeur et al., 1997, scaled to 0..1."""

    name = "pixels"

    def __init__(self, face_size: int) -> None:
        self._face_size = face_size
        self.size = face_size * face_size
        self.settings: dict[str, Any] = {}

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return (1, S*S) float32; see Descriptor.describe."""
        _check_face(face, self._face_size)
        return np.asarray(face.reshape(1, -1).astype(np.float32) / np.float32(255))


class HogDescriptor:
    """Histograms of oriented gradients (Dalal and Triggs, 2005), by cv2.HOGDescriptor.

    Args:
        face_size: side of the prepared face in px.
        window: side in px to which the face is enlarged before gradients are taken.
        cell, block, stride: the geometry in px of that window.
        bins: orientations of a histogram.
        signed: whether the orientations span 360 degrees instead of 180.

    Raises:
        DescriptorError: the geometry does not fit together.
    """

    name = "hog"

    def __init__(
        self, face_size: int, window: int, cell: int, block: int, stride: int, bins: int,
        signed: bool,
    ) -> None:  # fmt: skip
        numbers = (window, cell, block, stride, bins)
        if any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
            raise DescriptorError(f"the hog settings must be whole numbers above 0, not {numbers}")
        # cv2.HOGDescriptor checks this only when it computes, and not everything even then.
        if block > window or block % cell or (window - block) % stride or stride % 2 or cell % 2:
            raise DescriptorError(
                f"hog: a block of {block} px must hold whole cells ({cell} px) and step through "
                f"the window ({window} px) by an even stride ({stride} px)"
            )
        self._face_size = face_size
        self._window = window
        self.settings: dict[str, Any] = {
            "window": window, "cell": cell, "block": block, "stride": stride, "bins": bins,
            "signed": bool(signed),
        }  # fmt: skip
        self._hog = cv2.HOGDescriptor(
            (window, window), (block, block), (stride, stride), (cell, cell), bins,
            1, -1.0, cv2.HOGDescriptor_L2Hys, 0.2, False, 64, bool(signed),
        )  # fmt: skip
        self.size = int(self._hog.getDescriptorSize())

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return (1, D) float32; see Descriptor.describe."""
        _check_face(face, self._face_size)
        if self._face_size != self._window:
            face = cv2.resize(face, (self._window, self._window), interpolation=cv2.INTER_CUBIC)
        return np.asarray(self._hog.compute(face), np.float32).reshape(1, -1)


_NEAR_NOTHING = 0.01  # added to numbers before a root, which is steep at 0


class EmbeddingDescriptor:
    """The embedding of a small network of this package, run by cv2.dnn.

    Args:
        face_size: side of the prepared face in px.
        folder: the folder that a relative ``file`` starts from, the model's folder.
        file: the ONNX file.
        power: to which the numbers are raised, above 0 to 1. They are means of what a rectifier
            lets through: none is negative, and few are large. A root makes their clouds rounder,
            as discriminant analysis wants them (Box and Cox, 1964).

    Raises:
        DescriptorError: the network is missing or unfit, or the power is out of range.
    """

    name = "embedding"

    def __init__(self, face_size: int, folder: Path, file: str, power: float = 1.0) -> None:
        from expression_ros.recognition.embedding import (
            FACE_SIZE,
            EmbeddingError,
            EmbeddingNetwork,
        )

        if face_size != FACE_SIZE:
            raise DescriptorError(f"embedding needs faces of {FACE_SIZE} px, not {face_size}")
        if isinstance(power, bool) or not isinstance(power, (int, float)) or not 0 < power <= 1:
            raise DescriptorError(f"embedding: power must be above 0 and at most 1, not {power!r}")
        self._face_size = face_size
        try:
            self._network = EmbeddingNetwork(folder / file)
        except EmbeddingError as error:
            raise DescriptorError(str(error)) from error
        self._power = float(power)
        self.settings: dict[str, Any] = {"file": file}
        if self._power != 1.0:
            self.settings["power"] = self._power
        self.size = int(self._network.dimension)

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return (1, D) float32; see Descriptor.describe."""
        _check_face(face, self._face_size)
        return self._raised(np.asarray(self._network.describe(face), np.float32).reshape(1, -1))

    def describe_batch(self, faces: np.ndarray) -> np.ndarray:
        """Return (N, D) float32 of (N, S, S) uint8 faces, faster than one by one."""
        return self._raised(np.asarray(self._network.describe_batch(faces), np.float32))

    def _raised(self, vectors: np.ndarray) -> np.ndarray:
        if self._power == 1.0:
            return vectors
        above = np.maximum(vectors, 0.0) + np.float32(_NEAR_NOTHING)
        return np.asarray(above ** np.float32(self._power))


class LandmarkDescriptor:
    """Where the 68 points of a face lie, by dlib; see landmarks.landmark_features.

    Args:
        face_size: side of the prepared face in px.
        inset: how far inside the prepared face the detector's box lies, as a share of its side.
        predictor: dlib's predictor file; empty for the one of face-recognition-models.

    Raises:
        PackageMissingError: dlib or the predictor is missing.
        DescriptorError: the inset is outside of 0..0.4.
    """

    name = "landmarks"

    def __init__(self, face_size: int, inset: float = 0.0, predictor: str = "") -> None:
        from expression_ros.recognition.landmarks import (
            FEATURES,
            LandmarkError,
            LandmarkFinder,
        )

        if isinstance(inset, bool) or not isinstance(inset, (int, float)) or not 0 <= inset <= 0.4:
            raise DescriptorError(f"landmarks: inset must be between 0 and 0.4, not {inset!r}")
        try:
            self._finder = LandmarkFinder(predictor)
        except LandmarkError as error:
            raise PackageMissingError(str(error)) from error
        self._face_size = face_size
        edge = round(inset * face_size)
        self._box = (edge, edge, face_size - 2 * edge, face_size - 2 * edge)
        self.settings: dict[str, Any] = {"inset": float(inset)}
        if predictor:
            self.settings["predictor"] = predictor
        self.size = FEATURES

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return (1, 340) float32; see Descriptor.describe."""
        from expression_ros.recognition.landmarks import landmark_features

        _check_face(face, self._face_size)
        return landmark_features(self._finder.find(face, self._box))[None]


def make_descriptor(
    name: str, settings: Mapping[str, Any], face_size: int, folder: str | Path = "."
) -> Descriptor:
    """Build a descriptor from its name and settings.

    Args:
        name: one of DESCRIPTOR_NAMES.
        settings: of the descriptor; left out ones take their default (embedding needs ``file``).
        face_size: side S of the faces it will be given, in px.
        folder: where a relative file name among the settings starts from.

    Raises:
        DescriptorError: see the class.
    """
    try:
        if name == "pixels":
            return PixelDescriptor(face_size, **settings)
        if name == "hog":
            return HogDescriptor(face_size, **{**HOG_DEFAULTS, **settings})
        if name == "embedding":
            return EmbeddingDescriptor(face_size, Path(folder), **settings)
        if name == "landmarks":
            return LandmarkDescriptor(face_size, **settings)
    except TypeError:
        raise DescriptorError(
            f"descriptor {name} does not take the settings {dict(settings)}"
        ) from None
    raise DescriptorError(f"unknown descriptor {name!r}; known: {', '.join(DESCRIPTOR_NAMES)}")


def _check_face(face: np.ndarray, size: int) -> None:
    if face.shape != (size, size) or face.dtype != np.uint8:
        raise DescriptorError(
            f"a ({size}, {size}) uint8 face is needed, not {face.dtype} of {face.shape}"
        )


def descriptor_of(manifest: ModelManifest, folder: Path) -> Descriptor:
    """Build the descriptor a model was trained on.

    Args:
        manifest: of the model.
        folder: the model folder, from which relative file names start.

    Raises:
        ModelError: it cannot be built, or does not make vectors of the length of the manifest.
    """
    path = folder / MANIFEST_NAME
    file = manifest.descriptor_settings.get("file")
    vouched = manifest.descriptor_file
    # Before it is opened: cv2.dnn may end the process on a damaged network.
    if file is not None and (vouched is None or vouched.path != file):
        raise ModelError(
            f"{path}: it gives no SHA-256 of {file}, the file of its descriptor; "
            f"{remedy(manifest.kind)}"
        )
    try:
        descriptor = make_descriptor(
            manifest.descriptor, manifest.descriptor_settings, manifest.face.size, folder
        )
    except PackageMissingError as error:  # nothing is wrong with the model
        raise ModelError(f"{path}: {error}") from error
    except DescriptorError as error:
        raise ModelError(f"{path}: {error}; {remedy(manifest.kind)}") from error
    if descriptor.size != manifest.descriptor_size:
        raise ModelError(
            f"{path}: descriptor {manifest.descriptor} makes vectors of "
            f"{descriptor.size}, not {manifest.descriptor_size}; {remedy(manifest.kind)}"
        )
    return descriptor
