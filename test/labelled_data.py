"""Small data sets on disk in the forms that people have, made by the tests themselves."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from expression_ros.vocabulary import FER2013_ORDER

SCHEMES = {
    "as distributed": ("cohn-kanade-images", "Emotion"),
    "older copies": ("source_images", "source_emotion"),
    "unzipped side by side": (
        "extended-cohn-kanade-images/cohn-kanade-images", "Emotion_labels/Emotion",
    ),
}  # fmt: skip


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def write_ck_plus(
    root: Path,
    sequences: Mapping[str, float | str | None],
    image: Sequence[np.ndarray],
    scheme: str = "as distributed",
    frames: int = 4,
) -> Path:
    """Write ``S005/001`` and so on, with a label each, or none.

    The images of a sequence differ by their brightness: the first is the brightest.
    """
    images, labels = (root / name for name in SCHEMES[scheme])
    labels.mkdir(parents=True)
    for k, (sequence, label) in enumerate(sequences.items()):
        folder, stem = images / sequence, sequence.replace("/", "_")
        folder.mkdir(parents=True)
        for number in range(1, frames + 1):
            darker = cv2.subtract(image[k % len(image)], np.full(1, 4.0 * number))
            (folder / f"{stem}_{number:08d}.png").write_bytes(png(darker))
        (folder / ".DS_Store").write_bytes(b"")
        (labels / sequence).mkdir(parents=True)
        if label is not None:
            text = label if isinstance(label, str) else f"   {label:.7e}\n"
            (labels / sequence / f"{stem}_{frames:08d}_emotion.txt").write_text(text)
    return root


def write_folders(root: Path, images: Mapping[str, np.ndarray | bytes]) -> Path:
    """Write images, or any bytes, at these paths below root."""
    for name, content in images.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else png(content))
    return root


def write_zip(path: Path, images: Mapping[str, np.ndarray | bytes]) -> Path:
    """Write the same into a zip file, not compressed, so that a byte can be damaged."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in images.items():
            archive.writestr(name, content if isinstance(content, bytes) else png(content))
    return path


def csv_row(face: np.ndarray, label: str, usage: str = "Training") -> str:
    pixels = " ".join(map(str, face.ravel().tolist()))
    return f"{FER2013_ORDER.index(label)},{pixels},{usage}"


def write_csv(path: Path, rows: Sequence[str], header: str = "emotion,pixels,Usage") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path
