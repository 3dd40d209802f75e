"""Fisherfaces as the tutorials train them: by OpenCV's own trainer, to compare with ours.

``cv2.face.FisherFaceRecognizer.train`` keeps N - C principal components of N images of C classes
and stores every training image as a projection, so that its answer is that of the nearest image.
Its time grows with the cube of the number of images.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from expression_ros.recognition.fisherfaces import check_opencv_face


def write_opencv_trained(
    paths: Sequence[Path],
    vectors: np.ndarray,
    numbers: np.ndarray,
    labels: Mapping[int, str],
    images: int,
    seed: int,
    progress: Callable[[str], None] = lambda _: None,
) -> None:
    """Train one model per path, each on its own random images, and write it as OpenCV XML.

    Args:
        paths: files to write; gzipped if the names end in .gz.
        vectors: (N, D) float32 descriptors.
        numbers: (N,) int class numbers.
        labels: the name of each class number.
        images: how many of the N each model is trained on; all if there are fewer.
        seed: of the random choice.
        progress: is told what is being done.

    Raises:
        ValueError: OpenCV refuses or has no Fisherfaces, or a class has no image among those
            chosen.
    """
    check_opencv_face()
    rng = np.random.default_rng(seed)
    for place, path in enumerate(paths):
        progress(f"OpenCV trains model {place + 1} of {len(paths)}")
        chosen = rng.permutation(len(vectors))[:images]
        if missing := [name for n, name in labels.items() if n not in numbers[chosen]]:
            raise ValueError(f"no image of {', '.join(missing)} among {len(chosen)} chosen ones")
        member = cv2.face.FisherFaceRecognizer.create()
        try:
            member.train([vector[None] for vector in vectors[chosen].astype(np.float64)],
                         numbers[chosen].astype(np.int32))  # fmt: skip
        except cv2.error as error:
            raise ValueError(f"OpenCV's trainer refuses: {error}") from error
        for number, name in labels.items():
            member.setLabelInfo(number, name)
        member.write(str(path))
