"""Classifiers that are a whole network, run by ``cv2.dnn``: ``onnx`` and ``cnn``.

``onnx`` is anybody's network: a folder with an ONNX file and ``network.yaml``, which describes it
(see network_description). ``cnn`` is one of ours, the same two files with a manifest beside them
that vouches for them; its folder can be read as ``onnx`` too.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from expression_ros.recognition.classifier import Prediction, prediction_from, softmax
from expression_ros.recognition.descriptors import DescriptorError
from expression_ros.recognition.face_preparation import prepare_face
from expression_ros.recognition.model_manifest import (
    MANIFEST_NAME,
    ModelError,
    ModelManifest,
    read_manifest,
    remedy,
)
from expression_ros.recognition.network_description import (
    DESCRIPTION_NAME,
    NetworkDescription,
    read_description,
)
from expression_ros.recognition.network_files import network_crash
from expression_ros.recognition.opencv_parts import missing_part
from expression_ros.vocabulary import UNKNOWN

CNN = "cnn"
MAX_BATCH = 64  # faces handed to cv2.dnn at once; bounds the memory of a long list


class NetworkClassifier:
    """Reads a face by a network. Not thread-safe: one object per thread.

    Args:
        folder: where the description's file name starts from.
        description: what the network wants to see and what it answers.
        manifest: what was read beside it, for reports.

    Raises:
        ModelError: the network is missing, unreadable or does not fit its description.
    """

    def __init__(
        self, folder: Path, description: NetworkDescription, manifest: ModelManifest | None = None
    ) -> None:
        self.description = description
        self.manifest = manifest
        self.face = description.face
        self.path = folder / description.file
        self._about = f"{folder / DESCRIPTION_NAME}: {self.path.name}"
        self._kept = [k for k, label in enumerate(description.labels) if label != UNKNOWN]
        self.labels = tuple(description.labels[k] for k in self._kept)
        self._net = self._opened()
        self._output = self._chosen_output()
        self._batch = 1
        self._gives_probabilities = self._tried()

    @classmethod
    def load(cls, folder: str | Path) -> NetworkClassifier:
        """Load anybody's network: a folder with ``network.yaml``, or that file itself.

        Raises:
            ModelError: something is missing, unreadable or does not fit together.
        """
        folder = Path(folder)
        if folder.name == DESCRIPTION_NAME:
            folder = folder.parent
        description = read_description(folder)
        _check_opencv_dnn()
        path = folder / description.file
        if path.is_file() and (crash := network_crash(path, description.blob_shape())):
            raise ModelError(
                f"{folder / DESCRIPTION_NAME}: cv2.dnn {cv2.__version__} {crash} on {path.name}; "
                "the file is damaged or of no use to it: copy or export it anew, opset 11 to 13"
            )
        return cls(folder, description)

    @classmethod
    def load_cnn(cls, folder: str | Path) -> NetworkClassifier:
        """Load a network of ours, whose files are checked against the manifest first.

        Raises:
            ModelError: something is missing, corrupt or does not fit together.
        """
        folder = Path(folder)
        _check_opencv_dnn()
        manifest = read_manifest(folder, CNN)
        description = read_description(folder)
        vouched = {file.path for file in manifest.files}
        # Before it is opened: cv2.dnn may end the process on a damaged file.
        if not {DESCRIPTION_NAME, description.file} <= vouched:
            raise ModelError(
                f"{folder / MANIFEST_NAME}: it does not list {DESCRIPTION_NAME} and "
                f"{description.file}; {remedy(CNN)}"
            )
        return cls(folder, description, manifest)

    def read(self, grey_frame: np.ndarray, box: Sequence[int]) -> Prediction:
        """Return the expression of the face in a box; see Classifier.read."""
        return self.predict(prepare_face(grey_frame, box, self.face))

    def predict(self, face: np.ndarray) -> Prediction:
        """Return the expression of a prepared face, (S, S) uint8.

        Raises:
            DescriptorError: the face has the wrong size or type.
        """
        size = self.description.size
        if face.shape != (size, size) or face.dtype != np.uint8:
            raise DescriptorError(
                f"a ({size}, {size}) uint8 face is needed, not {face.dtype} of {face.shape}"
            )
        return prediction_from(self.labels, self.probabilities(face[None])[0])

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Return (N, C) float64, rows adding to 1, of (N, S, S) uint8 prepared faces."""
        step = self._batch
        parts = [self._answers(faces[i : i + step]) for i in range(0, len(faces), step)]
        answers = np.concatenate(parts)[:, self._kept]
        if not self._gives_probabilities:
            return softmax(answers)
        kept: np.ndarray = np.maximum(answers.astype(np.float64), 1e-12)
        kept /= kept.sum(axis=1, keepdims=True)  # outputs left out leave less than 1
        return kept

    def _opened(self) -> cv2.dnn.Net:
        if not self.path.is_file():
            raise ModelError(f"network {self.path} is missing; {DESCRIPTION_NAME} names it as file")
        try:
            net = cv2.dnn.readNetFromONNX(str(self.path))
        except cv2.error as error:
            raise ModelError(
                f"{self._about} is not an ONNX network cv2.dnn {cv2.__version__} can read; export "
                f"it anew, opset 11 to 13, weights inside ({_reason(error)})"
            ) from error
        if net.empty():
            raise ModelError(f"{self._about} is an ONNX file without a network; export it anew")
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
        return net

    def _chosen_output(self) -> str:
        names = list(self._net.getUnconnectedOutLayersNames())
        wanted = self.description.output_name
        if wanted and wanted not in names:
            raise ModelError(f"{self._about} has no output {wanted!r}; it has {', '.join(names)}")
        if not wanted and len(names) != 1:
            raise ModelError(
                f"{self._about} has the outputs {', '.join(names)}; say which as output: name:"
            )
        return wanted or names[0]

    def _tried(self) -> bool:
        """Run the network on a flat and on a noisy face; return whether it gives probabilities.

        They look like probabilities when they are positive and add to 1 on both.
        """
        size = self.description.size
        noise = np.random.default_rng(0).integers(0, 256, (size, size), np.uint8)
        faces = np.stack([np.full_like(noise, 128), noise])
        try:
            answers = np.concatenate([self._answers(face[None]) for face in faces])
        except cv2.error as error:
            raise ModelError(
                f"{self._about} does not take a {self.description.colour} face of {size} px as "
                f"{self.description.layout}; correct input: ({_reason(error)})"
            ) from error
        if answers.shape[1] != len(self.description.labels):
            raise ModelError(
                f"{self._about} has {answers.shape[1]} outputs, there are "
                f"{len(self.description.labels)} labels; give one label per output, in their order"
            )
        if not np.isfinite(answers).all():
            raise ModelError(f"{self._about} answers with numbers that are not finite")
        if self._takes_batches(faces, answers):
            self._batch = MAX_BATCH
        if self.description.output_kind != "auto":
            return self.description.output_kind == "probabilities"
        return bool((answers >= 0).all() and np.allclose(answers.sum(axis=1), 1, atol=1e-3))

    def _takes_batches(self, faces: np.ndarray, one_by_one: np.ndarray) -> bool:
        """Return whether several faces at once give what they give one by one.

        Networks are often exported for one face at a time.
        """
        try:
            return np.allclose(self._answers(faces), one_by_one, rtol=1e-3, atol=1e-4)
        except (cv2.error, ValueError):
            return False

    def _answers(self, faces: np.ndarray) -> np.ndarray:
        """Return what the network says of (N, S, S) uint8 faces, (N, outputs) float32."""
        self._net.setInput(self.description.blob(faces))
        return np.array(self._net.forward(self._output)).reshape(len(faces), -1)


def _check_opencv_dnn() -> None:
    if problem := missing_part("dnn.readNetFromONNX"):
        raise ModelError(problem)


def _reason(error: Exception) -> str:
    """Return an OpenCV error in one line, without its source file."""
    line = " ".join(str(error).split())
    return line.split("error:", 1)[-1].strip()[:160]
