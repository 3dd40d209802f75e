"""The descriptor ``embedding``: a small network of ours, ONNX, run by OpenCV's own ``cv2.dnn``.

The network turns a grey 48x48 face into 256 numbers that tell expressions apart; Fisherfaces are
trained on those numbers instead of on pixels. Nothing but OpenCV and numpy is needed here. The
network comes from ``expression_ros.commands.train_embedding`` (PyTorch, training only).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from expression_ros.recognition.opencv_parts import missing_part

FACE_SIZE = 48  # px, width and height of the face the network looks at
MAX_BATCH = 256  # faces handed to cv2.dnn at once; bounds the memory of a long list

EMBEDDING_OUTPUT = "embedding"  # (N, D): features before the classifier
LOGITS_OUTPUT = "logits"  # (N, 7): the network's own answer, in the order of FER2013_ORDER

_FLAT_IMAGE_STD = 1.0  # grey levels; a face flatter than this is not amplified any further


class EmbeddingError(ValueError):
    """The embedding network or its input cannot be used; the message says what to do."""


def standardize(faces: np.ndarray) -> np.ndarray:
    """Take brightness and contrast out: every face gets mean 0 and standard deviation 1.

    Args:
        faces: (N, 48, 48) uint8.

    Returns:
        (N, 1, 48, 48) float32, the network's input. A face without any contrast becomes zeros.
    """
    pixels = faces.astype(np.float32)
    pixels -= pixels.mean(axis=(1, 2), keepdims=True)
    std = np.sqrt(np.square(pixels).mean(axis=(1, 2), keepdims=True))
    pixels /= np.maximum(std, _FLAT_IMAGE_STD)
    return pixels[:, None]


class EmbeddingNetwork:
    """An embedding network read from an ONNX file.

    Not thread-safe: ``cv2.dnn.Net`` keeps the input of a call. Use one object per thread.

    Attributes:
        dimension: length D of an embedding.
    """

    def __init__(self, path: str | Path) -> None:
        """Load the network and try it once.

        Raises:
            EmbeddingError: the file is missing, is not an ONNX network, or not one of this package.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise EmbeddingError(
                f"no embedding network at {self.path}; take models/embedding/embedding.onnx of "
                "this package or train one: "
                "python -m expression_ros.commands.train_embedding --help"
            )
        if problem := missing_part("dnn.readNetFromONNX"):
            raise EmbeddingError(problem)
        try:
            self._net = cv2.dnn.readNetFromONNX(str(self.path))
            self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
            self._net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
            embeddings, logits = self._forward(np.zeros((1, FACE_SIZE, FACE_SIZE), np.uint8))
        except cv2.error as error:
            raise EmbeddingError(
                f"cv2.dnn {cv2.__version__} cannot read {self.path} as an embedding network; "
                "restore models/embedding/embedding.onnx of this package or export it anew "
                f"({_first_line(error)})"
            ) from error
        if embeddings.ndim != 2 or logits.ndim != 2 or len(embeddings) != 1:
            raise EmbeddingError(
                f"{self.path} answers with shapes {embeddings.shape} and {logits.shape}, not with "
                "(1, D) and (1, classes); use a network exported by "
                "expression_ros.commands.train_embedding"
            )
        self.dimension = int(embeddings.shape[1])

    def describe(self, face: np.ndarray) -> np.ndarray:
        """Return the embedding of one face.

        Args:
            face: (48, 48) uint8, a grey face crop. Brightness and contrast do not matter.

        Returns:
            (D,) float32.

        Raises:
            EmbeddingError: the face has another shape or dtype.
        """
        face = np.asarray(face)
        if face.ndim != 2:
            raise EmbeddingError(
                f"a face has shape {face.shape}, expected ({FACE_SIZE}, {FACE_SIZE}); convert it "
                "to grey, or use describe_batch for several"
            )
        embedding: np.ndarray = self.describe_batch(face[None])[0]
        return embedding

    def describe_batch(self, faces: np.ndarray) -> np.ndarray:
        """Return the embeddings of many faces, those of ``describe`` up to rounding (1e-4).

        Args:
            faces: (N, 48, 48) uint8; N may be 0.

        Returns:
            (N, D) float32.

        Raises:
            EmbeddingError: the faces have another shape or dtype.
        """
        return self._run(faces)[0]

    def logits(self, faces: np.ndarray) -> np.ndarray:
        """Return what the network itself would answer, without any Fisherface.

        Args:
            faces: (N, 48, 48) uint8.

        Returns:
            (N, 7) float32 in the order of ``vocabulary.FER2013_ORDER``; a softmax turns a row
            into probabilities.

        Raises:
            EmbeddingError: the faces have another shape or dtype.
        """
        return self._run(faces)[1]

    def _run(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        faces = np.asarray(faces)
        if faces.ndim != 3 or faces.shape[1:] != (FACE_SIZE, FACE_SIZE):
            raise EmbeddingError(
                f"faces have shape {faces.shape}, expected (N, {FACE_SIZE}, {FACE_SIZE}); resize "
                "the grey crop with cv2.INTER_AREA first"
            )
        if faces.dtype != np.uint8:
            raise EmbeddingError(
                f"faces are {faces.dtype}, expected uint8 grey levels 0..255; use "
                "np.clip(face, 0, 255).astype(np.uint8)"
            )
        if not len(faces):
            return np.empty((0, self.dimension), np.float32), np.empty((0, 7), np.float32)
        parts = [self._forward(faces[i : i + MAX_BATCH]) for i in range(0, len(faces), MAX_BATCH)]
        return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])

    def _forward(self, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._net.setInput(standardize(faces))
        embeddings, logits = self._net.forward([EMBEDDING_OUTPUT, LOGITS_OUTPUT])
        return np.array(embeddings), np.array(logits)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
