"""Which parts this OpenCV has, where its Haar cascades are, and how to repair what is missing.

``opencv-python`` beside ``opencv-contrib-python`` writes over its files: ``cv2.face`` is then there
but empty. So classes are looked for, not modules. Cascades carry state while they search, so each
detector loads its own and is used by one thread.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2

OPENCV = "opencv-contrib-python-headless>=4.6,<5"
REPAIR = (
    "pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python "
    f"opencv-contrib-python-headless; pip install '{OPENCV}'"
)
# In the order in which they are asked; Viola and Jones, 2001; Lienhart and Maydt, 2002.
CASCADE_ORDER = ("default", "alt2", "alt", "alt_tree")

_SYSTEM_FOLDERS = (
    "/usr/share/opencv4/haarcascades",
    "/usr/share/opencv/haarcascades",
    "/usr/local/share/opencv4/haarcascades",
)


def missing_part(name: str) -> str:
    """Return one line with the remedy if this OpenCV lacks a part, or an empty text.

    Args:
        name: dotted, below ``cv2``: ``face.FisherFaceRecognizer``.
    """
    part: object = cv2
    for step in name.split("."):
        part = getattr(part, step, None)
        if part is None:
            version = getattr(cv2, "__version__", "of unknown version")
            return (
                f"this OpenCV ({version}) has no cv2.{name}: it is built without it, or another "
                f"OpenCV package was installed over it; {REPAIR} (on Ubuntu: apt install "
                "python3-opencv)"
            )
    return ""


class CascadeError(ValueError):
    """A cascade file is missing or OpenCV cannot read it."""


@lru_cache(maxsize=1)
def cascade_folder() -> Path:
    """Return the folder with OpenCV's cascade files.

    The pip wheels carry them (up to OpenCV 4); Debian and Ubuntu put them into opencv-data.

    Raises:
        CascadeError: there are none on this machine.
    """
    folders = [Path(folder) for folder in _SYSTEM_FOLDERS]
    if hasattr(cv2, "data"):
        folders.insert(0, Path(cv2.data.haarcascades))
    for folder in folders:
        if (folder / "haarcascade_frontalface_default.xml").is_file():
            return folder
    raise CascadeError(
        "OpenCV's Haar cascades are not installed; install them with "
        f"'apt install opencv-data' or pip install '{OPENCV}'"
    )


def load_cascade(name: str, folder: Path | None = None) -> cv2.CascadeClassifier:
    """Load ``haarcascade_<name>.xml`` from ``folder`` (default: OpenCV's own).

    Raises:
        CascadeError: the file is missing or is no cascade; the message names it.
    """
    path = (folder or cascade_folder()) / f"haarcascade_{name}.xml"
    if not path.is_file():
        raise CascadeError(f"cascade file {path} is missing; reinstall OpenCV's data (opencv-data)")
    if problem := missing_part("CascadeClassifier"):
        raise CascadeError(problem)
    cascade = cv2.CascadeClassifier()
    try:
        loaded = cascade.load(str(path))
    except cv2.error:
        loaded = False
    if not loaded or cascade.empty():
        raise CascadeError(f"cascade file {path} is corrupt; reinstall OpenCV's data (opencv-data)")
    return cascade
