"""Which parts this OpenCV has, and how to repair one that lacks what is needed.

``opencv-python`` beside ``opencv-contrib-python`` writes over its files: ``cv2.face`` is then there
but empty. So classes are looked for, not modules.
"""

from __future__ import annotations

import cv2

OPENCV = "opencv-contrib-python-headless>=4.6,<5"
REPAIR = (
    "pip uninstall -y opencv-python opencv-python-headless opencv-contrib-python "
    f"opencv-contrib-python-headless; pip install '{OPENCV}'"
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
