"""Writes models that ``cv2.face.FisherFaceRecognizer.read`` accepts.

OpenCV's own trainer keeps N - C principal components before the discriminant analysis, which fits
the training images by heart and is slow. Its file holds only numbers, so training may be ours while
recognition stays OpenCV's: predict() projects a vector, ``(x - mean) @ eigenvectors``, and answers
with the label of the nearest stored projection.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_NO_THRESHOLD = "1.7976931348623157e+308"  # the largest double: OpenCV's default, never "unknown"
_FORMAT = "%.6g"  # six digits: the file shrinks by half, distances change in the sixth digit


@dataclass(frozen=True)
class FisherfaceModel:
    """The numbers of one Fisherface model.

    Attributes:
        mean: (D,) float64, subtracted from a vector.
        eigenvectors: (D, K) float64, the discriminant directions.
        eigenvalues: (K,) float64, information only.
        projections: (P, K) float64, what a projected vector is compared with.
        numbers: (P,) int, class number of each projection.
    """

    mean: np.ndarray
    eigenvectors: np.ndarray
    eigenvalues: np.ndarray
    projections: np.ndarray
    numbers: np.ndarray

    def rounded(self) -> FisherfaceModel:
        """Return the model with the digits that its file keeps."""
        return FisherfaceModel(
            _rounded(self.mean), _rounded(self.eigenvectors), _rounded(self.eigenvalues),
            _rounded(self.projections), self.numbers,
        )  # fmt: skip

    def predict(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return class numbers (N,) and distances (N,) of (N, D) vectors, as cv2.face would."""
        projected = (vectors.astype(np.float64) - self.mean) @ self.eigenvectors
        distances = np.stack([np.linalg.norm(projected - p, axis=1) for p in self.projections], 1)
        nearest = distances.argmin(axis=1)
        return self.numbers[nearest], distances[np.arange(len(vectors)), nearest]


def write_opencv_model(path: str | Path, model: FisherfaceModel, labels: Mapping[int, str]) -> None:
    """Write a model as OpenCV XML; gzipped, which OpenCV reads as well, if the name ends in .gz.

    The same model gives the same bytes.

    Args:
        path: of the file.
        model: the numbers.
        labels: the name of each class number, stored as OpenCV's label info.
    """
    text = "".join(
        [
            '<?xml version="1.0"?>\n<opencv_storage>\n<opencv_fisherfaces>\n',
            f"<threshold>{_NO_THRESHOLD}</threshold>\n",
            f"<num_components>{model.eigenvectors.shape[1]}</num_components>\n",
            _matrix("mean", model.mean[None]),
            _matrix("eigenvalues", model.eigenvalues[:, None]),
            _matrix("eigenvectors", model.eigenvectors),
            "<projections>\n",
            *(_matrix("_", projection[None]) for projection in model.projections),
            "</projections>\n",
            _matrix("labels", model.numbers[:, None], integers=True),
            "<labelsInfo>\n",
            *(f"<_><label>{n}</label><value>{name}</value></_>\n" for n, name in labels.items()),
            "</labelsInfo>\n</opencv_fisherfaces>\n</opencv_storage>\n",
        ]
    )
    content = text.encode("ascii")
    if str(path).endswith(".gz"):
        content = gzip.compress(content, compresslevel=9, mtime=0)
    Path(path).write_bytes(content)


def _matrix(name: str, values: np.ndarray, integers: bool = False) -> str:
    rows, columns = values.shape
    # "d": cv2.face wants one type throughout, and projects in double even what is stored as float.
    kind, number = ("i", "%d") if integers else ("d", _FORMAT)
    lines = "\n".join(" ".join(number % value for value in row) for row in values)
    return (
        f'<{name} type_id="opencv-matrix"><rows>{rows}</rows><cols>{columns}</cols>'
        f"<dt>{kind}</dt><data>\n{lines}</data></{name}>\n"
    )


def _rounded(values: np.ndarray) -> np.ndarray:
    return np.array([float(_FORMAT % value) for value in values.ravel()]).reshape(values.shape)
